"""The canonical model as `docker compose config` prints it: a valid Compose file again, so a `$` is written `$$`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from defang_nb.compose.nodes import Map, Node, Symbolic

_ONLY_TRUE: Final = frozenset(
    {
        "attachable", "context_size", "count", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota",
        "cpu_rt_period", "cpu_rt_runtime",
        "cpu_shares", "cpus", "create_host_path", "disable", "external", "gw_priority", "initial_sync", "internal",
        "max_failure_ratio", "max_replicas_per_node", "mem_limit", "mem_reservation", "mem_swappiness", "memory",
        "memswap_limit", "no_cache", "nocopy", "oom_kill_disable", "oom_score_adj", "per_replica", "pids",
        "pids_limit", "priority",
        "privileged", "pull", "read_only", "restart", "shm_size", "stdin_open", "target", "tty", "use_api_socket",
    }
)  # fmt: skip
"""Keys that are not printed when they are false or zero."""

_SIZES: Final = frozenset({"mem_limit", "mem_reservation", "mem_swappiness", "memory", "memswap_limit", "shm_size"})
"""Those of them that are texts."""

_FREE: Final = frozenset(
    {
        "additional_contexts", "annotations", "args", "aux_addresses", "driver_opts", "environment", "labels", "options",
        "storage_opt", "sysctls", "ulimits",
    }
)  # fmt: skip
"""Mappings whose keys are people's own."""

_PER_SERVICE: Final = ("command", "entrypoint")

_WORKLOADS: Final = {"services": _PER_SERVICE, "jobs": ()}
"""Sections of what runs, and the keys that are printed there even when they are empty."""


def canonical(model: Map, project: str, *, escape: bool) -> dict[str, Any]:
    """The model in plain values; `escape` unless its variables were left as they are."""
    text = _escaped if escape else str
    made: dict[str, Any] = {"name": project}
    for key, value in model.items():
        if key.startswith("x-"):
            made[key] = _free(value, text)
        elif key != "name" and key not in _WORKLOADS and value:
            made[key] = _node(value, text)
    for section, always in _WORKLOADS.items():
        if section == "services" or model.get(section):
            made[section] = {name: _workload(each, always, text) for name, each in (model.get(section) or {}).items()}
    return made


def _workload(node: Map, always: tuple[str, ...], text: Callable[[str], str]) -> dict[str, Any]:
    """With what the reference adds: a build's Dockerfile, and the replicas that `scale` says."""
    made: dict[str, Any] = {**_node(node, text), **{key: _node(node.get(key), text) for key in always}}
    if isinstance(deploy := made.get("deploy"), dict) and "scale" in made:
        deploy["replicas"] = made["scale"]
    provider = made.get("provider")
    if text is _escaped and isinstance(provider, dict) and "options" in provider:
        options = provider["options"].items()
        provider["options"] = {key: value if isinstance(value, list) else [value] for key, value in options}
    build = made.get("build")
    if isinstance(build, dict) and "dockerfile" not in build and "dockerfile_inline" not in build:
        build["dockerfile"] = "Dockerfile"
    return made


def _node(node: Node, text: Callable[[str], str]) -> Any:
    if isinstance(node, str):
        return text(node)
    if isinstance(node, dict):
        return {
            text(key): _free(value, text) if key in _FREE or key.startswith("x-") else _node(value, text)
            for key, value in node.items()
            if not (key in _ONLY_TRUE and text is _escaped and (value in (False, 0) or (key in _SIZES and value == "0")))
            and (value != [] or key in _PER_SERVICE)
        }
    return [_node(value, text) for value in node] if isinstance(node, list) else node


def _free(node: Node, text: Callable[[str], str]) -> Any:
    if isinstance(node, str):
        return text(node)
    if isinstance(node, dict):
        return {text(key): _free(value, text) for key, value in node.items()}
    return [_free(value, text) for value in node] if isinstance(node, list) else node


def _escaped(value: str) -> str:
    if isinstance(value, Symbolic):
        return "".join(part.replace("$", "$$") if isinstance(part, str) else f"${{{part.key}}}" for part in value.parts)
    return value.replace("$", "$$") if "$" in value else str(value)
