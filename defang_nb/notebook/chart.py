"""What services use, in one display that is replaced with each sample; what was shown last stays in the notebook."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from defang_nb.notebook.slot import Slot
from defang_nb.render.tables import table_text
from defang_nb.render.usage import History, usage_html, usage_table

if TYPE_CHECKING:
    from defang_nb.model.status import Usage


class Chart:
    """`live`: there is a front end that can replace what was shown."""

    def __init__(self, title: str, live: bool) -> None:
        self._history = History(title)
        self._live = live
        self._slot = Slot()

    def run(self, samples: Iterable[Sequence[Usage]], most: int | None) -> None:
        """`most` samples; None: until interrupted, which is no failure (without a front end: one)."""
        shown = False
        try:
            for sample in itertools.islice(samples, 1 if most is None and not self._live else most):
                self._history.add(sample)
                if self._live:
                    (self._slot.replace if shown else self._slot.show_bundle)(self._bundle())
                    shown = True
        except KeyboardInterrupt:
            pass
        if not shown:
            self._slot.show_bundle(self._bundle())

    def _bundle(self) -> dict[str, str]:
        return {"text/html": usage_html(self._history), "text/plain": table_text(usage_table(self._history, lines=False))}
