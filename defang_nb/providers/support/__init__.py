"""What each engine makes of each path of a Compose file: one table of data an engine, and the reader of it.

`<engine>.toml` beside this file is all that an engine's code and its documentation know of what it honours, in the words that
people read; `docs/compose-support.md` is made from it. A path has `*` for a name and `[*]` for an item of a list
(`services.*.ports[*].protocol`), and speaks for all below it that has no entry of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from defang_nb.model.project import Project
from defang_nb.model.source import Diagnostic, Severity

FOLDER = Path(__file__).parent


class Verdict(StrEnum):
    """HONOURED: as Compose means it. MOOT: nobody misses it here. IGNORED: left out, with a warning. REFUSED: an error."""

    HONOURED = "honoured"
    MOOT = "moot"
    IGNORED = "ignored"
    REFUSED = "refused"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exception at `path` that only the engine's own code can see; `code` is the name it is found by.

    `says` and `hint` may have {placeholders}, which that code fills in (`{way_out}` is the table's).
    """

    path: str
    code: str
    level: Severity
    says: str
    hint: str = ""


class Support(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One engine's table. Each verdict maps paths to what is said of them: how it differs, or why it isn't honoured.

    `unless` has the values of an ignored or refused path that ask for nothing (besides empty ones); `hints` has the way out of
    it; a refusal without one has `way_out`.
    """

    title: str
    way_out: str
    honoured: Mapping[str, str]
    moot: Mapping[str, str] = {}
    ignored: Mapping[str, str] = {}
    refused: Mapping[str, str] = {}
    unless: Mapping[str, tuple[Any, ...]] = {}
    hints: Mapping[str, str] = {}
    cases: tuple[Case, ...] = ()

    @cached_property
    def rows(self) -> Mapping[str, tuple[Verdict, str]]:
        """Every entry: its verdict and what is said of it."""
        parts = zip(Verdict, (self.honoured, self.moot, self.ignored, self.refused), strict=True)
        return {path: (verdict, says) for verdict, part in parts for path, says in part.items()}

    @cached_property
    def by_code(self) -> Mapping[str, Case]:
        """The cases by their code."""
        return {case.code: case for case in self.cases}

    def verdict(self, path: str) -> tuple[Verdict, str] | None:
        """What the table says of `path`: its own entry, else that of the nearest path above it."""
        while path and path not in self.rows:
            path = _above(path)
        return self.rows.get(path)

    def findings(self, project: Project) -> Iterator[Diagnostic]:
        """A diagnostic for everything that stands in `project` and is ignored or refused here, each at its place."""
        rules = self._rules
        for path in project.positions:
            for rule in rules.get(path[path.rfind(".") + 1 :], ()):
                section, owner, inside = _located(project, path)
                if rule.section == section and rule.pattern.fullmatch(inside):
                    value = _value(project, section, owner, inside)
                    if not _is_nothing(value) and value not in self.unless.get(rule.path, ()):
                        yield self._finding(rule, project, path, owner)

    @cached_property
    def _rules(self) -> Mapping[str, list[_Rule]]:
        """What is ignored or refused, by the last key of its path (or the section that it is)."""
        found: dict[str, list[_Rule]] = {}
        for path in (*self.ignored, *self.refused):
            section, _, inside = path.partition(".*.")
            wild = re.escape(inside).replace(r"\[\*\]", r"\[\d+\]").replace(r"\*", ".+")
            found.setdefault(path[path.rfind(".") + 1 :], []).append(_Rule(path, section, re.compile(wild)))
        return found

    def _finding(self, rule: _Rule, project: Project, path: str, owner: str) -> Diagnostic:
        refused = rule.path in self.refused
        service = owner if rule.section == "services" else ""
        shown = path.removeprefix(f"services.{owner}.") if service else path
        whose = f"service {service}: " if service else ""
        what = f"{shown} can't be honoured" if refused else f"{shown} is ignored"
        return Diagnostic(
            severity=Severity.ERROR if refused else Severity.WARNING,
            code="unsupported" if refused else "ignored",
            message=f"{whose}{what}: {(self.refused if refused else self.ignored)[rule.path]}",
            hint=self.hints.get(rule.path, self.way_out if refused else ""),
            position=project.position(path),
            path=path,
            service=service,
        )

    def told(self, project: Project, code: str, service: str, *places: str, **words: object) -> Diagnostic:
        """The case `code`, found at the first of `places` (inside of the service) that stands in the file."""
        case = self.by_code[code]
        owner = f"services.{service}"
        paths = [f"{owner}.{place}" if place else owner for place in places]
        path = next((each for each in paths if each in project.positions), paths[0])
        filled = {"way_out": self.way_out, **words}
        return Diagnostic(
            severity=case.level,
            code=code,
            message=f"service {service}: {case.says.format(**filled)}",
            hint=case.hint.format(**filled),
            position=project.position(path),
            path=path,
            service=service,
        )


class _Rule(NamedTuple):
    """`section` is the top level's key; `pattern` is what stands in one of its members (of `jobs` alone: nothing)."""

    path: str
    section: str
    pattern: re.Pattern[str]


_UNKNOWN: Final = object()


@cache
def support(engine: str) -> Support:
    """The table of `engine`. Raises FileNotFoundError when there is none, msgspec.ValidationError for one that is none."""
    return msgspec.toml.decode(FOLDER.joinpath(f"{engine}.toml").read_bytes(), type=Support)


def engines() -> list[str]:
    """Those that have a table."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def _above(path: str) -> str:
    """The path that `path` is in: `a.*.b[*]` → `a.*.b` → `a.*` → `a` → ``."""
    return path.removesuffix("[*]") if path.endswith("[*]") else path.rpartition(".")[0]


def _located(project: Project, path: str) -> tuple[str, str, str]:
    """The section, the member's name (which may have dots in it) and what is inside of it."""
    section, _, rest = path.partition(".")
    dots = [index for index, letter in enumerate(rest) if letter == "."] if section == "services" else []
    name = next((rest[:dot] for dot in reversed(dots) if rest[:dot] in project.services), rest.partition(".")[0])
    return section, name, rest[len(name) + 1 :]


def _value(project: Project, section: str, owner: str, inside: str) -> Any:
    """The canonical value there; _UNKNOWN where the project has it in typed form only, below the first level."""
    service = project.services.get(owner) if section == "services" else None
    if service is not None and "." not in inside and hasattr(service, inside):
        return getattr(service, inside)
    part = project.rest.get(section, {})
    value: Any = service.rest if service is not None else part.get(owner, {}) if owner else part
    for key in re.findall(r"[^.\[\]]+", inside):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return _UNKNOWN
    return value


def _is_nothing(value: Any) -> bool:
    return value is None or value is False or value == "" or value in ([], (), {})
