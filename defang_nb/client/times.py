"""Times as people write them: epoch seconds, ISO 8601, or an age such as `90s`, `10m`, `1h30m`, `2d`."""

from __future__ import annotations

import datetime
import re
import time

from defang_nb.errors import UsageError

_AGE = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_time(text: float | str | None, now: float | None = None) -> float | None:
    """Seconds since the epoch. A time of day without a zone is local. Raises `UsageError`."""
    if text is None or isinstance(text, (int, float)):
        return text
    text = text.strip()
    if (age := _AGE.fullmatch(text)) and any(age.groups()):
        days, hours, minutes, seconds = (float(each or 0) for each in age.groups())
        return (time.time() if now is None else now) - (((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise UsageError(f"{text!r} is no time", hint="write an age (90s, 10m, 2h) or a date (2026-01-31T12:00:00Z)") from None
