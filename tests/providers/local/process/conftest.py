"""Parts for the tests of the process engine: a stack of its own for each test, taken down at the end; apps of a few lines."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from defang_nb.model.events import Payload
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import Json, resolve
from defang_nb.providers.local.config import FileConfigStore
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.process import orphans
from defang_nb.providers.local.process.engine import Engine
from defang_nb.providers.local.process.images.image import BuiltImage
from defang_nb.provision.ports import Made, Operation, ResourceType

SERVER = """\
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ.get("ANSWER", "hello").encode()
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
print("serving with", os.environ.get("TOKEN", "nothing"), flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made = Engine(StackPaths(tmp_path / "stack"), {})
    yield made
    for name in made.supervisor.names(""):
        await made.supervisor.remove(name)
    await made.supervisor.end_if_idle()
    left = orphans.marked(made.paths.root)
    orphans.end(left)
    shutil.rmtree(made.paths.sockets, ignore_errors=True)
    assert not left, f"left running: {left}"


@pytest.fixture
def config(engine: Engine) -> FileConfigStore:
    return FileConfigStore(engine.paths.config)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A built image with the little server in /app; its folder."""
    folder = tmp_path / "image"
    (folder / "root" / "app").mkdir(parents=True)
    (folder / "root" / "app" / "server.py").write_text(SERVER)
    built = BuiltImage(
        root=str(folder / "root"),
        workdir="/app",
        cmd=(sys.executable, "server.py", "8000"),
        path_map={"/app": str(folder / "root" / "app")},
    )
    (folder / "image.json").write_bytes(msgspec.json.encode(built))
    return folder


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Driver:
    """Makes resources one after the other, in the order that they are given, as the engine would."""

    def __init__(self, types: Mapping[str, ResourceType]) -> None:
        self.types = types
        self.outputs: dict[str, Mapping[str, Json]] = {}
        self.made: dict[str, Made] = {}
        self.events: list[Payload] = []

    def operation(self, resource: Resource) -> Operation:
        inputs = resolve(resource.inputs, lambda urn, output: self.outputs[urn][output])
        resolved = msgspec.structs.replace(resource, inputs=inputs)
        return Operation(resource=resolved, token="t", deployment="d", emit=self.events.append)

    async def create(self, *resources: Resource, ready: bool = True) -> None:
        for resource in resources:
            operation = self.operation(resource)
            made = await self.types[resource.type].create(operation)
            self.made[resource.urn] = made
            self.outputs[resource.urn] = made.outputs
            if ready:
                self.outputs[resource.urn] = await self.types[resource.type].ready(operation, made)

    async def update(self, resource: Resource) -> None:
        operation = self.operation(resource)
        made = await self.types[resource.type].update(operation)
        self.outputs[resource.urn] = await self.types[resource.type].ready(operation, made)

    def recorded(self, resource: Resource, *, ready: bool = True) -> Recorded:
        return Recorded(
            urn=resource.urn, type=resource.type, id="", inputs=resource.inputs, input_hash="",
            outputs=self.outputs.get(resource.urn, {}), ready=ready,
        )  # fmt: skip

    async def delete(self, *resources: Resource) -> None:
        for resource in reversed(resources):
            await self.types[resource.type].delete(self.recorded(resource))

    async def live(self, resource: Resource, *, ready: bool = True) -> bool:
        seen = await self.types[resource.type].read_many([self.recorded(resource, ready=ready)])
        return seen[resource.urn] is not None


Service = Callable[..., Resource]


@pytest.fixture
def service(image: Path, free_port: int) -> Service:
    """Makes the resource of a service that runs the little server (or `command`)."""

    def make(name: str = "web", *, type_: str = "local:process/Service", **changes: Json) -> Resource:
        inputs: dict[str, Json] = {
            "image": str(image), "image_reference": "p/web:1", "entrypoint": None, "command": None, "working_dir": "",
            "environment": {}, "ports": {"8000": free_port}, "listens": [8000],
            "endpoints": [{"target": 8000, "scheme": "http", "public": True}], "healthcheck": None, "restart": "",
            "replicas": 1, "one_off": False, "stop_signal": "", "stop_grace_period": 10.0, "mounts": [],
            "plain_postgres": False, "config_digests": {},
        }  # fmt: skip
        if type_.endswith("Job"):
            inputs |= {"one_off": True, "ports": {}, "listens": [], "endpoints": []}
        return Resource(urn=f"p/{type_}/{name}", type=type_, inputs=inputs | changes, service=name, main=True)

    return make


async def fetch(port: int, path: str = "/") -> str:
    """The body that the server on this machine's `port` answers with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.partition(b"\r\n\r\n")[2].decode()


async def eventually(true: Callable[[], object], what: str) -> None:
    """Wait until `true()`; a bound, not an expectation of speed."""
    for _ in range(400):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {what}")


def python(text: str) -> Sequence[str]:
    return [sys.executable, "-c", text]


def files_with(text: str, folder: Path, but: Path) -> list[Path]:
    """The files below `folder` that hold `text`, except those in `but`."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(but)]
    return [path for path in files if text.encode() in path.read_bytes()]
