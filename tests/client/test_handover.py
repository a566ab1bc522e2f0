"""One cd ends while a workspace calls it, and the next one listens at the same address."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from defang_nb.cd.server import Service, make_server
from defang_nb.client.channel import Cd, UnreachableError
from defang_nb.providers.base import CdAddress


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a caller sees of a cd whose listener is still open while it ends."""
    writer.close()


async def test_a_call_to_the_one_that_ended_does_not_spoil_the_next(tmp_path: Path) -> None:
    # gRPC keeps a failed connection's back-off for all channels to the same address, unless it is told not to.
    path = tmp_path / "cd.sock"
    address = CdAddress(target=f"unix:{path}")
    ending = await asyncio.start_unix_server(hang_up, path)
    cd = Cd(address)
    with pytest.raises(UnreachableError):
        await cd.info()
    ending.close()
    await ending.wait_closed()
    path.unlink(missing_ok=True)
    server = await make_server(Service("local"))
    server.add_insecure_port(address.target)
    await server.start()
    try:
        successor = Cd(address)
        assert (await successor.info()).stack == "local"
        await successor.close()
    finally:
        await cd.close()
        await server.stop(None)
