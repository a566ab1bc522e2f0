"""How much one load may come to, so that a few lines, or a strange file, can't fill the memory or take minutes.

All of it is far above what people write: ten thousand services with thirty lines each are 700,000 values.
"""

from __future__ import annotations

from typing import Final

from defang_nb.compose.nodes import Map, Node, Seq

COMPOSE_FILE: Final = 32 << 20
"""Bytes of one Compose file."""
ENV_FILE: Final = 8 << 20
"""Bytes of one env or label file; an operating system takes less than that as an environment."""
PIPE_SECONDS: Final = 5.0
"""How long a pipe that is named as a file may say nothing."""
DEPTH: Final = 100
"""Mappings and lists in each other."""
INCLUDE_DEPTH: Final = 50
FILES: Final = 3000
"""Files that are included or extended in one load."""
DOCUMENTS: Final = 2000
"""Documents in one file."""
FOUND: Final = 1000
"""Findings of each severity: nobody reads more."""
WRITTEN: Final = 2_000_000
"""Values in all texts together."""
DERIVED: Final = 1_000_000
"""What aliases, `extends`, port ranges and variables may make of them, and four times what is written besides."""
FILLED: Final = 8 << 20
"""Characters of one string with its variables put in."""

PER_MAPPING: Final = 6
PER_SCALAR: Final = 2
PER_PORT: Final = 5
CHARACTERS: Final = 32
"""So many characters count as one value."""


def weight(node: Node, most: int) -> int:
    """How many values `node` holds; not counted further than to `most`."""
    total, open_ = 0, [node]
    while open_ and total < most:
        total += 1
        each = open_.pop()
        if isinstance(each, Map):
            open_ += each.values()
        elif isinstance(each, Seq):
            open_ += each
    return total
