"""A Compose service as the body of the engine's `POST /containers/create`. Pure.

What is known later is not in it: image, environment, ports and networks are put in when the container is made. Names of keys
are those of the Docker Engine API 1.41 and of the Compose specification.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from defang_nb.model.project import Healthcheck, Mount, Resources, Service
from defang_nb.model.value import Json

_HOST: Final[Mapping[str, str]] = {
    "cap_add": "CapAdd", "cap_drop": "CapDrop", "cgroup": "CgroupnsMode", "cgroup_parent": "CgroupParent",
    "cpu_count": "CpuCount", "cpu_percent": "CpuPercent", "cpu_period": "CpuPeriod", "cpu_quota": "CpuQuota",
    "cpu_rt_period": "CpuRealtimePeriod", "cpu_rt_runtime": "CpuRealtimeRuntime", "cpu_shares": "CpuShares",
    "cpuset": "CpusetCpus", "device_cgroup_rules": "DeviceCgroupRules", "dns": "Dns", "dns_opt": "DnsOptions",
    "dns_search": "DnsSearch", "group_add": "GroupAdd", "init": "Init", "ipc": "IpcMode", "isolation": "Isolation",
    "mem_swappiness": "MemorySwappiness", "oom_kill_disable": "OomKillDisable", "oom_score_adj": "OomScoreAdj",
    "pid": "PidMode", "pids_limit": "PidsLimit", "privileged": "Privileged", "read_only": "ReadonlyRootfs",
    "runtime": "Runtime", "security_opt": "SecurityOpt", "storage_opt": "StorageOpt", "sysctls": "Sysctls",
    "userns_mode": "UsernsMode",
    "uts": "UTSMode",
}  # fmt: skip
"""Keys that mean the same and are written the same way."""

_SIZES: Final = {"memswap_limit": "MemorySwap", "shm_size": "ShmSize"}
_BLKIO: Final = {
    "device_read_bps": "BlkioDeviceReadBps", "device_read_iops": "BlkioDeviceReadIOps",
    "device_write_bps": "BlkioDeviceWriteBps", "device_write_iops": "BlkioDeviceWriteIOps",
}  # fmt: skip
_RESTART: Final = {"none": "no", "on-failure": "on-failure", "any": "always"}
"""`deploy.restart_policy.condition` as a restart policy."""


_RECURSIVE: Final[Mapping[str, Mapping[str, Json]]] = {
    "disabled": {"NonRecursive": True},
    "writable": {"ReadOnlyNonRecursive": True},
    "readonly": {"ReadOnlyForceRecursive": True},
}
"""Whether what is mounted below a bind mount's folder comes along, and may be written to."""

_ELSEWHERE: Final = frozenset(
    {
        "name", "build", "image", "environment", "depends_on", "networks", "configs", "secrets", "rest", "managed",
        "static_files", "domainname", "autoscaling", "policies", "aliases", "dns_role", "models", "resources", "replicas",
        "platform",
    }
)  # fmt: skip
"""Fields of a service that are inputs of another kind, or of no container's concern."""
_NO_INPUT: Final = frozenset({"networks", "attach", "develop", "pull_policy", "build", "links", "env_file", "label_file"})


def said(service: Service) -> dict[str, Json]:
    """What a service says of its containers, by Compose's own names: so a difference is told in the words of the file."""
    fields = msgspec.to_builtins(service)
    made = {key: value for key, value in fields.items() if key not in _ELSEWHERE}
    made |= {key: value for key, value in service.rest.items() if key not in _NO_INPUT}
    made |= {key: value for key, value in fields["resources"].items() if value is not None and key != "gpus"}
    return {key: value for key, value in made.items() if value not in (None, "", [], {}) or key in ("command", "entrypoint")}


def container(inputs: Mapping[str, Json]) -> dict[str, Json]:
    """The body, of inputs that `said` gave; `restart` is among them."""
    fields = {key: value for key, value in inputs.items() if key in Service.__struct_fields__ and key not in _ELSEWHERE}
    resources = {key: inputs[key] for key in Resources.__struct_fields__ if key in inputs and key not in ("cpus", "gpus")}
    rest = {key: value for key, value in inputs.items() if key not in fields}
    service = msgspec.convert({**fields, "name": "", "resources": resources, "rest": rest}, Service)
    body: dict[str, Json] = {
        "Hostname": rest.get("hostname", ""),
        "User": service.user,
        "Tty": bool(rest.get("tty")),
        "OpenStdin": bool(rest.get("stdin_open")),
        "WorkingDir": service.working_dir,
        "Labels": {**dict(rest.get("annotations") or {}), **service.labels},
        "ExposedPorts": {f"{port.target}/{port.protocol}": {} for port in service.ports}
        | {f"{port}/tcp": {} for port in service.expose},
        "StopTimeout": math.ceil(service.stop_grace_period),
        "HostConfig": _host(service),
    }
    if service.command is not None:
        body["Cmd"] = list(service.command)
    if service.entrypoint is not None:
        body["Entrypoint"] = list(service.entrypoint)
        body.setdefault("Cmd", [])  # an entrypoint of one's own takes the image's command away, as Docker's CLI does
    if service.stop_signal:
        body["StopSignal"] = service.stop_signal
    if rest.get("mac_address"):
        body["MacAddress"] = rest["mac_address"]
    if service.healthcheck is not None:
        body["Healthcheck"] = healthcheck(service.healthcheck)
    return {key: value for key, value in body.items() if value not in ("", {}, False)}


def healthcheck(check: Healthcheck) -> dict[str, Json]:
    """As the engine has it: nanoseconds."""
    if check.disable:
        return {"Test": ["NONE"]}
    times = {"Interval": check.interval, "Timeout": check.timeout, "StartPeriod": check.start_period}
    made: dict[str, Json] = {key: round(seconds * 1e9) for key, seconds in times.items() if seconds}
    return made | {"Retries": check.retries} | ({"Test": list(check.test)} if check.test else {})


def split_by_podman(check: Mapping[str, Json]) -> dict[str, Json]:
    """For its Docker API: versions of Podman 4 take a command's words apart at each blank, those of a shell's command not."""
    test = list(check.get("Test") or ())
    if test[:1] == ["CMD"] and any(set(each) & set(" \t\n") for each in test):
        test = ["CMD-SHELL", shlex.join(test[1:])]
    return {**check, **({"Test": test} if test else {})}


def _host(service: Service) -> dict[str, Json]:
    rest, limits = service.rest, (service.rest.get("deploy") or {}).get("resources") or {}
    host: dict[str, Json] = {ours: rest[key] for key, ours in _HOST.items() if rest.get(key) is not None}
    host |= {ours: int(rest[key]) for key, ours in _SIZES.items() if rest.get(key)}
    host["RestartPolicy"] = _restart(service)
    resources = service.resources
    if resources.cpus_limit:
        host["NanoCpus"] = round(resources.cpus_limit * 1e9)
    if resources.memory_limit:
        host["Memory"] = resources.memory_limit
    if resources.memory:
        host["MemoryReservation"] = resources.memory
    if pids := (limits.get("limits") or {}).get("pids"):
        host["PidsLimit"] = int(pids)
    if rest.get("extra_hosts"):
        host["ExtraHosts"] = [":".join(each.split("=", 1)) for each in rest["extra_hosts"]]
    if rest.get("ulimits"):
        host["Ulimits"] = [_ulimit(name, value) for name, value in sorted(rest["ulimits"].items())]
    if rest.get("tmpfs"):
        host["Tmpfs"] = {place: options for place, _, options in (each.partition(":") for each in rest["tmpfs"])}
    if rest.get("devices"):
        host["Devices"] = [_device(each) for each in rest["devices"]]
    if requests := list(_device_requests(service)):
        host["DeviceRequests"] = requests
    if logging := rest.get("logging"):
        host["LogConfig"] = {"Type": logging.get("driver", "json-file"), "Config": dict(logging.get("options") or {})}
    host |= _blkio(rest.get("blkio_config") or {})
    if mounts := [_mount(each) for each in service.volumes if not _labelled(each)]:
        host["Mounts"] = mounts
    if binds := [_bind(each) for each in service.volumes if _labelled(each)]:
        host["Binds"] = binds
    return host


def restart(service: Service) -> str:
    """The policy: the service's own, else `deploy.restart_policy`; without any it is started again, as on a cloud."""
    policy = (service.rest.get("deploy") or {}).get("restart_policy") or {}
    if service.restart or not policy:
        return service.restart or "unless-stopped"
    name = _RESTART.get(policy.get("condition", "any"), "always")
    count = policy.get("max_attempts")
    return f"{name}:{count}" if count and name == "on-failure" else name


def _restart(service: Service) -> dict[str, Json]:
    policy, _, count = service.restart.partition(":")
    return {"Name": policy or "no", "MaximumRetryCount": int(count or 0)}


def _ulimit(name: str, value: Any) -> dict[str, Json]:
    soft, hard = (value["soft"], value["hard"]) if isinstance(value, Mapping) else (value, value)
    return {"Name": name, "Soft": int(soft), "Hard": int(hard)}


def _device(each: Mapping[str, str]) -> dict[str, Json]:
    return {
        "PathOnHost": each["source"],
        "PathInContainer": each.get("target") or each["source"],
        "CgroupPermissions": each.get("permissions") or "rwm",
    }


def _device_requests(service: Service) -> Iterator[dict[str, Json]]:
    reserved = ((service.rest.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    for each in [*(service.rest.get("gpus") or ()), *(reserved.get("devices") or ())]:
        ids = list(each.get("device_ids") or ())
        yield {
            "Driver": each.get("driver", ""),
            "Count": 0 if ids else int(each.get("count", -1)),
            "DeviceIDs": ids,
            "Capabilities": [list(each.get("capabilities") or ["gpu"])],
            "Options": dict(each.get("options") or {}),
        }


def _blkio(said: Mapping[str, Any]) -> dict[str, Json]:
    host: dict[str, Json] = {"BlkioWeight": int(said["weight"])} if said.get("weight") else {}
    if said.get("weight_device"):
        host["BlkioWeightDevice"] = [{"Path": each["path"], "Weight": int(each["weight"])} for each in said["weight_device"]]
    for key, ours in _BLKIO.items():
        if said.get(key):
            host[ours] = [{"Path": each["path"], "Rate": int(each["rate"])} for each in said[key]]
    return host


def _mount(each: Mount) -> dict[str, Json]:
    options = each.options
    made: dict[str, Json] = {"Type": each.kind, "Target": each.target, "ReadOnly": each.read_only}
    match each.kind:
        case "volume":
            made["Source"] = each.source
            own = {"NoCopy": options.get("nocopy"), "Labels": options.get("labels"), "Subpath": options.get("subpath")}
            if said := {key: value for key, value in own.items() if value}:
                made["VolumeOptions"] = said
        case "tmpfs":
            own = {"SizeBytes": int(options.get("size") or 0), "Mode": int(options.get("mode") or 0)}
            if said := {key: value for key, value in own.items() if value}:
                made["TmpfsOptions"] = said
        case _:
            made["Source"] = each.source
            if options.get("create_host_path"):
                made["make"] = True  # no key of the engine's: who makes the container makes the folder
            own = {"Propagation": options.get("propagation"), **_RECURSIVE.get(options.get("recursive", ""), {})}
            if said := {key: value for key, value in own.items() if value}:
                made["BindOptions"] = said
    return made


def _labelled(each: Mount) -> bool:
    """Whether SELinux is to let containers at a folder: what `Mounts` has no word for, and `Binds` has."""
    return each.kind == "bind" and bool(each.options.get("selinux"))


def _bind(each: Mount) -> str:
    options = ["ro" if each.read_only else "rw", str(each.options["selinux"]), str(each.options.get("propagation") or "")]
    return f"{each.source}:{each.target}:{','.join(filter(None, options))}"


def endpoint(service: Service, network: str, aliases: Sequence[str]) -> dict[str, Json]:
    """How the service is attached to one of its networks (by its key): others find it by its name, and by `aliases`."""
    said = (service.rest.get("networks") or {}).get(network) or {}
    made: dict[str, Json] = {"Aliases": [service.name, *aliases, *(said.get("aliases") or ())]}
    addresses = {
        "IPv4Address": said.get("ipv4_address"),
        "IPv6Address": said.get("ipv6_address"),
        "LinkLocalIPs": said.get("link_local_ips"),
    }
    if given := {key: value for key, value in addresses.items() if value}:
        made["IPAMConfig"] = given
    if said.get("driver_opts"):
        made["DriverOpts"] = said["driver_opts"]
    if said.get("mac_address"):
        made["MacAddress"] = said["mac_address"]
    links = [each if ":" in each else f"{each}:{each}" for each in service.rest.get("external_links") or ()]
    return made | ({"Links": links} if links else {})
