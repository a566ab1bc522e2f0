"""Output of commands with secret values hidden in it, line by line, however it is cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence

from defang_nb.providers.local.process.shim.launch import MASK


class Hiding:
    """Without secrets everything passes at once, byte by byte."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """What can be told now: whole lines."""
        if not self._secrets:
            return data
        whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
        return self._hidden(whole + newline)

    def end(self) -> bytes:
        """What is left, at the end."""
        rest, self._rest = self._rest, b""
        return self._hidden(rest)

    def _hidden(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, MASK.encode())
        return data
