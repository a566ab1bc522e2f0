"""What of a build can't be done (errors) or is left out (warnings) without a container engine; known before anything starts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from defang_nb.errors import BuildError
from defang_nb.model.excerpt import excerpt
from defang_nb.model.project import Project, Service
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.providers.local.process.images.compile import compile_context, symbolic
from defang_nb.providers.local.process.images.files import matching
from defang_nb.providers.local.process.images.image import BuiltImage, ImageKind, command_of
from defang_nb.providers.local.process.images.machine import Machine, look
from defang_nb.providers.local.process.images.paths_in_code import container_paths
from defang_nb.providers.local.process.images.recipe import WAY_OUT
from defang_nb.providers.local.process.images.steps import CONTEXT, Copy, Recipe

# Servers and runtimes that come with other images or system packages, never with a wheel or a node package.
_FOREIGN = frozenset((
    "apache2", "apache2ctl", "apachectl", "bundle", "bun", "caddy", "cargo", "deno", "dotnet", "go", "httpd", "java",
    "mix", "mysqld", "nginx", "ollama", "php", "php-fpm", "rails", "ruby", "supervisord",
))  # fmt: skip


Scanned = dict[tuple[Path, tuple[str, ...]], list[Diagnostic]]
"""What was found in the code of contexts: services that share one have it read once."""


def check(
    project: Project,
    service: Service,
    context: Path,
    dockerfile: str,
    machine: Machine | None = None,
    scanned: Scanned | None = None,
) -> list[Diagnostic]:
    """Findings about `service.build` with that context folder and Dockerfile (relative to it; "": detect). It only reads.

    `scanned` is kept by the caller from one service of a project to the next.
    """
    if service.build is None:
        return []
    file = _shown(context / dockerfile, project) if dockerfile else ""
    args = symbolic(service.build.args)
    try:
        recipe = compile_context(context, dockerfile, service.build.target, args, machine or look(), file)
    except BuildError as error:
        found = error.diagnostics or (
            Diagnostic(severity=Severity.ERROR, code="dockerfile", message=error.message, hint=error.hint),
        )
        return [_named(each, project, service) for each in found]
    findings = [*recipe.diagnostics]
    if not recipe.errors:
        findings += _missing_sources(recipe, context, file)
        findings += _command(recipe, service, file)
        config = recipe.stages[-1].config
        scanned = {} if scanned is None else scanned
        place = (context, (config.workdir, *config.volumes))
        if place not in scanned:
            scanned[place] = list(container_paths(*place, Path(_shown(context, project))))
        findings += scanned[place]
    return [_named(each, project, service) for each in findings]


def _missing_sources(recipe: Recipe, context: Path, file: str) -> Iterator[Diagnostic]:
    """COPY sources that the context does not have."""
    for stage in recipe.stages:
        for step in stage.steps:
            copies = [task.action for task in step.tasks if isinstance(task.action, Copy) and task.action.stage == CONTEXT]
            for source in (each for action in copies for each in action.sources):
                if not re.search(r"[*?\[]", source) and not matching(context, source):
                    yield Diagnostic(
                        severity=Severity.ERROR,
                        code="copy-missing",
                        message=f"there is no {source} in the build context {context}",
                        position=Position(file, step.line) if step.line else None,
                        excerpt=excerpt(step.title, 1),
                    )


def _command(recipe: Recipe, service: Service, file: str) -> Iterator[Diagnostic]:
    """Whether there is a command, and whether its program can be here."""
    if recipe.kind is ImageKind.STATIC or service.static_files is not None:
        return
    stage = recipe.stages[-1]
    image = BuiltImage(root="/", entrypoint=stage.config.entrypoint, cmd=stage.config.cmd)
    words = command_of(image, service.entrypoint, service.command)
    position = Position(file, stage.steps[0].line) if file and stage.steps else None
    if not words:
        message = "nothing says which command to run: no CMD or ENTRYPOINT, no command in the Compose file"
        if recipe.detected:
            message = f"{recipe.detected}, but nothing that says which command to run"
        hint = "add a CMD, a Procfile with a `web:` line, or `command:` in the Compose file"
        yield Diagnostic(severity=Severity.ERROR, code="command-missing", message=message, hint=hint, position=position)
        return
    program = _program(words)
    if program in _FOREIGN and not shutil.which(program):
        message = f"the command runs {program}, which is not on this machine and comes with no package of the image"
        yield Diagnostic(severity=Severity.ERROR, code="program-missing", message=message, hint=WAY_OUT, position=position)


def _program(words: list[str]) -> str:
    """The name of the program that a command ends up in; of `sh -c` the first word after an `exec`, or of the line."""
    if len(words) > 2 and words[1] == "-c":
        match = re.search(r"\bexec\s+(\S+)", words[2]) or re.match(r"\s*(\S+)", words[2])
        return PurePosixPath(match[1]).name if match else ""
    return PurePosixPath(words[0]).name


def _named(diagnostic: Diagnostic, project: Project, service: Service) -> Diagnostic:
    """The finding with its service; without a place of its own it stands where the service's build does."""
    path = f"services.{service.name}.build"
    return msgspec.structs.replace(
        diagnostic,
        message=f"service {service.name}: {diagnostic.message}",
        service=service.name,
        path=path,
        position=diagnostic.position or project.position(path),
    )


def _shown(path: Path, project: Project) -> str:
    """A path as people know it: relative to the project where that is shorter."""
    root = Path(project.working_dir) if project.working_dir else None
    return str(path.relative_to(root)) if root and path.is_relative_to(root) else str(path)
