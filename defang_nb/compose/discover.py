"""Finding the Compose files of a folder: its own, or those of the nearest folder above that has some."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from defang_nb.errors import NotFoundError

NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES: Final = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


def discover(start: Path) -> list[Path]:
    """The Compose file for `start`, and its override if there is one beside it. Raises NotFoundError."""
    start = start.absolute()
    for folder in (start, *start.parents):
        found = next((folder / name for name in NAMES if (folder / name).is_file()), None)
        if found:
            override = next((folder / name for name in OVERRIDES if (folder / name).is_file()), None)
            return [found, override] if override else [found]
    raise NotFoundError(
        f"there is no Compose file in {start} or a folder above it",
        hint=f"name a file, or write one called {NAMES[0]}",
    )
