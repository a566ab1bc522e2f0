"""Forwards published ports to the containers that are well: `python -I -S forward.py FOLDER`. Standard library only.

Each `FOLDER/<name>.json` is one service's table: {"version": …, "ports": [{"listen": [host, port], "to": [[host, port], …]}]}.
A changed table holds for the next connection; those that are open go on with the container that they have. What is in
effect, and what could not be listened on, is told in `FOLDER/.status`. With no table left, it ends.
"""

# Plain paths are as it shall be here:
# ruff: noqa: PTH103, PTH105, PTH107, PTH116, PTH118, PTH123, PTH208

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import signal
import sys
from typing import Any

LOOK = 0.05
PIECE = 65536
PATIENCE = 3.0
"""Seconds in which one of the containers has to take a connection."""
IDLE_LOOKS = 40
"""So often nothing is found to forward before it ends."""

Place = tuple[str, int]


class Forwarder:
    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.targets: dict[Place, list[Place]] = {}
        self.turn = itertools.count()
        self.servers: dict[Place, asyncio.Server] = {}
        self.problems: dict[str, str] = {}
        self.connections: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        seen, idle = (-1, -1), 0
        while idle < IDLE_LOOKS:
            try:
                found = os.stat(self.folder)
            except FileNotFoundError:
                return
            if (found.st_mtime_ns, found.st_ino) != seen:
                seen = (found.st_mtime_ns, found.st_ino)
                await self.load()
            idle = 0 if self.targets else idle + 1
            await asyncio.sleep(LOOK)

    async def load(self) -> None:
        targets: dict[Place, list[Place]] = {}
        versions: dict[str, str] = {}
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".json") and not name.startswith("."):
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    table = self.read(name)
                    for each in table["ports"]:
                        targets[(each["listen"][0], each["listen"][1])] = [(to[0], to[1]) for to in each["to"]]
                    versions[name[:-5]] = table["version"]
        self.targets = targets
        for place in [place for place in self.servers if place not in targets]:
            self.servers.pop(place).close()
        self.problems = {}
        for place in targets:
            if place not in self.servers:
                await self.listen(place)
        self.tell(versions)

    def read(self, name: str) -> Any:
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return json.load(file)

    async def listen(self, place: Place) -> None:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self.connections.add(task)
                task.add_done_callback(self.connections.discard)
            await self.serve(place, reader, writer)

        try:
            self.servers[place] = await asyncio.start_server(accepted, *place, limit=PIECE, backlog=512)
        except OSError as error:
            self.problems[f"{place[0]}:{place[1]}"] = error.strerror or str(error)

    def tell(self, versions: dict[str, str]) -> None:
        text = json.dumps({"pid": os.getpid(), "versions": versions, "problems": self.problems})
        # Beside the folder, since a file that is written into it would be a change that it looks for.
        with open(f"{self.folder}.status.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(f"{self.folder}.status.new", f"{self.folder}.status")

    async def serve(self, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            other = await self.connect(place)
            if other is not None:
                inner, outer = other
                await asyncio.gather(pump(reader, outer), pump(inner, writer))
                outer.close()
        writer.close()

    async def connect(self, place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """One of the containers, each in its turn; the others where it does not answer."""
        targets = self.targets.get(place, [])
        first = next(self.turn)
        for number in range(len(targets)):
            with contextlib.suppress(OSError, TimeoutError):
                return await asyncio.wait_for(
                    asyncio.open_connection(*targets[(first + number) % len(targets)], limit=PIECE), PATIENCE
                )
        return None


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


def main() -> None:
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    lock = open(f"{folder}.lock", "ab")  # noqa: SIM115 - held until the end
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # another one does it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(Forwarder(folder).run())
    with contextlib.suppress(OSError):
        os.remove(f"{folder}.status")


if __name__ == "__main__":
    main()
