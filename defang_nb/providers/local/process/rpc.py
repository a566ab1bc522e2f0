"""XML-RPC over a Unix socket, as supervisord speaks it (supervisord.org/api.html). Blocking; call it in a thread."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from enum import IntEnum
from pathlib import Path
from typing import Any

from defang_nb.errors import ProviderError


class Fault(IntEnum):
    """The faults that are answers rather than failures (supervisor/xmlrpc.py, `Faults`)."""

    SHUTDOWN_STATE = 6
    BAD_NAME = 10
    SPAWN_ERROR = 50
    ALREADY_STARTED = 60
    NOT_RUNNING = 70
    ALREADY_ADDED = 90


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        # As the base class does, or `close` would not find it.
        self._connection = host, _Connection(self._path)
        return self._connection[1]


def call(path: Path, method: str, *arguments: object, accept: tuple[Fault, ...] = ()) -> Any:
    """What `method` answers; None for an accepted fault.

    Raises `ConnectionError` (or `FileNotFoundError`) when nobody listens, `ProviderError` for any other fault.
    """
    proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(path), allow_none=True)
    try:
        return getattr(proxy, method)(*arguments)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode in accept:
            return None
        if fault.faultCode == Fault.SHUTDOWN_STATE:
            raise ConnectionRefusedError("supervisord is shutting down") from fault
        raise ProviderError(f"the process manager refused {method}: {fault.faultString}") from fault
    except (TimeoutError, http.client.HTTPException) as error:
        raise ConnectionAbortedError(f"supervisord does not answer: {error}") from error
    finally:
        proxy("close")()
