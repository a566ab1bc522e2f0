"""Published ports: a forwarder answers on them, for whichever containers are well. So a new container takes over from the
old one without a moment in which nobody answers, and replicas share one port.

The forwarder (`shim/forward.py`) is one process of this machine for a stack. It ends when nothing is published any more, and is
started again, when it was ended by somebody, by whatever looks at the stack next.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from defang_nb.errors import ProviderError
from defang_nb.providers.local import outliving
from defang_nb.providers.local.process import ports

_PROGRAM = Path(__file__).parent / "shim" / "forward.py"
_PATIENCE = 15.0
_LOOK = 0.02
_LOOKS_PER_START = 50

Place = tuple[str, int]

REPLICA = "#"
"""In the book of ports: stands before what tells a container, whose ports only the forwarder is to find."""


class Fronts:
    """The forwarder's tables, in a folder of the stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def put(self, name: str, table: Mapping[Place, Sequence[Place]]) -> None:
        """Have it answer for `name`: where to listen → where to go on to. Waits until it does. Raises `ProviderError`."""
        version = uuid.uuid4().hex
        entries = [{"listen": list(listen), "to": [list(each) for each in to]} for listen, to in table.items()]
        self._write(name, {"version": version, "ports": entries})
        try:
            async with asyncio.timeout(_PATIENCE):
                for look in itertools.count():
                    if (status := self._status()).get("versions", {}).get(name) == version:
                        break
                    if look % _LOOKS_PER_START == 0:
                        self.ensure()
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            raise ProviderError("the forwarder of published ports does not start", hint="run up again") from None
        for (host, port), problem in ((place, status["problems"].get(f"{place[0]}:{place[1]}")) for place in table):
            if problem:
                raise ProviderError(
                    f"can't listen on {host}:{port}: {problem} ({ports.holder(port)})", hint="publish another port"
                )

    def remove(self, name: str) -> None:
        self._file(name).unlink(missing_ok=True)

    def has(self, name: str) -> bool:
        return self._file(name).exists()

    def table(self, name: str) -> list[tuple[Place, list[Place]]]:
        """What it answers for `name`: where it listens, and where that goes on to."""
        try:
            entries = json.loads(self._file(name).read_bytes())["ports"]
        except (OSError, ValueError, KeyError):
            return []
        return [((each["listen"][0], each["listen"][1]), [(to[0], to[1]) for to in each["to"]]) for each in entries]

    def names(self) -> list[str]:
        return [each.stem for each in self.folder.glob("[!.]*.json")]

    def ensure(self) -> None:
        """Start the forwarder, unless it runs or has nothing to do."""
        if not self.names() or self._runs():
            return
        with self.folder.with_name(f"{self.folder.name}.log").open("ab") as log:
            environment = {key: value for key, value in os.environ.items() if key in ("PATH", "DEFANG_NB_HOME")}
            command = [sys.executable, "-I", "-S", str(_PROGRAM), str(self.folder)]
            outliving.start(command, folder=Path("/"), log=log.fileno(), environment=environment)

    def refused(self) -> set[int]:
        """Ports that the forwarder could not listen on, since somebody else does."""
        return {int(place.rpartition(":")[2]) for place in self._status().get("problems", {})}

    def _runs(self) -> bool:
        """Whether one holds the lock."""
        with contextlib.suppress(OSError), self.folder.with_name(f"{self.folder.name}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _status(self) -> Mapping[str, Mapping[str, str]]:
        try:
            found: Mapping[str, Mapping[str, str]] = json.loads(
                self.folder.with_name(f"{self.folder.name}.status").read_bytes()
            )
        except (OSError, ValueError):
            return {}
        return found

    def _write(self, name: str, table: object) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.folder.with_name(f"{self.folder.name}.{name}.new")
        temporary.write_text(json.dumps(table))
        temporary.replace(self._file(name))

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"
