"""A stack: a named place to deploy to, kept as a dotenv file `.defang/<name>` (the format of the Defang CLI)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

STACK_NAME = re.compile(r"^[a-z][a-z0-9]*$")


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """`settings` are the file's further keys, as they stand (`AWS_REGION`, `DEFANG_MODE`, `DEFANG_ENGINE` …)."""

    name: str = "local"
    provider: str = "local"
    settings: Mapping[str, str] = {}


LOCAL = Stack()
"""The built-in default: this machine, with nothing installed."""
