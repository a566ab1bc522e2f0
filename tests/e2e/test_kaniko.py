"""Images built by the real Kaniko executor, in containers on a real engine, into a real registry."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest

from defang_nb.build import archive, manifest
from defang_nb.build.kaniko import Job, arguments
from defang_nb.errors import BuildError
from defang_nb.model.events import BuildLine
from defang_nb.model.image import ImageSource
from defang_nb.model.value import ConfigRef, Text
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.builders.kaniko import Kaniko
from defang_nb.providers.local.docker.builders.registry import registry_of
from tests.e2e.dockerd import Dockerd, without
from tests.e2e.packages import UnavailableError
from tests.e2e.registry import PASSWORD, Registry, serving

pytestmark = pytest.mark.e2e

APP = """\
FROM busybox
ARG WHO=nobody
RUN echo installed for $WHO > /installed
COPY requirements.txt /
RUN cat /requirements.txt > /needs
COPY . /app/
RUN ls /app > /listing
"""


class Yard:
    """Builds for one test, in a project of its own."""

    def __init__(self, dockerd: Dockerd, registry: Registry, image: str, folder: Path) -> None:
        self.dockerd, self.registry, self.image, self.folder = dockerd, registry, image, folder
        self.project = folder.name.replace("_", "-").lower()
        self.lines: list[BuildLine] = []
        self.connect = dockerd.connect
        self.settings = {"DEFANG_REGISTRY": registry.address, "DEFANG_REGISTRY_MIRROR": registry.address}

    def emit(self, line: str, **facts: Any) -> None:
        self.lines.append(BuildLine(urn="", line=line, **facts))

    @property
    def cached(self) -> list[str]:
        return [each.line.split(" ", 1)[1].removesuffix(" (cached)") for each in self.lines if each.step and each.cached]

    @property
    def marks(self) -> dict[str, str]:
        return {labels.PROJECT: self.project, labels.URN: f"{self.project}/local:docker/Image/app"}

    async def build(self, files: Mapping[str, str], args: Mapping[str, Text] = {}, *, name: str = "app", **more: Any) -> str:
        context = self.folder / name
        context.mkdir(exist_ok=True)
        for path, text in files.items():
            (context / path).write_text(text)
        packed = self.folder / f"{name}.tar.gz"
        archive(manifest(context, "Dockerfile"), packed)
        source = ImageSource(
            reference=f"{self.project}/{name}:1", digest="", context_key="", services=(name,), args=args, **more
        )
        given = {key: "".join(part if isinstance(part, str) else "s3cret-value" for part in text) for key, text in args.items()}
        self.lines = []
        builder = Kaniko(self.connect, registry_of(self.settings), {**self.marks, labels.SERVICE: name}, image=self.image)
        return await builder.build(source, packed, given, self.emit)

    def run(self, image: str, *command: str) -> str:
        with self.dockerd.client() as client:
            said: bytes = client.containers.run(image, list(command), remove=True)
        return said.decode()

    def containers(self) -> list[Any]:
        with self.dockerd.client() as client:
            found = client.containers.list(all=True, filters={"label": [f"{labels.PROJECT}={self.project}"]})
            return [(each.status, each.attrs) for each in found]


@pytest.fixture
def yard(dockerd: Dockerd, registry: Registry, kaniko: str, tmp_path: Path) -> Yard:
    return Yard(dockerd, registry, kaniko, tmp_path)


async def test_what_is_pushed_runs_and_a_change_of_a_source_file_leaves_the_other_layers_cached(yard: Yard) -> None:
    files = {"Dockerfile": APP, "requirements.txt": "flask\n", "main.py": "print(1)\n"}
    image = await yard.build(files, {"WHO": ("ada",)})
    assert image.startswith(f"{yard.registry.address}/{yard.project}/app@sha256:")
    assert yard.run(image, "cat", "/installed", "/needs", "/listing").split() == [
        *("installed", "for", "ada", "flask", "Dockerfile", "main.py", "requirements.txt")
    ]
    assert yard.cached == []
    assert [each.step for each in yard.lines if each.step] == list(range(1, 8))
    assert yard.containers() == []

    # Another machine need not build what the registry has.
    with yard.dockerd.client() as client:
        for each in (image, f"{yard.project}/app:1"):
            client.images.remove(each)
    builder = Kaniko(yard.connect, registry_of(yard.settings), image=yard.image)
    source = ImageSource(reference=f"{yard.project}/app:1", digest="", context_key="", services=("app",))
    assert await builder.existing(source) == image
    assert yard.run(image, "cat", "/needs") == "flask\n"
    assert await builder.existing(msgspec.structs.replace(source, reference=f"{yard.project}/app:2")) == ""

    again = await yard.build({**files, "main.py": "print(2)\n"}, {"WHO": ("ada",)})
    assert again != image
    layers = ["RUN echo installed for $WHO > /installed", "COPY requirements.txt /", "RUN cat /requirements.txt > /needs"]
    assert yard.cached == layers
    assert yard.run(again, "cat", "/app/main.py") == "print(2)\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("FROM busybox\n\nRUN echo so far; \\\n  exit 7\n", 3, "exit code: 7"),
        ("FROM busybox\nRUNN true\n", 2, "unknown instruction"),
        ("FROM busybox\nRUN true\nCOPY missing.txt /\n", 3, "missing.txt"),
        ("FROM busybox AS one\nFROM 127.0.0.1:9/no/such:9\n", 2, "can't be had"),
    ],
)
async def test_what_fails_is_told_with_its_line(yard: Yard, text: str, line: int, said: str) -> None:
    with pytest.raises(BuildError) as told:
        await yard.build({"Dockerfile": text})
    [found] = told.value.diagnostics
    assert found.position is not None and (found.position.file, found.position.line) == ("Dockerfile", line)
    assert said in told.value.message.lower()
    if "so far" in text:
        assert "so far" in told.value.hint
    assert yard.containers() == []


async def test_builds_run_side_by_side_each_in_its_container_and_cancelled_they_are_gone(yard: Yard) -> None:
    text = "FROM busybox\nRUN echo begun; sleep 611\n"
    building = [asyncio.create_task(yard.build({"Dockerfile": text}, name=name)) for name in ("one", "two")]
    while len([each for each in yard.containers() if each[0] == "running"]) < 2:
        await asyncio.wait(building, timeout=0.1)
        assert not any(each.done() for each in building)
    for each in building:
        each.cancel()
    for each in building:
        with pytest.raises(asyncio.CancelledError):
            await each
    assert yard.containers() == []


async def test_a_secret_is_an_argument_but_in_no_command_line_and_what_was_left_over_is_removed(yard: Yard) -> None:
    text = "FROM busybox\nARG TOKEN\nRUN test $TOKEN = s3cret-value && echo known\nRUN sleep 612\n"
    building = asyncio.create_task(yard.build({"Dockerfile": text}, {"TOKEN": (ConfigRef("TOKEN"),)}))
    while not any("sleep 612" in each.line for each in yard.lines):
        await asyncio.wait({building}, timeout=0.1)
        assert not building.done(), building.result()
    [(_, container)] = yard.containers()
    assert "s3cret" not in json.dumps([container["Config"]["Cmd"], container["Config"]["Labels"], container["Args"]])
    # As one that a killed cd left: the next build of the same image removes it.
    with pytest.raises(BuildError):
        await yard.build({"Dockerfile": "FROM busybox\nRUN false\n"})
    assert yard.containers() == []
    with suppress(Exception):
        await building


@contextmanager
def bucket(folder: Path) -> Iterator[str]:
    """An object store to read from, as S3's path style has it; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = (folder / self.path.partition("?")[0].rpartition("/")[2]).read_bytes()
            first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            piece = data[int(first) : int(last) + 1 if last else None]
            self.send_response(206)
            self.send_header("Content-Length", str(len(piece)))
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(piece) - 1}/{len(data)}")
            self.end_headers()
            self.wfile.write(piece)

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("own_rules", ["", "notes.txt\n"])
def test_what_is_fetched_from_an_object_store_is_not_copied_into_the_image(yard: Yard, own_rules: str) -> None:
    context, store = yard.folder / "context", yard.folder / "store"
    context.mkdir()
    store.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\nCOPY . /app/\n")
    (context / "main.py").write_text("print(1)\n")
    if own_rules:
        (context / ".dockerignore").write_text(own_rules)
    found = manifest(context, "Dockerfile")
    archive(found, store / "trapped.tar.gz")
    archive(found, store / "guarded.tar.gz", for_kaniko=True)
    copied = {}
    with bucket(store) as address, yard.dockerd.client() as client:
        given = {"S3_ENDPOINT": address, "S3_FORCE_PATH_STYLE": "true", "AWS_REGION": "us-east-1"}
        given |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
        for name in ("trapped", "guarded"):
            image = f"{yard.registry.address}/{yard.project}/{name}:1"
            plain = (yard.registry.address,)
            job = Job(context=f"s3://bucket/{name}.tar.gz", destination=image, mirrors=plain, insecure=plain)
            client.containers.run(yard.image, arguments(job), environment=given, network_mode="host", remove=True)
            copied[name] = yard.run(image, "ls", "-A", "/app").split()
    rules = [".dockerignore"] if own_rules else []
    assert copied == {
        "trapped": [*rules, "Dockerfile", "context.tar.gz", "main.py"],
        "guarded": [*rules, "Dockerfile", "main.py"],
    }


async def test_a_registry_that_refuses_the_credentials(yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with serving(tmp_path, passwords=True) as guarded:
            yard.settings["DEFANG_REGISTRY"] = guarded.address
            monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
            config = tmp_path / "config.json"
            files = {"Dockerfile": "FROM busybox\nRUN true\n"}
            for password in (None, "wrong"):
                if password:
                    config.write_text(json.dumps({"auths": {guarded.address: {"auth": basic(password)}}}))
                with pytest.raises(BuildError, match=f"registry {guarded.address} refuses the credentials") as told:
                    await yard.build(files)
                assert f"docker login {guarded.address}" in told.value.hint
            config.write_text(json.dumps({"auths": {guarded.address: {"auth": basic(PASSWORD)}}}))
            assert (await yard.build(files)).startswith(f"{guarded.address}/")
    except UnavailableError as problem:
        without(str(problem))


def basic(password: str) -> str:
    return base64.b64encode(f"ada:{password}".encode()).decode()
