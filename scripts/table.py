"""The table of `make bench`: a line a figure, beside what it is to stay under. The best of a few rounds counts."""

from __future__ import annotations

import sys
from collections.abc import Callable

ROUNDS = 3
MIB = 2**20


def heading() -> None:
    say(f"{'what':58} {'measured':>12}  {'to stay under':>13}  {'ratio':>5}")


def best(measure: Callable[[], float], rounds: int = ROUNDS) -> float:
    return min(measure() for _ in range(rounds))


def row(what: str, measured: float, bar: float | None, unit: str) -> None:
    """A figure, what it is to stay under, and the one as a part of the other."""
    text = f"{measured:.2f} {unit}" if unit == "s" else f"{measured:.0f} {unit}"
    tell(what, text, *([f"{bar:g} {unit}", f"{measured / bar:.2f}"] if bar else []))


def tell(what: str, measured: str, bar: str = "", ratio: str = "") -> None:
    say(f"{what:58} {measured:>12}  {bar:>13}  {ratio:>5}".rstrip())


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
