"""Folders of static files, as a stack that is elsewhere gets them: packed like build contexts, and told by their digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from defang_nb.build.context import Manifest, digest_of, manifest
from defang_nb.build.image import is_remote
from defang_nb.errors import ComposeError
from defang_nb.model.project import Project, Service, StaticFiles
from defang_nb.model.source import Diagnostic, Severity

_KNOWN = ".well-known"
"""The one hidden folder that is meant to be read by everybody (RFC 8615)."""
_INDEX = "index.html"


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One folder, whose archive's key in the stack's store is `key`. `diagnostics` are warnings about it."""

    key: str
    manifest: Manifest
    diagnostics: tuple[Diagnostic, ...] = ()
    for_builder = False


def packed(
    project: Project,
    *,
    without: Path | None = None,
    cache: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Project, list[Site]]:
    """The project with its static files told by digest, and their folders; the arguments are those of `image.prepare`.

    A service with a build too is served from its context, and is not built, where the folder is there; else it is in the image.
    What a build context would leave out is left out, and hidden files with it, as everybody can read the others.
    Raises `ComposeError` with every folder that is not there or empty, and `BuildError` for one that is too large.
    """
    sites: dict[str, Site] = {}
    services = dict(project.services)
    problems: list[Diagnostic] = []
    for service in project.services.values():
        if (files := service.static_files) is None:
            continue
        folder = folder_of(project, service)
        if service.build is not None and (folder is None or not folder.exists()):
            continue  # it is in what the build makes
        found = _read(folder, without, cache, environ) if folder is not None and folder.is_dir() else None
        if found is None or not any(each.kind == "file" for each in found.entries):
            problems.append(_problem(project, service, files, folder))
            continue
        key = f"contexts/site-{found.digest}.tar.gz"
        sites[key] = Site(key=key, manifest=found, diagnostics=(*found.diagnostics, *_without_index(project, service, found)))
        files = msgspec.structs.replace(files, folder=str(folder), digest=found.digest, key=key)
        services[service.name] = msgspec.structs.replace(service, static_files=files, build=None)
    if problems:
        raise ComposeError(problems[0].message, hint=problems[0].hint, diagnostics=problems)
    return msgspec.structs.replace(project, services=services), list(sites.values())


def folder_of(project: Project, service: Service) -> Path | None:
    """Where the files are on this machine; None where only a build could make them."""
    if service.build is None:
        return Path(project.site_folder(service))
    folder = project.site_folder(service)
    if is_remote(service.build.context) or Path(folder).is_absolute():
        return None
    return Path(os.path.normpath(Path(service.build.context, folder)))


def _read(folder: Path, without: Path | None, cache: Path | None, environ: Mapping[str, str] | None) -> Manifest:
    stamps = cache / f"{hashlib.sha256(f'site {folder}'.encode()).hexdigest()[:32]}.stamps" if cache else None
    found = manifest(folder, without=without, cache=stamps, environ=environ)
    entries = tuple(each for each in found.entries if public(each.path))
    return msgspec.structs.replace(found, entries=entries, digest=digest_of(entries))


def public(path: str) -> bool:
    """Whether everybody may read it: nothing of it is hidden."""
    return all(part == _KNOWN or not part.startswith(".") for part in path.split("/"))


def _without_index(project: Project, service: Service, found: Manifest) -> Iterator[Diagnostic]:
    if not any(each.path == _INDEX for each in found.entries):
        path = f"services.{service.name}.x-defang-static-files"
        yield Diagnostic(
            severity=Severity.WARNING,
            code="site-index",
            message=f"service {service.name}: there is no {_INDEX} in {found.context}, so its address alone is not found",
            hint="name the folder that has it",
            position=project.position(f"{path}.folder"),
            path=path,
            service=service.name,
        )


def _problem(project: Project, service: Service, files: StaticFiles, folder: Path | None) -> Diagnostic:
    path = f"services.{service.name}.x-defang-static-files"
    message = f"service {service.name}: the folder {folder or files.folder} "
    if folder is not None and folder.is_dir():
        message += "holds no files that everybody may read"
        hint = "hidden files, and what a .dockerignore in it leaves out, are not uploaded"
    else:
        message += "is not a folder" if folder is not None and folder.exists() else "does not exist"
        hint = "it is relative to the Compose file"
    return Diagnostic(
        severity=Severity.ERROR,
        code="site-folder",
        message=message,
        hint=hint,
        position=project.position(f"{path}.folder"),
        path=path,
        service=service.name,
    )
