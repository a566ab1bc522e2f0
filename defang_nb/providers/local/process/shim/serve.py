"""Serves a folder over HTTP: `python -I -S serve.py FOLDER PORT [FROM=TO …]`. Standard library only.

A path that is not there is answered with its redirect (`/old=/new`), with the page of its name (`/about` → `about.html`), or in
place by what is said for all of them (`/*=/index.html`, as single-page applications need it), else with 404. A folder is there
where it has an index.html. The AWS provider holds to all of this (`providers/aws/sites/objects.py`).

Only the loopback address listens, unless DEFANG_NB_BIND says otherwise.
"""

# The base class deals in plain paths:
# ruff: noqa: PTH112, PTH113, PTH118

from __future__ import annotations

import os
import sys
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(SimpleHTTPRequestHandler):
    redirects: dict[str, str]

    protocol_version = "HTTP/1.1"

    def send_head(self) -> Any:
        path = self.path.split("?")[0].split("#")[0]
        if not self._is_there(path):
            if path in self.redirects:
                self.send_response(HTTPStatus.FOUND)
                self.send_header("Location", self.redirects[path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            if os.path.isfile(self.translate_path(f"{path}.html")):
                self.path = f"{path}.html"
            elif "/*" in self.redirects:
                self.path = self.redirects["/*"]
            if not self._is_there(self.path.split("?")[0]):
                self.send_error(HTTPStatus.NOT_FOUND, "there is no such file here")
                return None
        return super().send_head()

    def _is_there(self, path: str) -> bool:
        there = self.translate_path(path)
        return os.path.isfile(os.path.join(there, "index.html")) if os.path.isdir(there) else os.path.isfile(there)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        sys.stdout.write(f"{self.address_string()} {format % args}\n")
        sys.stdout.flush()


def main() -> None:
    folder, port, *redirects = sys.argv[1:]
    Handler.redirects = dict(each.split("=", 1) for each in redirects if "=" in each)
    Handler.extensions_map = {**Handler.extensions_map, ".js": "text/javascript", ".mjs": "text/javascript"}

    def handler(*args: Any, **kwargs: Any) -> Handler:
        return Handler(*args, directory=folder, **kwargs)

    address = os.environ.get("DEFANG_NB_BIND") or "127.0.0.1"
    with ThreadingHTTPServer((address, int(port)), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
