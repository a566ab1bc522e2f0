"""What a project's services build: one image source for each distinct build, each with the manifest of its context."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from defang_nb.build.context import Manifest, manifest
from defang_nb.build.dockerfile import parse, read
from defang_nb.build.traits import traits
from defang_nb.errors import BuildError, ComposeError
from defang_nb.model.image import ImageSource, Traits
from defang_nb.model.project import Build, Project, Service
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.model.value import Text


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """One image to be built. `diagnostics` are warnings about its context."""

    source: ImageSource
    manifest: Manifest
    diagnostics: tuple[Diagnostic, ...] = ()
    for_builder = True

    @property
    def key(self) -> str:
        """Of its archive in the stack's store."""
        return self.source.context_key


class _Key(msgspec.Struct, frozen=True):
    """What tells two builds apart."""

    context: str
    dockerfile: str
    target: str
    args: tuple[tuple[str, Text], ...]
    platform: str
    inline: str = ""
    labels: tuple[tuple[str, str], ...] = ()


def prepare(
    project: Project,
    platform: str = "",
    *,
    without: Path | None = None,
    cache: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[Prepared]:
    """The images that `project`'s services need built, in the order of the services; equal builds are one image.

    `platform` is for services that name none; `without` is a file that is no part of any context; `cache` is a folder to keep
    file hashes in between runs.
    Raises `ComposeError` with every context or Dockerfile that is not there, and `BuildError` for a context that is too large.
    """
    wanted: dict[_Key, list[str]] = {}
    problems: list[Diagnostic] = []
    for service in project.services.values():
        if service.build is None:
            continue
        if found := list(_problems(project, service, service.build)):
            problems += found
            continue
        wanted.setdefault(_key(service, service.build, platform), []).append(service.name)
    if problems:
        raise ComposeError(problems[0].message, hint=problems[0].hint, diagnostics=problems)
    manifests: dict[tuple[str, str], Manifest] = {}
    prepared: list[Prepared] = []
    for key, services in wanted.items():
        place = (key.context, key.dockerfile)
        if place not in manifests:
            stamps = cache / f"{_digest(place)[:32]}.stamps" if cache else None
            inline = {key.dockerfile: key.inline} if key.inline else None
            manifests[place] = manifest(
                Path(key.context), key.dockerfile, inline=inline, without=without, cache=stamps, environ=environ
            )
        found_manifest = manifests[place]
        source = _source(project, key, tuple(services), found_manifest.digest)
        source = msgspec.structs.replace(source, traits=_traits(key))
        prepared.append(Prepared(source=source, manifest=found_manifest, diagnostics=found_manifest.diagnostics))
    return prepared


def dockerfile_of(build: Build) -> str:
    """The Dockerfile's path relative to the context: the one that is named, else `Dockerfile` if there is one, else "".

    One that the Compose file holds (`dockerfile_inline`) is put into the context under a name that tells its content.
    """
    if build.dockerfile_inline:
        return f".Dockerfile.{hashlib.sha256(build.dockerfile_inline.encode()).hexdigest()[:16]}"
    if build.dockerfile:
        named = build.dockerfile
        return os.path.relpath(named, build.context) if named.startswith("/") else os.path.normpath(named)
    return "Dockerfile" if (Path(build.context) / "Dockerfile").is_file() else ""


def is_inline(dockerfile: str) -> bool:
    """Whether a Dockerfile is no file of the context's folder, but was in the Compose file."""
    return re.fullmatch(r"\.Dockerfile\.[0-9a-f]{16}", dockerfile) is not None


def is_remote(context: str) -> bool:
    """Whether a context is an address (git, http) rather than a folder."""
    return "://" in context or context.startswith(("git@", "github.com/")) or context.endswith(".git")


def _source(project: Project, key: _Key, services: tuple[str, ...], digest: str) -> ImageSource:
    inputs = _digest((digest, key.dockerfile, key.target, key.args, key.platform, *([key.labels] if key.labels else [])))
    return ImageSource(
        reference=f"{project.name}/{_repository(project, key)}:{inputs[:32]}",
        digest=digest,
        context_key=f"contexts/{digest}.tar.gz",
        services=services,
        dockerfile=key.dockerfile,
        target=key.target,
        args=dict(key.args),
        platform=key.platform,
        labels=dict(key.labels),
    )


def _traits(key: _Key) -> Traits | None:
    """None for what is built without a Dockerfile, or with one that can't be read: its build says what is wrong with it."""
    args = {name: "".join(part for part in text if isinstance(part, str)) for name, text in key.args}
    if not key.dockerfile or is_remote(key.context):
        return None
    try:
        found = parse(key.inline) if key.inline else read(Path(key.context) / key.dockerfile)
    except BuildError:
        return None
    return traits(found, key.target, args)


def _repository(project: Project, key: _Key) -> str:
    """What the image is called: by what it is made from, and not by who uses it, so that another user changes nothing.

    The context's folder, and for builds that say more than that a few digits which tell them apart.
    """
    place = os.path.relpath(key.context, project.working_dir) if project.working_dir else key.context
    inside = not place.startswith(("..", "/"))
    name = re.sub(r"[^a-z0-9]+", "-", (place if inside else Path(place).name).lower()).strip("-") or "app"
    dockerfile = "inline" if key.inline else key.dockerfile
    usual = inside and dockerfile in ("", "Dockerfile") and not (key.target or key.args or key.platform or key.labels)
    told = (place, dockerfile, key.target, key.args, key.platform, *([key.labels] if key.labels else []))
    return name if usual else f"{name}-{_digest(told)[:6]}"


def _key(service: Service, build: Build, platform: str) -> _Key:
    wanted = service.platform or next(iter(build.platforms), "") or platform
    args, labels = tuple(sorted(build.args.items())), tuple(sorted(build.labels.items()))
    place = os.path.normpath(build.context)
    return _Key(place, dockerfile_of(build), build.target, args, wanted, build.dockerfile_inline, labels)


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()


def _problems(project: Project, service: Service, build: Build) -> Iterator[Diagnostic]:
    """What of a build can be seen to be wrong before anything is read."""
    place = f"services.{service.name}.build"

    def problem(path: str, code: str, message: str, hint: str) -> Diagnostic:
        position = project.position(path)
        return Diagnostic(
            severity=Severity.ERROR, code=code, message=message, hint=hint, position=position, path=path, service=service.name
        )

    if is_remote(build.context):
        message = f"service {service.name}: the build context {build.context} is not a folder; remote contexts can't be built"
        yield problem(f"{place}.context", "context-remote", message, "clone it and name the folder")
        return
    context = Path(build.context)
    if not context.is_dir():
        what = "is not a folder" if context.exists() else "does not exist"
        message = f"service {service.name}: the build context {context} {what}"
        yield problem(f"{place}.context", "context-missing", message, "build.context is relative to the Compose file")
        return
    dockerfile = dockerfile_of(build)
    if dockerfile.startswith(".."):
        message = f"service {service.name}: the Dockerfile {build.dockerfile} is outside of the build context {context}"
        yield problem(f"{place}.dockerfile", "dockerfile-outside", message, "move it into the context, or widen the context")
    elif dockerfile and not build.dockerfile_inline and not (context / dockerfile).is_file():
        message = f"service {service.name}: there is no {dockerfile} in the build context {context}"
        yield problem(f"{place}.dockerfile", "dockerfile-missing", message, "build.dockerfile is relative to the context")
