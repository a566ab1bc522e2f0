"""How long things usually take on AWS: `times.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

from defang_nb.model.pace import Usual


@cache
def usual() -> Mapping[str, Usual]:
    """By the type of resource."""
    return msgspec.toml.decode(files(__package__).joinpath("times.toml").read_bytes(), type=dict[str, Usual])
