"""The canonical model as `docker compose config` prints it: a valid Compose file again, so a `$` is written `$$`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from defang_nb.compose.nodes import Map, Node, Symbolic

_ONLY_TRUE: Final = frozenset(
    {
        "attachable", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime",
        "cpu_shares", "cpus", "create_host_path", "disable", "external", "gw_priority", "internal",
        "max_failure_ratio", "max_replicas_per_node", "mem_limit", "mem_reservation", "mem_swappiness", "memory",
        "memswap_limit", "no_cache", "nocopy", "oom_kill_disable", "oom_score_adj", "pids", "pids_limit", "priority",
        "privileged", "pull", "read_only", "restart", "shm_size", "stdin_open", "tty", "use_api_socket",
    }
)  # fmt: skip
"""Keys that are not printed when they are false or zero."""

_FREE: Final = frozenset(
    {
        "additional_contexts", "annotations", "args", "aux_addresses", "driver_opts", "environment", "labels", "options",
        "storage_opt", "sysctls", "ulimits",
    }
)  # fmt: skip
"""Mappings whose keys are people's own."""

_PER_SERVICE: Final = ("command", "entrypoint")


def canonical(model: Map, project: str, *, escape: bool) -> dict[str, Any]:
    """The model in plain values; `escape` unless its variables were left as they are."""
    text = _escaped if escape else str
    made: dict[str, Any] = {"name": project}
    for key, value in model.items():
        if key.startswith("x-"):
            made[key] = _free(value, text)
        elif key not in ("name", "services") and value:
            made[key] = _node(value, text)
    made["services"] = {
        name: {**_node(service, text), **{key: _node(service.get(key), text) for key in _PER_SERVICE}}
        for name, service in (model.get("services") or {}).items()
    }
    return made


def _node(node: Node, text: Callable[[str], str]) -> Any:
    if isinstance(node, str):
        return text(node)
    if isinstance(node, dict):
        return {
            text(key): _free(value, text) if key in _FREE or key.startswith("x-") else _node(value, text)
            for key, value in node.items()
            if (key not in _ONLY_TRUE or value not in (False, 0, "0")) and (value != [] or key in _PER_SERVICE)
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
