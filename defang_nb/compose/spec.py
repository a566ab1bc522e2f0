"""The table of everything that may stand in a Compose file.

Source: compose-spec's schema (2025), with the newer `jobs`, `pre_start` and `umask`. `x-…` keys are allowed everywhere.
"""

from __future__ import annotations

from typing import Final

from defang_nb.compose.kinds import Bool, Duration, Int, Number, Scalar, Size, Str
from defang_nb.compose.mounts import Device, EnvFile, ExtraHosts, FilePath, FileRef, Ulimit, Volumes
from defang_nb.compose.ports import Ports
from defang_nb.compose.relations import BuildSpec, Contexts, Extends, Names, depends_on
from defang_nb.compose.shapes import Command, KeyValues, ListOf, MapOf, Nullable, Struct
from defang_nb.compose.special import Filled, GpuDevice, Gpus, Ignored, Options, SshKeys, Test, Umask

_STR: Final = Str()
_BOOL: Final = Bool()
_INT: Final = Int()
_SIZE: Final = Size()
_DURATION: Final = Duration()
_STRINGS: Final = ListOf(_STR)
_STRING_OR_LIST: Final = ListOf(_STR, single=True, late=True)
_LABELS: Final = KeyValues("")
_ENVIRONMENT: Final = KeyValues(None, tight=True)
_ULIMITS: Final = MapOf(Ulimit())
_OPTIONS: Final = MapOf(Scalar())
_OPTIONS_OR_NULL: Final = MapOf(Scalar((str, int, float, type(None)), "", "a string, number or empty"))


_RATE: Final = ListOf(Struct({"path": _STR, "rate": Size(whole=True)}, closed=True, defaults={"rate": "0"}))
_HOOKS: Final = ListOf(
    Struct(
        {
            "command": Command(),
            "user": _STR,
            "privileged": _BOOL,
            "working_dir": _STR,
            "environment": KeyValues(None, once=True, tight=True),
        },
        required=("command",),
    )
)


_UPDATE: Final = Struct(
    {
        "parallelism": Int(0),
        "delay": Duration(zero=False),
        "failure_action": _STR,
        "monitor": Duration(zero=False),
        "max_failure_ratio": Number(),
        "order": Str(("start-first", "stop-first")),
    }
)
_BUILD: Final = BuildSpec(
    {
        "context": _STR,
        "dockerfile": _STR,
        "dockerfile_inline": _STR,
        "entitlements": _STRINGS,
        "args": _ENVIRONMENT,
        "ssh": SshKeys(),
        "labels": _LABELS,
        "cache_from": _STRINGS,
        "cache_to": _STRINGS,
        "no_cache": _BOOL,
        "additional_contexts": Contexts(),
        "network": _STR,
        "no_cache_filter": ListOf(_STR, single=True, once=True),
        "provenance": Scalar((str, bool)),
        "sbom": Scalar((str, bool)),
        "pull": _BOOL,
        "target": _STR,
        "shm_size": Size(whole=True),
        "extra_hosts": ExtraHosts(),
        "isolation": _STR,
        "privileged": _BOOL,
        "secrets": ListOf(FileRef()),
        "tags": _STRINGS,
        "ulimits": MapOf(Ulimit(strict=True)),
        "platforms": _STRINGS,
    }
)
_GENERIC: Final = Struct({"kind": _STR, "value": Int(cut=True)}, defaults={"value": 0})
_DEPLOY: Final = Struct(
    {
        "mode": _STR,
        "endpoint_mode": _STR,
        "replicas": Int(0),
        "labels": _LABELS,
        "rollback_config": _UPDATE,
        "update_config": _UPDATE,
        "resources": Struct(
            {
                "limits": Struct({"cpus": Number(single=True), "memory": Size(numbers=False), "pids": _INT}),
                "reservations": Struct(
                    {
                        "cpus": Number(single=True),
                        "memory": Size(numbers=False),
                        "generic_resources": ListOf(Struct({"discrete_resource_spec": _GENERIC})),
                        "devices": ListOf(GpuDevice(("capabilities",))),
                    }
                ),
            }
        ),
        "restart_policy": Struct({"condition": _STR, "delay": _DURATION, "max_attempts": Int(0), "window": _DURATION}),
        "placement": Struct(
            {
                "constraints": _STRINGS,
                "preferences": ListOf(Struct({"spread": _STR})),
                "max_replicas_per_node": Int(0),
            }
        ),
    }
)
_WATCH: Final = Struct(
    {
        "ignore": ListOf(_STR, single=True, once=True),
        "include": ListOf(_STR, single=True, once=True),
        "path": FilePath(real=True),
        "action": Str(("rebuild", "sync", "restart", "sync+restart", "sync+exec")),
        "target": _STR,
        "exec": _HOOKS.item,
        "initial_sync": Bool(strict=True),
    },
    required=("path", "action"),
)
_NETWORK_OF_SERVICE: Final = Struct(
    {
        "aliases": _STRINGS,
        "interface_name": _STR,
        "ipv4_address": _STR,
        "ipv6_address": _STR,
        "link_local_ips": _STRINGS,
        "mac_address": _STR,
        "driver_opts": _OPTIONS,
        "priority": Int(strict=True, cut=True),
        "gw_priority": Int(strict=True, cut=True),
    }
)
_PULL: Final = "always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+"

_CONTAINER: Final = Struct(
    {
        "annotations": _LABELS,
        "attach": _BOOL,
        "build": _BUILD,
        "blkio_config": Struct(
            {
                "device_read_bps": _RATE,
                "device_read_iops": _RATE,
                "device_write_bps": _RATE,
                "device_write_iops": _RATE,
                "weight": Int(0, 65535, strict=True, zero=False),
                "weight_device": ListOf(
                    Struct({"path": _STR, "weight": Int(0, 65535, strict=True)}, closed=True, defaults={"weight": 0})
                ),
            },
            closed=True,
        ),
        "cap_add": _STRINGS,
        "cap_drop": _STRINGS,
        "cgroup": Str(("host", "private")),
        "cgroup_parent": _STR,
        "command": Command(),
        "configs": ListOf(FileRef()),
        "container_name": _STR,
        "cpu_count": Int(0),
        "cpu_percent": Int(0, 100),
        "cpu_shares": Int(cut=True),
        "cpu_quota": Int(cut=True),
        "cpu_period": Int(cut=True),
        "cpu_rt_period": Int(cut=True),
        "cpu_rt_runtime": Int(cut=True),
        "cpus": Number(single=True),
        "cpuset": _STR,
        "credential_spec": Struct({"config": _STR, "file": _STR, "registry": _STR}),
        "depends_on": depends_on(),
        "deploy": Nullable(_DEPLOY),
        "develop": Nullable(Struct({"watch": ListOf(_WATCH)})),
        "device_cgroup_rules": _STRINGS,
        "devices": ListOf(Device()),
        "dns": Filled(),
        "dns_opt": _STRINGS,
        "dns_search": _STRING_OR_LIST,
        "domainname": _STR,
        "entrypoint": Command(),
        "env_file": ListOf(EnvFile(), single=True),
        "environment": _ENVIRONMENT,
        "expose": ListOf(Scalar((str, int))),
        "extends": Extends(),
        "external_links": _STRINGS,
        "extra_hosts": ExtraHosts(),
        "gpus": Gpus(),
        "group_add": ListOf(Scalar((str, int))),
        "healthcheck": Struct(
            {
                "disable": _BOOL,
                "interval": _DURATION,
                "retries": Int(0, cut=True),
                "test": Test(),
                "timeout": _DURATION,
                "start_period": _DURATION,
                "start_interval": _DURATION,
            }
        ),
        "hostname": _STR,
        "image": _STR,
        "init": _BOOL,
        "ipc": _STR,
        "isolation": _STR,
        "label_file": ListOf(FilePath(), single=True),
        "labels": _LABELS,
        "links": _STRINGS,
        "logging": Struct({"driver": _STR, "options": _OPTIONS_OR_NULL}),
        "mac_address": _STR,
        "mem_limit": _SIZE,
        "mem_reservation": Size(whole=True),
        "mem_swappiness": Size(whole=True),
        "memswap_limit": _SIZE,
        "models": Names(Nullable(Struct({"endpoint_var": _STR, "model_var": _STR})), None),
        "network_mode": _STR,
        "networks": Names(Nullable(_NETWORK_OF_SERVICE), None),
        "oom_kill_disable": _BOOL,
        "oom_score_adj": Int(-1000, 1000),
        "pid": Nullable(_STR),
        "pids_limit": Int(cut=True),
        "platform": _STR,
        "ports": Ports(),
        "post_start": _HOOKS,
        "pre_stop": _HOOKS,
        "privileged": _BOOL,
        "profiles": _STRINGS,
        "provider": Struct({"type": _STR, "options": MapOf(Options())}, required=("type",)),
        "pull_policy": Str(
            pattern=_PULL,
            allows="one of always, missing, never, build, daily, weekly, or every_ and a duration (every_12h)",
            near=("always", "never", "build", "missing", "daily", "weekly", "if_not_present", "refresh"),
        ),
        "pull_refresh_after": Ignored(),
        "read_only": _BOOL,
        "restart": Str(instead='write always, unless-stopped, on-failure or "no"'),
        "runtime": _STR,
        "scale": Int(0),
        "secrets": ListOf(FileRef("/run/secrets")),
        "security_opt": _STRINGS,
        "shm_size": _SIZE,
        "stdin_open": _BOOL,
        "stop_grace_period": _DURATION,
        "stop_signal": _STR,
        "storage_opt": _OPTIONS_OR_NULL,
        "sysctls": _LABELS,
        "tmpfs": _STRING_OR_LIST,
        "tty": _BOOL,
        "ulimits": _ULIMITS,
        "umask": Umask(),
        "use_api_socket": Bool(strict=True),
        "user": _STR,
        "userns_mode": _STR,
        "uts": _STR,
        "volumes": Volumes(),
        "volumes_from": _STRINGS,
        "working_dir": _STR,
    }
)
_NOT_OF_STEPS: Final = frozenset(
    {
        "attach", "build", "container_name", "depends_on", "deploy", "develop", "expose", "extends", "external_links",
        "healthcheck", "links", "ports", "post_start", "pre_stop", "profiles", "provider", "restart", "scale", "stdin_open",
        "tty",
    }
)  # fmt: skip
SERVICE: Final = Struct(
    {
        **_CONTAINER.fields,
        "pre_start": ListOf(
            Struct(
                {
                    **{key: kind for key, kind in _CONTAINER.fields.items() if key not in _NOT_OF_STEPS},
                    "environment": KeyValues(None, once=True, tight=True),
                    "per_replica": _BOOL,
                }
            )
        ),
    }
)
"""A service; its `pre_start` steps are containers of their own."""
