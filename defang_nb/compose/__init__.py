"""Compose text → `model.Project`: everything resolved, every problem with its file, line and column."""

from __future__ import annotations

from defang_nb.compose.assemble import Source
from defang_nb.compose.discover import discover
from defang_nb.compose.load import Loaded, load

__all__ = ["Loaded", "Source", "discover", "load"]
