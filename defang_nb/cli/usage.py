"""What services use, on a terminal: a table that is drawn anew with each sample, or a sample after the other."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from defang_nb.render.tables import table_text
from defang_nb.render.usage import History, usage_table

if TYPE_CHECKING:
    from rich.console import Console

    from defang_nb.model.status import Usage


def write_usage(
    samples: Iterable[Sequence[Usage]], *, title: str, most: int | None, json: bool, console: Console | None
) -> None:
    """`most` samples (None: without end); drawn on `console`, if there is one, and what was drawn last stays."""
    history = History(title)
    limited = itertools.islice(samples, most)
    with contextlib.ExitStack() as stack:
        draw = None
        if console is not None:
            from rich.live import Live
            from rich.text import Text

            live = stack.enter_context(Live(console=console, auto_refresh=False))
            draw = lambda: live.update(Text(table_text(usage_table(history)), no_wrap=True), refresh=True)  # noqa: E731
        for sample in limited:
            history.add(sample)
            if draw is not None:
                draw()
            elif json:
                _write_json(sample)
            else:
                sys.stdout.write(table_text(usage_table(history, lines=False)) + "\n")
            sys.stdout.flush()


def _write_json(sample: Sequence[Usage]) -> None:
    import msgspec

    for each in sample:
        sys.stdout.write(msgspec.json.encode(each).decode() + "\n")
