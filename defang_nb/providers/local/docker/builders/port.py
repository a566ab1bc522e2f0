"""The builder port: an image made from a context archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from defang_nb.build.log import Tell
from defang_nb.model.image import ImageSource


class Builder(Protocol):
    """Makes images."""

    async def build(self, source: ImageSource, context: Path, args: Mapping[str, str], emit: Tell) -> str:
        """Make `source.reference` from the archive at `context`; what tells the image for good (its id, or its digest).

        `args` are the source's with configuration put in. Cancelled, the build is ended first. Raises `BuildError` with the
        Dockerfile's line and the last lines of the log where a step failed, `ProviderError` where the engine did.
        """
        ...

    async def existing(self, source: ImageSource) -> str:
        """What `build` would give, if it is somewhere else than on the engine already (and is on the engine now); else ""."""
        ...
