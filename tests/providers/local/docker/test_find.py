"""Which container engine answers, and why one does not: against sockets that answer as engines do."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from defang_nb.errors import ProviderError, UsageError
from defang_nb.providers.local.docker.find import find, required
from defang_nb.providers.local.engines import choose, remember
from defang_nb.providers.local.paths import StackPaths


@contextlib.contextmanager
def engine(path: Path, answer: object, status: str = "200 OK", headers: str = "") -> Iterator[str]:
    """Something that listens at `path` and gives one answer to everybody."""
    body = json.dumps(answer).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(f"HTTP/1.0 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"unix://{path}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


DOCKER = {"ApiVersion": "1.47", "Version": "27.3.1", "Os": "linux", "Components": [{"Name": "Engine"}]}
PODMAN = {"ApiVersion": "1.41", "Version": "5.2", "Os": "linux", "Components": [{"Name": "Podman Engine"}]}


@pytest.fixture
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


def test_the_engine_that_is_named_is_the_only_one_that_counts(sockets: Path) -> None:
    with engine(sockets / "a", DOCKER) as host:
        found = find({"DOCKER_HOST": host, "HOME": str(sockets)}).engine
        assert found is not None and found.called == f"Docker 27.3.1 at {host} (DOCKER_HOST)"
    gone = find({"DOCKER_HOST": f"unix://{sockets}/none", "HOME": str(sockets)})
    assert gone.engine is None and "there is no such socket" in gone.why_not


def test_a_docker_context_and_podmans_socket_are_found(sockets: Path) -> None:
    with engine(sockets / "a", DOCKER) as host:
        meta = sockets / ".docker" / "contexts" / "meta" / sha256(b"mine").hexdigest()
        meta.mkdir(parents=True)
        (meta / "meta.json").write_text(json.dumps({"Name": "mine", "Endpoints": {"docker": {"Host": host}}}))
        (sockets / ".docker" / "config.json").write_text('{"currentContext": "mine"}')
        found = find({"HOME": str(sockets)}).engine
        assert found is not None and (found.host, found.source) == (host, "docker context mine")
    with engine(sockets / "b", PODMAN) as host:
        found = find({"DOCKER_HOST": host}).engine
        assert found is not None and found.name == "Podman"


@pytest.mark.parametrize(
    ("server", "name", "version"), [("Docker/27.3.1 (linux)", "Docker", "27.3.1"), ("Libpod/5.2.0 (linux)", "Podman", "5.2.0")]
)
def test_a_ping_tells_enough(sockets: Path, server: str, name: str, version: str) -> None:
    headers = f"Server: {server}\r\nApi-Version: 1.41\r\nOSType: linux\r\n"
    with engine(sockets / "a", "OK", headers=headers) as host:
        found = find({"DOCKER_HOST": host}).engine
        assert found is not None and (found.name, found.version, found.api) == (name, version, "1.41")
    with engine(sockets / "b", "OK", headers=headers.replace("1.41", "1.12")) as host:
        assert "too old" in find({"DOCKER_HOST": host}).why_not


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {**DOCKER, "ApiVersion": "1.38", "Version": "18.06"},
            "Docker 18.06 is too old: it speaks API 1.38, and 1.41 is needed",
        ),
        ({**DOCKER, "Os": "windows"}, "it runs Windows containers"),
        ({"hello": "world"}, "what answers there is no container engine"),
    ],
)
def test_why_an_engine_can_not_be_used(sockets: Path, answer: object, said: str) -> None:
    with engine(sockets / "a", answer) as host:
        found = find({"DOCKER_HOST": host})
    with pytest.raises(ProviderError, match="no container engine answers") as told:
        required(found)
    assert said in told.value.message and told.value.hint


def test_one_that_does_not_listen_any_more_is_told_as_such(sockets: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(sockets / "dead"))
    assert "it is not running" in find({"DOCKER_HOST": f"unix://{sockets}/dead"}).why_not


def test_the_engine_of_a_stack(sockets: Path) -> None:
    paths = StackPaths(sockets / "stack")
    with engine(sockets / "a", DOCKER) as host:
        assert choose({"DOCKER_HOST": host}, paths).name == "docker"
        assert choose({"DOCKER_HOST": host, "DEFANG_ENGINE": "process"}, paths).name == "process"
        remember(paths, "process")
        assert choose({"DOCKER_HOST": host}, paths).name == "process", "what was deployed with one engine stays with it"
        remember(paths, "")
        assert choose({"DOCKER_HOST": host}, paths).name == "docker"
    gone = choose({"DOCKER_HOST": f"unix://{sockets}/none"}, paths)
    assert gone.name == "process" and "there is no such socket" in gone.why
    with pytest.raises(UsageError, match="no engine 'dock'"):
        choose({"DEFANG_ENGINE": "dock"}, paths)
