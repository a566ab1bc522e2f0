"""What a client asks of cd: one deployment of one project."""

from __future__ import annotations

import secrets
import time

import msgspec

from defang_nb.model.events import Kind
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.source import Diagnostic
from defang_nb.model.stack import Stack

PROTOCOL = 1
"""The version of the contract between client and cd (`proto/defang_nb/cd/v1/cd.proto`); compatible additions keep it."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no letter that looks like a digit."""


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`deployment` is chosen by the client (`new_id`), so that asking again after a lost reply is harmless.

    `build`: make images even where they exist. `dry_run`: end with the plan. `yes`: consent to delete what is protected.
    `wait_timeout`: seconds for the whole deployment. `lease_wait`: seconds to wait for another deployment of the project to end
    (0: give up at once). `diagnostics`: what the workspace found; they become part of the story.
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
    protocol: int = PROTOCOL


def new_id(now: float | None = None) -> str:
    """Ten characters that sort by the second they were made in; the last three are random."""
    number, letters = int(time.time() if now is None else now), ""
    for _ in range(7):
        number, digit = divmod(number, 32)
        letters = _ALPHABET[digit] + letters
    return letters + "".join(secrets.choice(_ALPHABET) for _ in range(3))
