"""Compose text → `Loaded`: the typed project, its canonical form, and what there is to say about it.

The order of the stages is the reference's (compose-go). Every stage notes what it finds and goes on with what is sound, so
that one load tells of all problems.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from defang_nb.compose import finish, typed, variables
from defang_nb.compose.assemble import Assembler, Source, set_build_context
from defang_nb.compose.canonical import canonical
from defang_nb.compose.consistency import Checker
from defang_nb.compose.discover import discover
from defang_nb.compose.extensions import extensions
from defang_nb.compose.likely_secrets import warn_of_secrets
from defang_nb.compose.names import project_name
from defang_nb.compose.nodes import Map, split
from defang_nb.compose.problems import Problems
from defang_nb.compose.selection import active, drop_inactive_jobs, drop_unused, forget_others, select
from defang_nb.compose.service_files import ServiceFiles
from defang_nb.errors import ComposeError, NotFoundError
from defang_nb.model.project import Project
from defang_nb.model.source import Diagnostic


@dataclass(frozen=True)
class Loaded:
    """`canonical` is what `docker compose config` prints; `diagnostics` are the warnings; `typed` makes the project."""

    typed: Callable[[], Project]
    canonical: dict[str, Any]
    diagnostics: tuple[Diagnostic, ...]
    problems: Problems

    @cached_property
    def project(self) -> Project:
        """The typed project, made when it is first asked for: printing the canonical form needs none."""
        with _no_collection():
            return self.typed()

    def quoted(self, findings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """`findings` about the project, of others, with the lines of its texts that they are about."""
        return tuple(
            each if each.excerpt else replace(each, excerpt=self.problems.excerpt(each.position, split(each.path)))
            for each in findings
        )


@dataclass(frozen=True)
class Options:
    """How to load; see `load`."""

    start: Path
    working_dir: Path
    project_name: str | None
    env_files: Sequence[Path]
    profiles: Sequence[str]
    services: Sequence[str]
    environ: Mapping[str, str]
    as_compose: bool
    stack: str
    provider: str
    interpolate: bool
    all_resources: bool


def load(
    sources: Sequence[Source | Path] | None,
    *,
    working_dir: Path,
    project_name: str | None = None,
    env_files: Sequence[Path] = (),
    profiles: Sequence[str] = (),
    services: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    as_compose: bool = False,
    stack: str = "local",
    provider: str = "local",
    interpolate: bool = True,
    all_resources: bool = False,
) -> Loaded:
    """Load a project from `sources` (None: the files that `discover` finds from `working_dir`, or COMPOSE_FILE names).

    Relative paths start at `working_dir`, or at the discovered files' folder. Variables come from `.env`, `.env.<provider>`,
    `.env.<stack>` and `env_files`, but not from the process (`environ`; only COMPOSE_… of it); an unset one in a service's
    environment or build arguments is a `ConfigRef`, elsewhere an error. With `as_compose` all is as `docker compose` does it.
    With `interpolate` off, variables are left as they stand: `canonical` has all services, and `project` none.
    `all_resources` keeps networks, volumes, configs and secrets that no service uses.

    Raises ComposeError with every problem found, NotFoundError when there is no Compose file.
    """
    given = os.environ if environ is None else environ
    folder = Path(os.path.normpath(working_dir.absolute()))
    start = folder
    env_files = [folder / each for each in env_files or given.get("COMPOSE_ENV_FILES", "").split(",") if str(each)]
    if sources is None:
        sources = _named(given, folder, env_files) or list(discover(folder))
        folder = sources[0].parent
    options = Options(
        start,
        folder,
        project_name,
        env_files,
        profiles,
        services,
        given,
        as_compose,
        stack,
        provider,
        interpolate,
        all_resources,
    )
    with _no_collection():
        return _Load(options).run(sources)


class _Load:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.problems = Problems()
        self.root = str(options.working_dir)

    def run(self, sources: Sequence[Source | Path]) -> Loaded:
        options, problems = self.options, self.problems
        project, seen, model = self._assemble(sources)
        set_build_context(model, self.root)
        finish.resolve_environment(model, seen, problems, as_compose=options.as_compose)
        finish.normalise(model, project)
        if not options.interpolate:
            problems.raise_errors()
            return self._loaded(model, project, lambda: Project(name=project, services={}))
        wanted = options.services
        profiles = options.profiles or _profiles(seen)
        on = active(model, profiles, wanted)
        drop_inactive_jobs(model, profiles)
        # The reference checks, and reads the files of, all that profiles turn on, before it looks at the names asked for.
        checked = active(model, profiles) if options.as_compose else on
        Checker(model, checked, problems, strict=not options.as_compose).check()
        files = ServiceFiles(seen, problems, self.root, as_compose=options.as_compose)
        for name, service in checked.items():
            files.resolve(name, service)
        on = self._select(model, on, checked)
        for name, service in on.items():
            if name not in checked:
                files.resolve(name, service)
            if not options.as_compose:
                finish.to_config(service, name, problems)
        for name, job in finish.section(model, "jobs").items():
            files.resolve(name, job, "jobs")
            if not options.as_compose:
                finish.to_config(job, name, problems, "jobs")
        every = finish.section(model, "services")
        for name in [name for name in every if name not in on]:
            del every[name]
        # Compose itself knows no extensions: with `as_compose` none is refused, or warned of.
        extended = extensions(model, Problems(sys.maxsize) if options.as_compose else problems)
        if not options.as_compose:
            warn_of_secrets(model, problems)
        problems.raise_errors()
        if not options.all_resources:
            drop_unused(model)
        names = tuple(each.name if isinstance(each, Source) else str(each.absolute()) for each in sources)
        return self._loaded(model, project, partial(typed.project, model, project, self.root, names, extended))

    def _select(self, model: Map, on: dict[str, Map], checked: Mapping[str, Map]) -> dict[str, Map]:
        wanted = self.options.services
        selected = select(on, wanted, self.problems)
        if self.options.as_compose:
            Checker(model, on, self.problems, strict=False).check_dependencies(each for each in selected if each not in checked)
        if wanted:
            forget_others(selected)
        return selected

    def _assemble(self, sources: Sequence[Source | Path]) -> tuple[str, dict[str, str], Map]:
        """The project's name, the variables, and the model of all files."""
        options, problems = self.options, self.problems
        seen = self._variables()
        home = options.environ.get("HOME") or str(Path.home())
        assembler = Assembler(
            problems,
            seen,
            self.root,
            home,
            self.root,
            options.as_compose,
            options.interpolate,
            tuple(str(each.absolute()) for each in sources if isinstance(each, Path)),
        )
        documents = assembler.read([text for each in sources if (text := self._source(each)) is not None])
        flat = [document for _, found in documents for document in found]
        filler = assembler.filler if options.interpolate else None
        name = project_name(options.project_name, seen, flat, self.root, problems, filler, as_compose=options.as_compose)
        seen["COMPOSE_PROJECT_NAME"] = name
        return name, seen, assembler.model(documents)

    def _variables(self) -> dict[str, str]:
        options = self.options
        explicit = [str(each) for each in options.env_files]
        names = (
            [".env"]
            if options.as_compose
            else list(dict.fromkeys((".env", f".env.{options.provider}", f".env.{options.stack}")))
        )
        folders = dict.fromkeys((options.working_dir, options.start))  # that where one is wins
        conventional = [str(folder / name) for folder in folders for name in names]
        if self._no_env_file() or (options.as_compose and explicit):
            conventional = []
        return variables.of_project(
            options.environ, explicit, conventional, self.problems, self.root, as_compose=options.as_compose
        )

    def _no_env_file(self) -> bool:
        said = self.options.environ.get("COMPOSE_DISABLE_ENV_FILE")
        if said is not None and said not in _TRUE + _FALSE:
            known = f"known here: {', '.join(_TRUE + _FALSE)}"
            self.problems.error("wrong-variable", f'COMPOSE_DISABLE_ENV_FILE is "{said}", which is no boolean', None, (), known)
        return said in _TRUE

    def _source(self, source: Source | Path) -> Source | None:
        if isinstance(source, Source):
            return source
        file = str(source.absolute())
        text = variables.read_text(file, self.problems, None, (), what="the Compose file")
        return None if text is None else Source(variables.display(file, self.root), text)

    def _loaded(self, model: Map, project: str, make: Callable[[], Project]) -> Loaded:
        made = canonical(model, project, escape=self.options.interpolate)
        return Loaded(make, made, self.problems.warnings(), self.problems)


_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("0", "f", "F", "false", "FALSE", "False")
"""Booleans in variables of the environment."""


def _named(environ: Mapping[str, str], folder: Path, env_files: Sequence[Path]) -> list[Path]:
    """The files that COMPOSE_FILE names, in the environment or in `folder`'s env files."""
    seen = environ
    if "COMPOSE_FILE" not in environ and environ.get("COMPOSE_DISABLE_ENV_FILE") not in _TRUE:
        files = [str(each) for each in env_files or [folder / ".env"]]
        seen = variables.of_project(environ, (), files, Problems(), str(folder), as_compose=True)
    separator = seen.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return [Path(os.path.normpath(folder / name)) for name in seen.get("COMPOSE_FILE", "").split(separator) if name]


def _profiles(seen: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in seen.get("COMPOSE_PROFILES", "").split(",")]


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection while the many small values of a large file are made (it would take a third of the time)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


__all__ = ["ComposeError", "Loaded", "NotFoundError", "Source", "discover", "load"]
