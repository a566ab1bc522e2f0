"""What all resource types of one stack share: where things are, the process manager, the port book, configuration values."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from defang_nb.errors import NotFoundError
from defang_nb.model.value import Json, config_keys
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.process.ports import PortBook
from defang_nb.providers.local.process.supervisor import Supervisor
from defang_nb.providers.local.process.tags import Tags

BIND_SETTING = "DEFANG_BIND"
EXCLUDE_NEWER_SETTING = "DEFANG_EXCLUDE_NEWER"


class ServiceNote(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a service that was made, beside the state: to adopt it, and to show it."""

    urn: str
    project: str
    service: str
    replicas: int = 1
    one_off: bool = False
    image: str = ""
    outputs: Mapping[str, Json] = {}

    @property
    def listens(self) -> Sequence[int]:
        """The ports of this machine that are told to people."""
        return [int(str(each["url"]).rpartition(":")[2]) for each in self.outputs.get("endpoints") or ()]


class Engine:
    """One stack's engine. Cheap to make; touches nothing."""

    def __init__(self, paths: StackPaths, settings: Mapping[str, str]) -> None:
        self.paths = paths
        self.supervisor = Supervisor(paths)
        self.book = PortBook(paths.root / "ports.json")
        self.tags = Tags(paths.root / "tags")
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self.bind = settings.get(BIND_SETTING, "") or "127.0.0.1"

    def lock(self, project: str, service: str) -> asyncio.Lock:
        """Held by who starts or stops a service. Nobody may hold two of them."""
        return self._locks.setdefault((project, service), asyncio.Lock())

    def listening(self, project: str) -> Mapping[int, str]:
        """Port of this machine → the service of the project that was last started to answer there."""
        return {port: note.service for note in self.notes(project) for port in note.listens}

    def folder(self, project: str, service: str) -> Path:
        return self.paths.services / project / service

    def log(self, project: str, service: str, replica: int) -> Path:
        return self.paths.logs / project / f"{service}.{replica}.log"

    def data(self, project: str, name: str) -> Path:
        return self.paths.data / project / name

    def config_file(self, project: str) -> Path:
        """Where `FileConfigStore` keeps the values of a project."""
        return self.paths.config / f"{project}.json"

    def secret_values(self, project: str, inputs: Json) -> dict[str, str]:
        """The configuration values that `inputs` name. Raises `NotFoundError` for one that is not set."""
        keys = set(config_keys(inputs))
        if not keys:
            return {}
        try:
            known: dict[str, str] = json.loads(self.config_file(project).read_bytes())
        except FileNotFoundError:
            known = {}
        if missing := sorted(keys - set(known)):
            raise NotFoundError(f"the configuration value {missing[0]} is not set", hint=f"config set {missing[0]}")
        return {key: known[key] for key in keys}

    def note(self, project: str, service: str) -> ServiceNote | None:
        try:
            return msgspec.json.decode((self.folder(project, service) / "service.json").read_bytes(), type=ServiceNote)
        except (OSError, msgspec.DecodeError):
            return None

    def write_note(self, note: ServiceNote) -> None:
        folder = self.folder(note.project, note.service)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = folder / "service.json.new"
        temporary.write_bytes(msgspec.json.encode(note))
        temporary.rename(folder / "service.json")

    def notes(self, project: str) -> list[ServiceNote]:
        """Of every service of the project ("*": of any) that was made, by name."""
        found = [
            self.note(path.parent.parent.name, path.parent.name)
            for path in sorted(self.paths.services.glob(f"{project}/*/service.json"))
        ]
        return [note for note in found if note]


def program(project: str, service: str, replica: int) -> str:
    """The process manager's name for one replica. A project's name holds no dot, so it can be taken apart again."""
    return f"{project}.{service}.{replica}"


def parse_urn(urn: str) -> tuple[str, str]:
    """The project and the service's name of a urn (`<project>/<type>/<name>`; types hold one slash)."""
    match = re.fullmatch(r"([^/]+)/[^/]+/[^/]+/(.+)", urn)
    return (match[1], match[2]) if match else ("", urn)


def fill(value: Json, values: Mapping[str, str]) -> str:
    """An input's text with configuration values put in."""
    match value:
        case {"$config": str(key)}:
            return values[key]
        case {"$join": list(parts)}:
            return "".join(fill(part, values) for part in parts)
    return str(value)
