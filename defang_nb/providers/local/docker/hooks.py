"""Compose's `post_start` and `pre_stop`: commands that run inside a container, whenever it is started, or is to stop."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.model.value import Json
from defang_nb.providers.local.docker import labels

POST_START, PRE_STOP = "post_start", "pre_stop"


def run(client: Any, container: str, hooks: Sequence[Mapping[str, Any]] | None) -> None:
    """Raises `ProviderError` when one fails."""
    for hook in hooks or ():
        made = client.exec_create(
            container,
            list(hook["command"]),
            user=hook.get("user", ""),
            privileged=bool(hook.get("privileged")),
            workdir=hook.get("working_dir") or None,
            environment=hook.get("environment") or {},
        )["Id"]
        client.exec_start(made)
        if code := client.exec_inspect(made)["ExitCode"]:
            raise ProviderError(f"the hook {' '.join(hook['command'])!r} ended with code {code}")


def marks(inputs: Mapping[str, Json]) -> dict[str, str]:
    """The label by which a container keeps its hooks, for who has nothing but the container; none without hooks."""
    kept = {each: inputs[each] for each in (POST_START, PRE_STOP) if inputs.get(each)}
    return {labels.HOOKS: json.dumps(kept)} if kept else {}


def kept(marks: Mapping[str, str] | None, which: str) -> Sequence[Mapping[str, Any]]:
    """Those that a container's labels tell of."""
    found: Sequence[Mapping[str, Any]] = json.loads((marks or {}).get(labels.HOOKS, "{}")).get(which, ())
    return found
