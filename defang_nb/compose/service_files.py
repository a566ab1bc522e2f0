"""The files that a service's environment and labels come from: `env_file` and `label_file`."""

from __future__ import annotations

from collections.abc import Mapping

from defang_nb.compose import variables
from defang_nb.compose.finish import section
from defang_nb.compose.nodes import Map, Path, Seq
from defang_nb.compose.problems import Problems
from defang_nb.compose.template import CONFIG_NAME
from defang_nb.model.source import Position
from defang_nb.model.value import ConfigRef


class ServiceFiles:
    """Reads them. A variable that is not set in them is blank as in Compose, else a configuration value."""

    def __init__(self, project: Mapping[str, str], problems: Problems, root: str, *, as_compose: bool) -> None:
        self.project = project
        self.problems = problems
        self.root = root
        self.as_compose = as_compose

    def resolve(self, name: str, service: Map, kind: str = "services") -> None:
        """Put in what the files give, under what the service itself says."""
        if "env_file" in service:
            self._environment((kind, name), service)
        if "label_file" in service:
            self._labels((kind, name), service)

    def _environment(self, where: Path, service: Map) -> None:
        own = section(service, "environment")
        made = Map(service.value_at("env_file"))
        files: Seq = service.pop("env_file")
        for index, (entry, at) in enumerate(files.pairs()):
            path: Path = (*where, "env_file", index)

            def lookup(key: str) -> str | None:
                known = self.project.get(key)
                known = own.get(key) if known is None else known
                return made.get(key) if known is None else known

            if entry.get("required") is False and not variables.exists(entry["path"]):
                continue
            raw = entry.get("format") == "raw"
            places: dict[str, Position] = {}
            found = variables.parse_file(
                entry["path"], lookup, self._missing, self.problems, at, path, self.root, raw=raw, places=places
            )
            for key, value in (found or {}).items():
                made[key] = value
                made.keys_at[key] = made.values_at[key] = places.get(key, at)
        for key, value in own.items():
            if value is not None or key not in made or self.as_compose:
                made.put(key, value, own)
        service["environment"] = made

    def _missing(self, name: str) -> str | ConfigRef:
        return ConfigRef(name) if not self.as_compose and CONFIG_NAME.fullmatch(name) else ""

    def _labels(self, where: Path, service: Map) -> None:
        own = section(service, "labels")
        made = Map(service.value_at("label_file"))
        files: Seq = service.pop("label_file")
        for index, (file, at) in enumerate(files.pairs()):
            path: Path = (*where, "label_file", index)
            found = variables.parse_file(file, lambda _: None, lambda _: "", self.problems, at, path, self.root)
            for key, value in (found or {}).items():
                made.put(key, value, files, index)
        for key, value in own.items():
            made.put(key, value, own)
        service["labels"] = made
