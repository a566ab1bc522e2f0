"""Durations and sizes: what Compose texts say, and how the reference prints them."""

from __future__ import annotations

import re

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_NANOSECONDS = {unit: round(seconds * 1e9) for unit, seconds in _SECONDS.items()}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w)")
_BYTES = re.compile(r"(\+?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?) ?(?:b|([kmgtp])(?:i?b)?)?", re.IGNORECASE | re.ASCII)
_TOO_MUCH = 2.0**63
"""A duration of 292 years: more fits into no 64 bits."""
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_MAX_BYTES = 2**63


def nanoseconds(text: str) -> int | None:
    """`1m30s` → 90_000_000_000; also days and weeks. None: no duration."""
    sign, rest = (-1 if text.startswith("-") else 1), text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, index = 0.0, 0
    while match := _DURATION.match(rest, index):
        total += float(match[1]) * _NANOSECONDS[match[2]]
        index = match.end()
    return sign * round(total) if rest and index == len(rest) and total < _TOO_MUCH else None


def seconds(text: str) -> float:
    """A duration's seconds; 0 for what is none."""
    return (nanoseconds(text) or 0) / 1e9


def show_duration(value: int) -> str:
    """Nanoseconds as Go prints a duration: `1h0m0s`, `1m30s`, `1.5s`, `20ms`."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    if value == 0:
        return "0s"
    if value < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if value >= size:
                return f"{sign}{_decimal(value, size)}{unit}"
    minutes, rest = divmod(value, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 1_000_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else f"{sign}{text}"


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = f"{rest:0{len(str(size)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def size_in_bytes(text: str) -> int | None:
    """`1.5gb` → 1610612736: units are powers of 1024, whatever their spelling. None: no size."""
    if re.fullmatch(r"-[0-9]{1,18}", text):
        return int(text)
    match = _BYTES.fullmatch(text)
    if not match:
        return None
    size = float(match[1]) * 1024 ** _POWERS[(match[2] or "").lower()]
    return int(size) if size < _MAX_BYTES else None
