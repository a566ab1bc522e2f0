"""A coverage-guided fuzzer of the Compose loader: `python -m tests.compose.fuzz [--seconds N] [--seed N] [FOLDER …]`.

Damaged projects that reach lines or branches of the loader which none reached before are kept, and damaged further. Each has
to be answered as `answers.py` says; one that is not is written to `artifacts/`, and the fuzzer fails. Compose files below each
FOLDER are taken as projects too.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import defang_nb.compose
from tests.compose.answers import answer
from tests.compose.mutate import files, mutated, projects

LOADER: Final = str(Path(defang_nb.compose.__file__).parent)
ARTIFACTS: Final = Path(__file__).parents[2] / "artifacts"
OPTIONS: Final[tuple[dict[str, bool], ...]] = ({}, {"as_compose": True}, {"interpolate": False})
SLOW: Final = 20.0
"""Seconds after which an answer counts as none, traced as it is here."""

Arc = tuple[str, int, int]


class Coverage:
    """Which steps from line to line of the loader were taken."""

    def __init__(self) -> None:
        self.arcs: set[Arc] = set()

    def of(self, call: Callable[[], object]) -> set[Arc]:
        """Those that `call` takes. Its exception passes."""
        taken: set[Arc] = set()

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            name = frame.f_code.co_filename
            if not name.startswith(LOADER):
                return None
            last = frame.f_lineno

            def lines(frame: FrameType, event: str, argument: Any) -> Any:
                nonlocal last
                if event == "line":
                    taken.add((name, last, frame.f_lineno))
                    last = frame.f_lineno
                return lines

            return lines

        sys.settrace(trace)
        try:
            call()
        finally:
            sys.settrace(None)
        return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("folders", nargs="*", type=Path)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    chance = random.Random(seed)
    corpus = projects() + [text for folder in options.folders for text in _real(folder)]
    coverage, count, failures, slowest = Coverage(), 0, 0, 0.0
    began = told = time.monotonic()
    while time.monotonic() - began < options.seconds and failures < 10:
        project = mutated(chance.choice(corpus), chance, corpus)
        choice = chance.choice(OPTIONS)
        start = time.monotonic()
        taken, problem = _try(coverage, project, choice)
        took = time.monotonic() - start
        slowest, count = max(slowest, took), count + 1
        if problem or took > SLOW:
            failures += 1
            _keep(project, choice, problem or f"it took {took:.0f} s\n")
        elif not taken <= coverage.arcs:
            coverage.arcs |= taken
            corpus.append(project)
        if time.monotonic() - told > 30:
            told = time.monotonic()
            _say(f"{count:,} projects, {len(corpus):,} kept, {len(coverage.arcs):,} steps of the loader")
    _say(
        f"seed {seed}: {count:,} projects, {len(corpus):,} kept, {len(coverage.arcs):,} steps of the loader, "
        f"slowest {slowest:.1f} s (traced), {failures} not answered"
    )
    return 1 if failures else 0


def _try(coverage: Coverage, project: str, options: dict[str, bool]) -> tuple[set[Arc], str]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return coverage.of(lambda: answer(files(project), Path(folder), profiles=["*"], **options)), ""
        except Exception:  # noqa: BLE001 - edge: whatever a fuzzer finds
            return set(), traceback.format_exc()


def _keep(project: str, options: dict[str, bool], problem: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    file = ARTIFACTS / f"compose-{hashlib.sha256(project.encode(errors='surrogatepass')).hexdigest()[:12]}.txt"
    file.write_text(project, encoding="utf-8", errors="surrogatepass")
    _say(f"{file} {options}\n{problem}")


def _real(folder: Path) -> list[str]:
    names = ("compose*.y*ml", "docker-compose*.y*ml")
    found = sorted({file for name in names for file in folder.rglob(name) if file.is_file()})
    return [file.read_text(encoding="utf-8", errors="replace") for file in found]


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
