"""A project folder to load Compose text in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from defang_nb.compose import Loaded, Source, load
from defang_nb.errors import ComposeError
from defang_nb.model.source import Diagnostic


class Folder:
    """A fresh project folder; nothing of the real environment is seen."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def load(self, text: str, *more: str, **options: Any) -> Loaded:
        """Load `text`, and `more` texts over it, as compose.yaml, over1.yaml, …"""
        sources = [Source("compose.yaml", text), *(Source(f"over{index}.yaml", each) for index, each in enumerate(more, 1))]
        return load(sources, working_dir=self.path, **{"environ": {"HOME": "/home/u"}, **options})

    def services(self, text: str, *more: str, **options: Any) -> dict[str, Any]:
        services: dict[str, Any] = self.load(text, *more, **options).canonical["services"]
        return services

    def refused(self, text: str, *more: str, **options: Any) -> Sequence[Diagnostic]:
        """The errors that loading gives."""
        with pytest.raises(ComposeError) as caught:
            self.load(text, *more, **options)
        return [each for each in caught.value.diagnostics if each.severity == "error"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty project folder called `proj`."""
    path = tmp_path / "proj"
    path.mkdir()
    return Folder(path)
