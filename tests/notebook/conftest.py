"""An IPython shell of the test's own, with the extension loaded, that keeps what cells display."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from traitlets.config import Config


class Notebook:
    """Runs cells; `error` is what the last one raised."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell: Any = shell
        self.error: BaseException | None = None
        self.outputs: list[RichOutput] = []
        self.text = ""

    def run(self, cell: str) -> Any:
        with capture_output() as captured:
            result = self.shell.run_cell(cell, store_history=True)
        self.error = result.error_before_exec or result.error_in_exec
        self.outputs = captured.outputs
        self.text = captured.stdout + captured.stderr
        return result.result

    @property
    def html(self) -> str:
        return "".join(output.data.get("text/html", "") for output in self.outputs)

    @property
    def plain(self) -> str:
        return "\n".join(output.data.get("text/plain", "") for output in self.outputs)

    def complete(self, cell: str) -> list[str]:
        from IPython.core.completer import provisionalcompleter

        with provisionalcompleter():
            return [each.text for each in self.shell.Completer.completions(cell, len(cell))]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("DEFANG_NB_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    hooks = sys.displayhook, sys.excepthook
    InteractiveShell.clear_instance()
    settings = Config()
    settings.HistoryManager.enabled = False
    settings.Completer.use_jedi = False
    shell = InteractiveShell.instance(config=settings)
    shell.colors = "nocolor"
    yield Notebook(shell)
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()
    sys.displayhook, sys.excepthook = hooks


@pytest.fixture
def notebook(bare: Notebook) -> Notebook:
    bare.run("%load_ext defang_nb")
    assert bare.error is None
    return bare
