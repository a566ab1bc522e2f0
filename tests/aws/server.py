"""A WSGI server for many small calls: connections are kept, a reply can be lost, and nothing waits without need.

werkzeug's own closes each connection, and waits 10 ms for what may still come.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import DechunkedInput, ThreadedWSGIServer

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class LostReplyError(Exception):
    """Raised by the application where the client shall get no answer: its connection is closed."""


class Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def run_wsgi(self) -> None:
        body = self._body()
        environ = self.make_environ()
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        answer: list[Any] = []
        try:
            content = self.server.app(environ, lambda status, headers, error=None: answer.extend((status, headers)))
            data = b"".join(content)
        except LostReplyError:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers = answer[:2]
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        head = self.command == "HEAD"
        for key, value in headers:
            if key.lower() not in ("content-length", "connection") or (head and key.lower() == "content-length"):
                self.send_header(key, value)
        if not head and code not in ("204", "304"):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if not head:
            self.wfile.write(data)
        self.wfile.flush()

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return DechunkedInput(self.rfile).read()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log(self, *arguments: object, **more: object) -> None:
        """Thousands of calls are no news."""


class Server(ThreadedWSGIServer):
    """As a context manager it closes its socket. `port` 0: any that is free."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, application: Application, port: int = 0) -> None:
        super().__init__("127.0.0.1", port, application, Handler)
