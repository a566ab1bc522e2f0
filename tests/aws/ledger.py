"""What was called how often, and what the requests' bodies held, for those who look for secrets in them."""

from __future__ import annotations

import base64
import gzip
import threading
from collections import Counter
from typing import Any
from urllib.parse import unquote_to_bytes

from tests.aws.calls import Call

SECRET_CHANNELS = ("ssm", "secretsmanager")
"""Services whose requests may hold secrets: they are not recorded."""
LONGEST = 4 << 20
"""Bytes of one body that are kept."""


class Ledger:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str, bool]] = Counter()
        self._bodies: list[tuple[Call, str, bytes]] = []
        self.problems: list[str] = []
        """What the simulation itself could not do: calls that moto does not know, and crashes inside of it."""

    def note(self, call: Call, address: str, body: bytes) -> int:
        """Record a call; how many there were so far."""
        with self._lock:
            self._calls[call.service, call.operation, call.mutation] += 1
            if call.service not in SECRET_CHANNELS:
                self._bodies.append((call, address, body[:LONGEST]))
            return self._calls.total()

    def counts(self) -> list[dict[str, Any]]:
        with self._lock:
            found = sorted(self._calls.items())
        return [
            {"service": service, "operation": operation, "mutation": mutation, "count": count}
            for (service, operation, mutation), count in found
        ]

    def bodies(self) -> list[dict[str, str]]:
        """Every recorded request, as text (unpacked where it was compressed)."""
        with self._lock:
            found = list(self._bodies)
        return [
            {
                "service": call.service,
                "operation": call.operation,
                "address": address,
                "body": _plain(body).decode(errors="replace"),
            }
            for call, address, body in found
        ]

    def search(self, text: str) -> list[str]:
        """service:operation of each request that holds `text`: as it is, in a URL's form, in base64, or compressed."""
        with self._lock:
            found = list(self._bodies)
        needles = [text.encode(), *_base64_forms(text.encode())]
        hits = []
        for call, address, body in found:
            plain = _plain(body)
            hay = b"\n".join((address.encode(), unquote_to_bytes(address), plain, unquote_to_bytes(plain.replace(b"+", b" "))))
            if any(each in hay for each in needles):
                hits.append(f"{call.service}:{call.operation}")
        return hits

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()
            self._bodies.clear()
            self.problems.clear()


def _plain(body: bytes) -> bytes:
    if body.startswith(b"\x1f\x8b"):
        try:
            return gzip.decompress(body)
        except (OSError, EOFError):
            return body
    return body


def _base64_forms(text: bytes) -> list[bytes]:
    """What of `text` is the same in base64 wherever in a longer value it stands: one form for each of three offsets."""
    forms = []
    for offset in range(3):
        padded = b"\0" * offset + text
        encoded = base64.b64encode(padded).rstrip(b"=")
        first = (0, 2, 3)[offset]
        last = len(padded) // 3 * 4
        if last - first >= 8:
            forms.append(encoded[first:last])
    return forms
