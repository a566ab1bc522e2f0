"""`make demo`: execute the quickstart headless against a real local cd, and show that nothing of it is left afterwards.

Keeps the executed notebook and a rendering of it in `artifacts/`, and prints what the live endpoint answered. Everything that
the deployment makes is in a folder of its own, which is removed at the end.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from leftovers import wait_until_gone
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbconvert import HTMLExporter

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
ARTIFACTS = ROOT / "artifacts"
CELL_TIMEOUT = 300
"""Seconds for one cell: on a fresh machine `up` downloads packages."""
IDLE = 2
"""Seconds after which an idle cd exits, instead of its usual 60."""


def main() -> int:
    ARTIFACTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="defang-nb-demo-", ignore_cleanup_errors=True) as home:
        os.environ |= {
            "DEFANG_NB_HOME": home,
            "DEFANG_CD_IDLE": str(IDLE),
            "DEFANG_ENGINE": "process",
            "JUPYTER_PREFER_ENV_PATH": "1",
        }
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        failure = execute(notebook)
        keep(notebook)
        if failure:
            say(failure)
            take_down()
        left = wait_until_gone(Path(home))
    if not failure:
        say(f"\nthe live endpoint answered: {answer(notebook)}")
    for process in left:
        say(f"still running: {process}")
    say("nothing is left running" if not left else "something is left running, see above")
    say(f"see {(ARTIFACTS / 'quickstart.html').relative_to(ROOT)} and {(ARTIFACTS / 'quickstart.ipynb').relative_to(ROOT)}")
    return 1 if failure or left else 0


def execute(notebook: nbformat.NotebookNode) -> str:
    """Run every cell; what went wrong, or ""."""

    def tell(cell: nbformat.NotebookNode, cell_index: int) -> None:
        if cell.cell_type == "code":
            say(f"  {cell.source.splitlines()[0]}")

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
        on_cell_start=tell,
    )
    say(f"executing {NOTEBOOK.relative_to(ROOT)}")
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError) as error:
        return str(error)
    return ""


def keep(notebook: nbformat.NotebookNode) -> None:
    nbformat.write(notebook, ARTIFACTS / "quickstart.ipynb")
    html, _ = HTMLExporter().from_notebook_node(notebook)
    (ARTIFACTS / "quickstart.html").write_text(html, encoding="utf-8")


def answer(notebook: nbformat.NotebookNode) -> str:
    """What the cell tagged `endpoint-answer` printed."""
    cell = next(cell for cell in notebook.cells if "endpoint-answer" in cell.metadata.get("tags", ()))
    return "".join(output.text for output in cell.outputs if output.output_type == "stream").strip()


def take_down() -> None:
    """After a failure: whatever of it runs."""
    import defang_nb
    from defang_nb.errors import DefangError

    try:
        defang_nb.down("hello", yes=True)
    except DefangError as error:
        say(f"down: {error}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
