"""What a client asks of cd: one deployment of one project."""

from __future__ import annotations

import os.path
import secrets
import time

import msgspec

from defang_nb.model.events import Kind, ServiceInfo
from defang_nb.model.image import ImageSource
from defang_nb.model.plan import Plan
from defang_nb.model.project import Project, Service
from defang_nb.model.source import Diagnostic
from defang_nb.model.stack import Stack

PROTOCOL = 2
"""The version of the contract between client and cd (`proto/defang_nb/cd/v1/cd.proto`); compatible additions keep it."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that looks like a digit."""


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`deployment` is chosen by the client (`new_id`), so that asking again after a lost reply is harmless.

    `build`: make images even where they exist. `dry_run`: end with the plan. `yes`: consent to delete what is protected.
    `wait_timeout`: seconds for the whole deployment. `lease_wait`: seconds to wait for another deployment of the project to end
    (0: give up at once). `diagnostics`: what the workspace found; they become part of the story. `rollback_of`: the earlier
    deployment whose project and images these are. `expected`: the plan that was agreed to; any other is refused.
    `uploading`: keys of archives that are not in the store yet, and on their way there.

    With `Kind.DOWN`: `orphans` deletes what is live and no record knows, and nothing else.
    With `Kind.REFRESH`: `repair` makes a damaged record readable again, `accept` records what is live and not as recorded.
    """

    deployment: str
    kind: Kind
    stack: Stack
    project: Project
    images: tuple[ImageSource, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    build: bool = False
    dry_run: bool = False
    yes: bool = False
    wait_timeout: float | None = None
    lease_wait: float = 0.0
    by: str = ""
    rollback_of: str = ""
    repair: bool = False
    accept: bool = False
    orphans: bool = False
    expected: Plan | None = None
    uploading: tuple[str, ...] = ()
    protocol: int = PROTOCOL


def new_id(now: float | None = None) -> str:
    """Eleven characters that sort by the millisecond they were made in; the last two are random."""
    number, letters = int(1000 * (time.time() if now is None else now)), ""
    for _ in range(9):
        number, digit = divmod(number, 32)
        letters = _ALPHABET[digit] + letters
    return letters + "".join(secrets.choice(_ALPHABET) for _ in range(2))


def introduce(project: Project) -> tuple[ServiceInfo, ...]:
    """The project's services as a view introduces them, in the project's order."""
    return tuple(
        ServiceInfo(
            name=service.name,
            what=_what(service, project),
            managed=service.managed.kind.value if service.managed else "",
            replicas=service.replicas,
            depends_on=tuple(service.depends_on),
        )
        for service in project.services.values()
    )


def _what(service: Service, project: Project) -> str:
    if service.static_files:
        return f"static files in {_short(service.static_files.folder, project)}"
    if service.build:
        return f"build {_short(service.build.context, project)}"
    return service.image


def _short(path: str, project: Project) -> str:
    """A folder as its Compose file would name it."""
    if not (path.startswith("/") and project.working_dir):
        return path
    relative = os.path.relpath(path, project.working_dir)
    return path if relative.startswith("..") else "." if relative == "." else f"./{relative}"
