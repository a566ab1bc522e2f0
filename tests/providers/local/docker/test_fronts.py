"""The forwarder of published ports, as the process that it is."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from defang_nb.errors import ProviderError
from defang_nb.providers.local.docker.fronts import Fronts
from defang_nb.providers.local.process import ports

HERE = "127.0.0.1"


@contextlib.contextmanager
def backend(name: str) -> Iterator[tuple[str, int]]:
    """Says its name to whoever comes, and then what it hears."""
    with socket.create_server((HERE, 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(name.encode())
                        while data := connection.recv(65536):
                            connection.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield HERE, server.getsockname()[1]


def ask(port: int, words: bytes = b"") -> bytes:
    with socket.create_connection((HERE, port), 5) as connection:
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        data = b""
        while piece := connection.recv(65536):
            data += piece
        return data


@pytest.fixture
def fronts(tmp_path: Path) -> Iterator[Fronts]:
    made = Fronts(tmp_path / "stack" / "fronts")
    made.folder.parent.mkdir()
    yield made
    for name in made.names():
        made.remove(name)
    ours = [each for each in psutil.Process().children() if str(tmp_path) in " ".join(_command(each))]
    for each in ours:
        each.terminate()
    psutil.wait_procs(ours, timeout=10)


async def test_it_goes_on_to_each_in_turn_and_takes_up_a_changed_table(fronts: Fronts) -> None:
    port = ports.free(())
    with backend("one") as one, backend("two") as two, backend("new") as new:
        await fronts.put("shop.web", {(HERE, port): [one, two]})
        assert {ask(port) for _ in range(6)} == {b"one", b"two"}
        await fronts.put("shop.web", {(HERE, port): [new]})
        assert {ask(port, b" and more") for _ in range(3)} == {b"new and more"}
        assert fronts.table("shop.web") == [((HERE, port), [new])]


async def test_one_that_does_not_answer_is_passed_over(fronts: Fronts) -> None:
    port, dead = ports.free(()), ports.free(())
    with backend("alive") as alive:
        await fronts.put("shop.web", {(HERE, port): [(HERE, dead), alive]})
        assert {ask(port) for _ in range(4)} == {b"alive"}


async def test_a_port_that_somebody_has_is_told(fronts: Fronts) -> None:
    with backend("stranger") as (_, port), pytest.raises(ProviderError, match=f"can't listen on {HERE}:{port}"):
        await fronts.put("shop.web", {(HERE, port): [(HERE, port)]})


async def test_ended_by_somebody_it_is_started_again(fronts: Fronts) -> None:
    port = ports.free(())
    with backend("one") as one:
        await fronts.put("shop.web", {(HERE, port): [one]})
        [forwarder] = [each for each in psutil.Process().children() if "forward.py" in " ".join(each.cmdline())]
        forwarder.kill()
        forwarder.wait(10)
        fronts.ensure()
        await fronts.put("shop.api", {(HERE, ports.free({port})): [one]})
        assert ask(port) == b"one"


def _command(process: psutil.Process) -> list[str]:
    """Its command line; nothing of one that has ended meanwhile, of whatever other test."""
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []
