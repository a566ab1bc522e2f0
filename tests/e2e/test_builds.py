"""Images built by a real engine: by its BuildKit and by its classic builder."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from defang_nb.build import archive, manifest
from defang_nb.errors import BuildError, DefangError
from defang_nb.model.events import BuildLine
from defang_nb.model.image import ImageSource
from defang_nb.model.resource import Recorded, Resource
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.builders.buildkit import BuildKit
from defang_nb.providers.local.docker.builders.choose import engine_builder
from defang_nb.providers.local.docker.builders.classic import Classic
from defang_nb.providers.local.docker.types.image import ImageType
from defang_nb.providers.local.store import FileStore
from defang_nb.provision.ports import Operation
from tests.e2e.dockerd import Dockerd
from tests.e2e.registry import PASSWORD, serving

pytestmark = pytest.mark.e2e

STAGES = """\
FROM busybox AS base
ARG WHO=nobody
RUN echo built for $WHO > /who
COPY greeting.txt /

FROM base AS dev
RUN echo dev > /kind

FROM base
RUN echo production > /kind
"""


class Bench:
    """Builds what a test describes, and keeps what was told."""

    def __init__(self, dockerd: Dockerd, folder: Path) -> None:
        self.dockerd = dockerd
        self.folder = folder
        self.lines: list[BuildLine] = []
        self.labels = {labels.PROJECT: "bench"}
        self.connect = dockerd.connect

    def emit(self, line: str, **facts: Any) -> None:
        self.lines.append(BuildLine(urn="", line=line, **facts))

    def context(self, files: Mapping[str, str]) -> Path:
        folder = self.folder / "context"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text)
        path = self.folder / "context.tar.gz"
        archive(manifest(folder, "Dockerfile"), path)
        return path

    async def build(
        self, maker: Callable[..., Any], files: Mapping[str, str], args: Mapping[str, str] = {}, **more: Any
    ) -> str:
        self.lines = []
        name = f"bench/{self.folder.name.replace('_', '-').lower()}:1"
        source = ImageSource(reference=name, digest="", context_key="", services=("app",), **more)
        made: str = await maker(self.connect, self.labels).build(source, self.context(files), args, self.emit)
        return made

    def run(self, image: str, *command: str) -> str:
        with self.dockerd.client() as client:
            said: bytes = client.containers.run(image, list(command), remove=True)
        return said.decode()


@pytest.fixture
def bench(dockerd: Dockerd, tmp_path: Path) -> Bench:
    return Bench(dockerd, tmp_path)


both = pytest.mark.parametrize("maker", [BuildKit, Classic])


@both
async def test_arguments_targets_labels_and_steps(bench: Bench, maker: Callable[..., Any]) -> None:
    files = {"Dockerfile": STAGES, "greeting.txt": f"hello {maker.__name__}"}
    image = await bench.build(maker, files, {"WHO": "ada"})
    assert bench.run(image, "cat", "/who", "/greeting.txt", "/kind") == f"built for ada\nhello {maker.__name__}production\n"
    steps = [each for each in bench.lines if each.step]
    assert [each.step for each in steps] == list(range(1, len(steps) + 1))
    assert {each.steps for each in steps} >= {len(steps)}
    with bench.dockerd.client() as client:
        found = client.images.get(image)
        assert found.labels[labels.PROJECT] == "bench"
        assert any(tag.startswith("bench/") for tag in found.tags)
    dev = await bench.build(maker, files, {"WHO": "ada"}, target="dev")
    assert bench.run(dev, "cat", "/kind") == "dev\n"
    assert await bench.build(maker, files, {"WHO": "ada"}) == image
    done = [each for each in bench.lines if each.step and "FROM" not in each.line and "ARG" not in each.line]
    assert done and all(each.cached for each in done)


@both
@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("FROM busybox\n\nRUN echo so far; \\\n  exit 7\n", 3, "exit code: 7"),
        ("FROM busybox\nRUNN true\n", 2, "unknown instruction"),
        ("FROM busybox\nCOPY missing.txt /\n", 2, "missing.txt"),
        ("FROM busybox AS one\nFROM no.such.registry.invalid/image:9\n", 2, "can't be had"),
        ("ARG TAG=1\nFROM busybox\nRUN true\nRUN false\n", 4, "exit code: 1"),
    ],
)
async def test_what_fails_is_told_with_its_line(
    bench: Bench, maker: Callable[..., Any], text: str, line: int, said: str
) -> None:
    with pytest.raises(BuildError) as told:
        await bench.build(maker, {"Dockerfile": text})
    [found] = told.value.diagnostics
    assert found.position is not None and (found.position.file, found.position.line) == ("Dockerfile", line)
    assert said in told.value.message.lower()
    if "so far" in text:
        assert "so far" in told.value.hint


@both
async def test_cancelled_it_ends_what_runs(bench: Bench, maker: Callable[..., Any]) -> None:
    building = asyncio.create_task(bench.build(maker, {"Dockerfile": "FROM busybox\nRUN echo begun; sleep 613\n"}))
    while not any(each.line == "begun" for each in bench.lines):
        await asyncio.wait({building}, timeout=0.05)
        assert not building.done()
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    for _ in range(200):
        if not any("613" in (each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])):
            return
        await asyncio.sleep(0.05)
    pytest.fail("what the build ran goes on")


async def test_cache_mounts(bench: Bench) -> None:
    text = "FROM busybox\nARG N\nRUN --mount=type=cache,id={id},target=/keep echo $N >> /keep/all; cat /keep/all > /seen\n"
    text = text.format(id=bench.folder.name)
    await bench.build(BuildKit, {"Dockerfile": text}, {"N": "1"})
    image = await bench.build(BuildKit, {"Dockerfile": text}, {"N": "2"})
    assert bench.run(image, "cat", "/seen") == "1\n2\n"


@both
async def test_a_base_image_that_needs_a_login(
    bench: Bench, maker: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with serving(tmp_path, passwords=True) as guarded:
        base = f"{guarded.address}/private/base:1"
        login = {"auths": {guarded.address: {"auth": base64.b64encode(f"ada:{PASSWORD}".encode()).decode()}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        bench.dockerd.docker("tag", "busybox", base)
        bench.dockerd.docker("push", "-q", base)
        bench.dockerd.docker("rmi", base)
        (tmp_path / "config.json").write_text("{}")
        files = {"Dockerfile": f"ARG FROM=nothing\nFROM $FROM\nRUN echo {maker.__name__}\n"}
        with pytest.raises(BuildError, match="can't be had"):
            await bench.build(maker, files, {"FROM": base})
        (tmp_path / "config.json").write_text(json.dumps(login))
        assert await bench.build(maker, files, {"FROM": base})
    bench.dockerd.docker("rmi", "-f", base)


@both
@pytest.mark.parametrize("rules", ["Dockerfile\n.dockerignore\n", "*\n!*.txt\n", "Dockerfile\n"])
async def test_what_the_ignore_file_leaves_out_is_in_no_image(bench: Bench, maker: Callable[..., Any], rules: str) -> None:
    text = "FROM busybox\nCOPY . /all/\nCOPY a.txt \\\n  ./b.txt /some/\nADD /a.txt /added/\nRUN ls -A /all > /listing\n"
    image = await bench.build(maker, {"Dockerfile": text, "a.txt": "a", "b.txt": "b", ".dockerignore": rules})
    seen = [*([] if rules != "Dockerfile\n" else [".dockerignore"]), "a.txt", "b.txt"]
    assert bench.run(image, "cat", "/listing").split() == seen
    assert bench.run(image, "ls", "/some", "/added").split() == ["/added:", "a.txt", "/some:", "a.txt", "b.txt"]
    assert not any(".defang-nb" in each.line for each in bench.lines)
    with pytest.raises(BuildError) as told:
        await bench.build(maker, {"Dockerfile": text + "\nCOPY none.txt /\n"})
    [found] = told.value.diagnostics
    assert found.position is not None and found.position.line == 8 and ".defang-nb" not in told.value.message


HEREDOCS = """\
# syntax=docker/dockerfile:1
FROM busybox
ARG WHO=nobody
RUN <<EOF
echo one > /one
echo "two $WHO" >> /one
EOF
RUN cat <<'A' > /a && cat <<-B > /b
literal $WHO
A
\ttabs $WHO
\tB
COPY <<with.conf <<'without.conf' /etc/conf/
who=$WHO
with.conf
who=$WHO
without.conf
RUN <<END
#!/bin/sh
echo "a script" > /script
END
RUN <<EOF
echo so far
LAST
EOF
"""


async def test_heredocs_on_this_engine_whatever_its_age(bench: Bench) -> None:
    with closing(bench.connect()) as client:
        version = client.version()

    def maker(*_: object) -> Any:
        return engine_builder(bench.connect, version)

    image = await bench.build(maker, {"Dockerfile": HEREDOCS.replace("LAST", "true")}, {"WHO": "ada"})
    files = ("/one", "/a", "/b", "/etc/conf/with.conf", "/etc/conf/without.conf", "/script")
    assert bench.run(image, "cat", *files).splitlines() == [
        *("one", "two ada", "literal $WHO", "tabs ada", "who=ada", "who=$WHO", "a script")
    ]
    with pytest.raises(BuildError) as told:
        await bench.build(maker, {"Dockerfile": HEREDOCS.replace("LAST", "exit 9")}, {"WHO": "ada"})
    [found] = told.value.diagnostics
    assert found.position is not None and found.position.line == HEREDOCS.splitlines().index("echo so far")
    assert "RUN <<EOF" in found.excerpt and "RUN <<EOF: exit code: 9" in told.value.message


def test_the_engine_says_which_builder_it_has(bench: Bench) -> None:
    client = bench.connect()
    assert isinstance(engine_builder(bench.connect, client.version()), BuildKit)
    client.close()
    podman = {"ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}
    assert isinstance(engine_builder(bench.connect, podman), Classic)
    assert isinstance(engine_builder(bench.connect, {"ApiVersion": "1.24"}), Classic)


def marks(project: str, urn: str) -> dict[str, str]:
    return {labels.PROJECT: project, labels.STACK: "test", labels.URN: urn}


class Images:
    """The resource type over a store in a folder."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.store = FileStore(bench.folder / "store")
        secrets = {"TOKEN": "hunter2-and-more"}
        self.type = ImageType(
            bench.connect, self.store, lambda marks: BuildKit(bench.connect, marks), lambda *_: secrets, marks
        )

    async def operation(self, files: Mapping[str, str], tag: str) -> Operation:
        context = self.bench.context(files)
        await self.store.upload("contexts/x.tar.gz", context)
        source = ImageSource(reference=f"images/app:{tag}", digest="", context_key="contexts/x.tar.gz", services=("app",))
        plain = msgspec.to_builtins(source)
        inputs = {"source": plain, "reference": source.reference, "args": {"TOKEN": {"$config": "TOKEN"}}}
        resource = Resource(urn=f"images/local:docker/Image/{tag}", type=ImageType.name, inputs=inputs)
        return Operation(resource=resource, token="t", deployment="d", emit=self._hear)

    def _hear(self, payload: Any) -> None:
        self.bench.lines.append(payload)


def recorded(operation: Operation, outputs: Mapping[str, Any]) -> Recorded:
    resource = operation.resource
    return Recorded(
        urn=resource.urn, type=resource.type, id=outputs["image"], inputs=resource.inputs, outputs=outputs, input_hash=""
    )


async def test_an_image_is_made_found_kept_made_anew_and_removed(bench: Bench) -> None:
    images = Images(bench)
    tag = bench.folder.name.replace("_", "-")
    text = "FROM busybox\nARG TOKEN\nRUN echo the token is $TOKEN\nRUN date +%N > /made\n"
    operation = await images.operation({"Dockerfile": text}, tag)
    made = await images.type.create(operation)
    assert "hunter2" not in repr(bench.lines) and any("the token is ***" in each.line for each in bench.lines)
    assert await images.type.find(operation.resource.urn) == made
    assert await images.type.find("images/local:docker/Image/other") is None
    bench.lines.clear()
    assert await images.type.create(operation) == made
    assert [each.cached for each in bench.lines] == [True]
    record = recorded(operation, made.outputs)
    assert await images.type.read_many([record]) == {record.urn: made.outputs}

    changed = await images.operation({"Dockerfile": text + "RUN true\n"}, tag)
    again = await images.type.update(msgspec.structs.replace(changed, previous=record))
    assert again.outputs["image"] != made.outputs["image"]
    assert await images.type.read_many([record]) == {record.urn: None}
    await images.type.delete(record)  # its name is another image's by now
    assert await images.type.find(record.urn) == again
    await images.type.delete(recorded(operation, again.outputs))
    assert await images.type.find(record.urn) is None
    await images.type.delete(recorded(operation, again.outputs))


async def test_a_secret_is_in_no_error(bench: Bench) -> None:
    images = Images(bench)
    operation = await images.operation({"Dockerfile": "FROM busybox\nARG TOKEN\nRUN echo $TOKEN; exit 1\n"}, "fails")
    with pytest.raises(DefangError) as told:
        await images.type.create(operation)
    error = told.value
    assert "hunter2" not in repr((error.message, error.hint, error.diagnostics, str(error), bench.lines))
    assert any("echo ***" in each.line for each in bench.lines)
