"""The table of everything that may stand in a Compose file.

Source: compose-spec's schema (2025), with the newer `jobs`, `pre_start` and `umask`. `x-…` keys are allowed everywhere.
"""

from __future__ import annotations

from typing import Final

from defang_nb.compose.kinds import Bool, Context, Duration, Int, Kind, Number, Scalar, Size, Str, wrong_type
from defang_nb.compose.mounts import Device, EnvFile, ExtraHosts, FilePath, FileRef, Ulimit, Volumes
from defang_nb.compose.nodes import Map, Node, Path, Seq, show
from defang_nb.compose.paths import absolute
from defang_nb.compose.ports import Ports
from defang_nb.compose.relations import BuildSpec, Contexts, Extends, Names, depends_on
from defang_nb.compose.shapes import Command, KeyValues, ListOf, MapOf, Nullable, Struct
from defang_nb.model.source import Position

_STR: Final = Str()
_BOOL: Final = Bool()
_INT: Final = Int()
_SIZE: Final = Size()
_DURATION: Final = Duration()
_STRINGS: Final = ListOf(_STR)
_STRING_OR_LIST: Final = ListOf(_STR, single=True)
_TEXTS: Final = ListOf(Scalar())
_LABELS: Final = KeyValues("")
_ENVIRONMENT: Final = KeyValues(None)
_ULIMITS: Final = MapOf(Ulimit())
_OPTIONS: Final = MapOf(Scalar())
_OPTIONS_OR_NULL: Final = MapOf(Scalar((str, int, float, type(None)), "", "a string, number or empty"))


class _Test(Kind):
    """A health check's test: one string for the shell, or a list that begins with CMD, CMD-SHELL or NONE."""

    allows = "a string, or a list that begins with CMD, CMD-SHELL or NONE"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, str) and ctx.raw:
            return value
        if isinstance(value, str) and at:
            return Seq.of(at, ["CMD-SHELL", value])
        if not isinstance(value, Seq):
            return wrong_type(self.allows, value, at, path, ctx)
        read = _STRINGS.read(value, at, path, ctx)
        if isinstance(read, Seq) and read and read[0] not in ("CMD", "CMD-SHELL", "NONE"):
            hint = f"write [CMD, {read[0]}, …], or all in one string"
            return ctx.refuse("wrong-value", f"{show(path)} must begin with CMD, CMD-SHELL or NONE", at, path, hint)
        return read


class _Gpus(Kind):
    """`all`, or a list of devices."""

    allows = "`all`, or a list of devices"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if value == "all" and at:
            all_of_them = Map(at)
            all_of_them["count"] = -1
            return Seq.of(at, [all_of_them])
        return ListOf(_GpuDevice(())).read(value, at, path, ctx)


class _GpuDevice(Kind):
    """A device reservation; without a number or ids it means all."""

    allows = "a mapping"

    def __init__(self, required: tuple[str, ...]) -> None:
        self.struct = Struct(
            {
                "capabilities": ListOf(_STR, once=True),
                "count": Int(words={"all": -1}),
                "device_ids": ListOf(_STR, once=True),
                "driver": _STR,
                "options": KeyValues("", once=True),
            },
            required=required,
        )

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = self.struct.read(value, at, path, ctx)
        if isinstance(read, Map):
            if "count" in read and "device_ids" in read:
                message = f"{show(path)} has both count and device_ids"
                return ctx.refuse(
                    "exclusive-keys", message, read.key_at("device_ids"), (*path, "device_ids"), "keep one of them"
                )
            if "count" not in read and "device_ids" not in read:
                read["count"] = -1
        return read


class _Options(Kind):
    """A provider's option: one value or several; canonical: a list of texts."""

    allows = "a string, number or boolean, or a list of them"
    _list = ListOf(Scalar((str, int, float, bool), None, "a string, number or boolean"), single=True)

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        return self._list.read(value, at, path, ctx)


class _Filled(Kind):
    """One string or a list of them, of which the empty ones say nothing."""

    allows = _STRING_OR_LIST.allows

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = _STRING_OR_LIST.read(value, at, path, ctx)
        if not isinstance(read, Seq):
            return read
        made = Seq(read.at)
        for item, item_at in read.pairs():
            if item:
                made.add(item, item_at)
        return made


class _SshKeys(Kind):
    """`default`, `id=path`, or a mapping; canonical: a list of `id=path`."""

    allows = KeyValues().allows

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = KeyValues(None, once=True).read(value, at, path, ctx)
        if not isinstance(read, Map):
            return read
        made = Seq(read.at)
        for key in read if isinstance(value, Seq) else ():
            if read[key] is None and key != "default":
                ctx.refuse("wrong-value", f"{show(path)}: {key} has no path", read.keys_at[key], path, f"write {key}=PATH")
        for key, place in read.items():
            made.add(key if not place else f"{key}={absolute(place, ctx.base, ctx.home)}", read.keys_at[key])
        return made


_RATE: Final = ListOf(Struct({"path": _STR, "rate": Size(whole=True)}))
_HOOKS: Final = ListOf(
    Struct(
        {
            "command": Command(),
            "user": _STR,
            "privileged": _BOOL,
            "working_dir": _STR,
            "environment": KeyValues(None, once=True),
        },
        required=("command",),
    )
)
_UPDATE: Final = Struct(
    {
        "parallelism": _INT,
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
        "ssh": _SshKeys(),
        "labels": _LABELS,
        "cache_from": _STRINGS,
        "cache_to": _STRINGS,
        "no_cache": _BOOL,
        "additional_contexts": Contexts(),
        "network": _STR,
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
                        "generic_resources": ListOf(
                            Struct({"discrete_resource_spec": Struct({"kind": _STR, "value": Number()})})
                        ),
                        "devices": ListOf(_GpuDevice(("capabilities",))),
                    }
                ),
            }
        ),
        "restart_policy": Struct({"condition": _STR, "delay": _DURATION, "max_attempts": _INT, "window": _DURATION}),
        "placement": Struct(
            {
                "constraints": _STRINGS,
                "preferences": ListOf(Struct({"spread": _STR})),
                "max_replicas_per_node": _INT,
            }
        ),
    }
)
_WATCH: Final = Struct(
    {
        "ignore": ListOf(_STR, single=True, once=True),
        "include": ListOf(_STR, single=True, once=True),
        "path": FilePath(blank=False),
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

SERVICE: Final = Struct(
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
                "weight": Int(0, 65535, strict=True),
                "weight_device": ListOf(Struct({"path": _STR, "weight": Int(0, 65535, strict=True)})),
            }
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
        "dns": _Filled(),
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
        "gpus": _Gpus(),
        "group_add": _TEXTS,
        "healthcheck": Struct(
            {
                "disable": _BOOL,
                "interval": _DURATION,
                "retries": Int(cut=True),
                "test": _Test(),
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
        "mem_swappiness": _INT,
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
        "pre_start": _HOOKS,
        "pre_stop": _HOOKS,
        "privileged": _BOOL,
        "profiles": _STRINGS,
        "provider": Struct({"type": _STR, "options": MapOf(_Options())}, required=("type",)),
        "pull_policy": Str(
            pattern=_PULL,
            allows="one of always, missing, never, build, daily, weekly, or every_ and a duration (every_12h)",
            near=("always", "never", "build", "missing", "daily", "weekly", "if_not_present", "refresh"),
        ),
        "pull_refresh_after": _STR,
        "read_only": _BOOL,
        "restart": _STR,
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
        "umask": Scalar(),
        "use_api_socket": Bool(strict=True),
        "user": _STR,
        "userns_mode": _STR,
        "uts": _STR,
        "volumes": Volumes(),
        "volumes_from": _STRINGS,
        "working_dir": _STR,
    }
)
