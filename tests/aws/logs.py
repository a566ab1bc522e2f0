"""CloudWatch Logs, where moto looks away: `FilterLogEvents` by a prefix of streams' names, in order of time, and by a pattern.

Source of patterns: Amazon CloudWatch Logs user guide, "Filter pattern syntax" for unstructured events.
"""

from __future__ import annotations

import re
import threading
from typing import Any

from moto.logs import models
from moto.logs.responses import LogsResponse

_WORD = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|%(.+?)%|(\S+))')


class Pattern:
    """Words that all have to be there, `?` before those of which one has to, `-` before those that may not, `%regex%`."""

    def __init__(self, text: str | None) -> None:
        self._words = [] if not text or text.startswith(("{", "[")) else [_word(*each) for each in _WORD.findall(text)]

    def matches(self, message: str) -> bool:
        found: dict[str, list[bool]] = {"": [], "?": [], "-": []}
        for sign, expression in self._words:
            found[sign].append(expression.search(message) is not None)
        any_of = found["?"] if not found[""] else []
        return all(found[""]) and (not any_of or any(any_of)) and not any(found["-"])


def _word(sign: str, quoted: str, expression: str, plain: str) -> tuple[str, re.Pattern[str]]:
    return sign, re.compile(expression) if expression else re.compile(re.escape(quoted.replace('\\"', '"') or plain))


def patch() -> None:
    models.EventMessageFilter = Pattern
    ask = LogsResponse.filter_log_events
    backend = models.LogsBackend.filter_log_events
    chosen = threading.local()

    def filter_log_events(request: Any) -> str:
        prefix = request._get_param("logStreamNamePrefix")
        group = request.logs_backend.groups.get(request._get_param("logGroupName"))
        if prefix is None or group is None:
            return ask(request)
        names = [each for each in group.streams if each.startswith(prefix)]
        chosen.names = names or ["\0"]  # of none, and not of all
        try:
            return ask(request)
        finally:
            chosen.names = None

    def in_order(own: Any, group: str, names: list[str], *rest: Any) -> Any:
        *before, _ = rest
        return backend(own, group, getattr(chosen, "names", None) or names, *before, True)

    LogsResponse.filter_log_events = filter_log_events
    models.LogsBackend.filter_log_events = in_order
