"""Whose fault it is that a container ended: the service's, or that of an engine which is being shut down."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from defang_nb.errors import DeploymentFailedError, ProviderError
from defang_nb.model.events import Payload
from defang_nb.model.resource import Resource
from defang_nb.providers.local.docker import container as containers
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.engine import DockerEngine
from defang_nb.providers.local.docker.waiting import Waiter
from defang_nb.providers.local.paths import StackPaths
from defang_nb.provision.ports import Operation, TransientError

URN = "shop/local:docker/Service/web"
LISTED = {
    "Id": "f" * 64,
    "Names": ["/shop-web-1"],
    "Labels": {labels.URN: URN},
    "State": "exited",
    "Status": "Exited (137) now",
}


class _Answers(BaseHTTPRequestHandler):
    """What an engine says that has one container, which was killed."""

    protocol_version = "HTTP/1.1"

    def version_string(self) -> str:
        return "Docker/26.1.5 (linux)"

    def do_GET(self) -> None:
        body = b"OK"
        if "/containers/json" in self.path:
            body = json.dumps([LISTED]).encode()
        elif self.path.endswith("/json"):
            body = json.dumps({"Config": {"Tty": True}}).encode()
        self.send_response(200)
        self.send_header("Api-Version", "1.45")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: object) -> None:
        pass


class _Engine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def shut_down(self) -> None:
        """As Docker does it: no new connection, and answers on those that are open."""
        self.shutdown()
        self.socket.close()


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[_Engine]:
    with _Engine(str(tmp_path / "e.sock"), _Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


async def _blamed(tmp_path: Path, server: _Engine, *, shut_down: bool) -> tuple[type[BaseException], str]:
    """The kind of the error, and its message."""
    told: list[Payload] = []
    resource = Resource(urn=URN, type="local:docker/Service", inputs={}, service="web", main=True)
    operation = Operation(resource=resource, token="t", deployment="d", emit=told.append)
    engine = DockerEngine(StackPaths(tmp_path), "local", {"DOCKER_HOST": f"unix://{server.server_address}"})
    engine._pool = ThreadPoolExecutor(1)  # one connection, which is closed below
    there = [containers.seen(each) for each in await engine.containers()]
    if shut_down:
        server.shut_down()
        assert len(await engine.containers()) == 1, "what is open goes on to be answered"
    with pytest.raises((ProviderError, DeploymentFailedError)) as caught:
        await Waiter(engine, operation, there).well(there, [])
    await engine.ask(lambda client: client.close())
    return caught.type, str(caught.value)


async def test_a_container_that_ended_is_its_service_s_fault(tmp_path: Path, ending: _Engine) -> None:
    kind, message = await _blamed(tmp_path, ending, shut_down=False)
    assert kind is DeploymentFailedError
    assert message.startswith("web exited with code 137")


async def test_with_an_engine_that_takes_no_new_connection_it_is_the_engine_s(tmp_path: Path, ending: _Engine) -> None:
    kind, message = await _blamed(tmp_path, ending, shut_down=True)
    assert kind is TransientError
    assert "engine does not answer" in message
