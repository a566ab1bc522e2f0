"""Resources: what a provider wants to exist (`Resource`), and what is recorded to exist (`Recorded`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property

import msgspec

from defang_nb.model.value import Json, references


class Need(StrEnum):
    """What a dependent waits for: the resource exists, or it is usable (healthy, or done with exit code 0)."""

    CREATED = "created"
    READY = "ready"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`protect`: never deleted without consent. `depends_on`: urn → what is waited for, beside the inputs' references."""

    protect: bool = False
    depends_on: Mapping[str, Need] = {}


class Resource(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One thing that shall exist. `urn` is `<project>/<type>/<name>`, unique in its stack and stable over time.

    `service` is the Compose service that it belongs to ("" for shared ones), and `main` says that it *is* the service: its
    steps are the service's states, its output `endpoints` (a list of {url, port, public}) is where the service answers, and
    its output `detail` (if any) says in a few words how it is ("exited 0 in 4 s").
    `title` is how people are told about it.
    """

    urn: str
    type: str
    inputs: Mapping[str, Json]
    options: Options = Options()
    service: str = ""
    main: bool = False
    title: str = ""

    @property
    def input_hash(self) -> str:
        return hash_inputs(self.inputs)

    @cached_property
    def dependencies(self) -> Mapping[str, Need]:
        """urn → what is waited for. A reference in the inputs needs the resource at least created."""
        needs = {urn: Need.CREATED for urn, _ in references(self.inputs)}
        needs.update(self.options.depends_on)
        return needs


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What state says of one resource. `id` is the provider's; `ready` is whether it was ever seen usable."""

    urn: str
    type: str
    id: str
    inputs: Mapping[str, Json]
    input_hash: str
    outputs: Mapping[str, Json] = {}
    dependencies: Mapping[str, Need] = {}
    protect: bool = False
    ready: bool = False
    service: str = ""
    main: bool = False
    title: str = ""
    deployment: str = ""


def urn(project: str, type_: str, name: str) -> str:
    return f"{project}/{type_}/{name}"


def hash_inputs(inputs: Mapping[str, Json]) -> str:
    """SHA-256 of the canonical JSON (sorted keys, no spaces), in hex."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=dict)
    return hashlib.sha256(text.encode()).hexdigest()
