"""Builds an image: unpack the context, carry out the recipe's steps in a temporary folder, rename it into place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from defang_nb.model.image import ImageSource
from defang_nb.providers.local.process.images.image import BuiltImage


class EmitLine(Protocol):
    """A line of the build's log; `step` of `steps` when it begins one (else 0), `cached` when nothing had to be done."""

    def __call__(self, line: str, step: int = 0, steps: int = 0, cached: bool = False) -> None: ...


class ImageBuilder:
    """Makes images below `images` (a stack's folder for them); what is costly is kept beside them and used again."""

    def __init__(self, images: Path) -> None:
        self.images = images

    async def build(
        self,
        source: ImageSource,
        archive: Path,
        emit_line: EmitLine,
        *,
        args: Mapping[str, str],
        exclude_newer: str = "",
    ) -> BuiltImage:
        """Build `source` from its context `archive` into `folder(source.reference)`; what is there already is given at once.

        `args` are the build arguments with configuration values resolved; `exclude_newer` is uv's cut-off date for packages.
        Raises `BuildError` with the Dockerfile's line and the last lines of the log. Cancelling ends the running child.
        """
        raise NotImplementedError

    def folder(self, reference: str) -> Path:
        """Where the image of that reference is, or will be: `image.load(folder)` gives it."""
        return self.images / reference.replace("/", "_").replace(":", "-")
