"""`local:process/Service`, `…/Job` and `…/Site`: a service's command as supervised processes on this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from defang_nb.errors import ProviderError
from defang_nb.model.project import Healthcheck
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.process import launchfile, workcopy
from defang_nb.providers.local.process.command import with_ports
from defang_nb.providers.local.process.engine import ServiceNote, parse_urn, program
from defang_nb.providers.local.process.images.image import BuiltImage, command_of, environment_of, load, rewrite
from defang_nb.providers.local.process.probe import Probe, of_healthcheck
from defang_nb.providers.local.process.supervisor import Program
from defang_nb.providers.local.process.types.base import ServiceBase
from defang_nb.providers.local.process.waiting import Waiter
from defang_nb.provision.ports import Made, Operation

_SHIM = Path(__file__).parent.parent / "shim"
_PORT_BUDGET = 120.0
"""Seconds that a service without a health check may take to listen."""
_SHORTEST_BUDGET = 30.0
_RESTART = {"no": "false", "on-failure": "unexpected"}
"""Compose's restart policies as Supervisor's; all others, and none (as Defang reads it), are "true"."""


class _Start(msgspec.Struct, frozen=True):
    """How the programs of a service are started."""

    argv: Sequence[Json]
    env: Mapping[str, Json]
    cwd: Path
    health: Sequence[str] = ()


class ServiceType(ServiceBase):
    """Inputs: see `compile.service_inputs`. Outputs: `endpoints`."""

    name = "local:process/Service"

    async def make(self, operation: Operation) -> Made:
        inputs = operation.resource.inputs
        project, service = parse_urn(operation.resource.urn)
        await self._make_room(project, service, inputs)
        async with self.engine.lock(project, service):
            return await self._create(operation, project, service)

    async def _create(self, operation: Operation, project: str, service: str) -> Made:
        inputs = operation.resource.inputs
        await self.stop(project, service)
        start = await self._start(project, service, inputs)
        note = ServiceNote(
            urn=operation.resource.urn,
            project=project,
            service=service,
            replicas=inputs["replicas"],
            one_off=inputs["one_off"],
            image=str(inputs.get("image") or ""),
            outputs={"endpoints": _endpoints(inputs)},
        )
        self.engine.write_note(note)
        for replica in range(1, note.replicas + 1):
            launch = launchfile.write(
                self.engine, project, service, replica,
                argv=start.argv, env=start.env, cwd=start.cwd, health=start.health, plain_postgres=inputs["plain_postgres"],
            )  # fmt: skip
            await self.engine.supervisor.put(
                Program(
                    name=program(project, service, replica),
                    launch_file=launch,
                    restart=self._restart(inputs["restart"]),
                    once=note.one_off,
                    stop_signal=inputs["stop_signal"] or "TERM",
                    stop_seconds=max(1, int(inputs["stop_grace_period"])),
                )
            )
        return Made(id=f"{project}.{service}", outputs=note.outputs)

    async def _make_room(self, project: str, service: str, inputs: Mapping[str, Json]) -> None:
        """Stop whoever listens where this service is to listen: a service that was given another port, and starts anew there.

        Raises `ProviderError` where the port was given to that other one.
        """
        for port in _ports(inputs).values():
            other = self.engine.listening(project).get(port, service)
            if other == service:
                continue
            if parse_urn(self.engine.book.owner(port)) == (project, other):
                raise ProviderError(f"port {port} is {other}'s", hint="publish another port")
            async with self.engine.lock(project, other):
                if port in self._listens(project, other):
                    await self.stop(project, other)

    def _listens(self, project: str, service: str) -> Sequence[int]:
        note = self.engine.note(project, service)
        return note.listens if note else ()

    async def settle(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        inputs = operation.resource.inputs
        project, service = parse_urn(operation.resource.urn)
        waiter = Waiter(self.engine, operation.emit, project, service, inputs["replicas"])
        check = _check(inputs, load(Path(inputs["image"])) if inputs["image"] else None)
        probe = self._probe(inputs, check)
        budget = _budget(check) if check else _PORT_BUDGET
        seconds = min(check.timeout, budget) if check else 5.0
        await waiter.well(probe, budget=budget, seconds=seconds, restart=self._restart(inputs["restart"]))
        return made.outputs

    async def unmake(self, recorded: Recorded) -> None:
        project, service = parse_urn(recorded.urn)
        note = self.engine.note(project, service)
        if note is not None and note.urn != recorded.urn:
            return  # the service lives on as another type
        await self.stop(project, service)
        await asyncio.to_thread(shutil.rmtree, self.engine.folder(project, service), ignore_errors=True)
        for number in range(1, (note.replicas if note else 1) + 1):
            log = self.engine.log(project, service, number)
            for path in (log, log.with_name(f"{log.name}.1")):
                path.unlink(missing_ok=True)

    def _restart(self, policy: str) -> str:
        return _RESTART.get(policy.partition(":")[0], "true")

    def _probe(self, inputs: Mapping[str, Json], check: Healthcheck | None) -> Probe:
        return of_healthcheck(check, _ports(inputs))

    async def _start(self, project: str, service: str, inputs: Mapping[str, Json]) -> _Start:
        built = load(Path(inputs["image"]))
        if built is None:
            raise ProviderError(f"the image of {service} is gone", hint="`up --build` makes it anew")
        image = await asyncio.to_thread(workcopy.make, self.engine, project, service, built, inputs["mounts"])
        ports = _ports(inputs)
        words = command_of(image, inputs["entrypoint"], inputs["command"])
        if not words:
            raise ProviderError(f"nothing says what {service} runs", hint="give the service a `command`")
        health = [rewrite(word, image) for word in self._probe(inputs, _check(inputs, built)).command]
        workdir = image.host_path(inputs["working_dir"] or image.workdir)
        workdir.mkdir(parents=True, exist_ok=True)
        return _Start(
            argv=with_ports([rewrite(word, image) for word in words], ports, self.engine.bind),
            env=self._environment(image, inputs, ports),
            cwd=workdir,
            health=health,
        )

    def _environment(self, image: BuiltImage, inputs: Mapping[str, Json], ports: Mapping[int, int]) -> dict[str, Json]:
        env: dict[str, Json] = dict(environment_of(image, os.environ))
        env |= {key: _in_paths(_plain(text), image) for key, text in image.secret_env.items()}
        env |= {key: _in_paths(value, image) for key, value in inputs["environment"].items()}
        if ports:
            first = next(iter(ports.values()))
            for key, value in env.items():
                # A port of the service itself, told by a variable: SERVER_PORT=8000.
                if (key == "PORT" or key.endswith("_PORT")) and str(value).isdigit() and int(value) in ports:
                    env[key] = str(ports[int(value)])
            env.setdefault("PORT", str(first))
            env["DEFANG_NB_PORTS"] = ",".join(f"{target}:{here}" for target, here in ports.items())
            env["DEFANG_NB_BIND"] = self.engine.bind
            path = env.get("PYTHONPATH", "")
            env["PYTHONPATH"] = {"$join": [f"{_SHIM / 'pythonpath'}{os.pathsep}", path]} if path else str(_SHIM / "pythonpath")
        return env


class JobType(ServiceType):
    """A one-off: ready when it has ended with exit code 0."""

    name = "local:process/Job"
    once = True

    async def settle(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        project, service = parse_urn(operation.resource.urn)
        seconds = await Waiter(self.engine, operation.emit, project, service).done()
        return {**made.outputs, "detail": f"exited 0 in {seconds:.0f} s"}

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """One that has done its work needs no process any more."""
        running = await super().read_many(recorded)
        return {each.urn: each.outputs if each.ready else running[each.urn] for each in recorded}

    def _restart(self, policy: str) -> str:
        return "false"


class SiteType(ServiceType):
    """Static files, served by `shim/serve.py`. Inputs also: `folder`, `redirects`."""

    name = "local:process/Site"

    async def _start(self, project: str, service: str, inputs: Mapping[str, Json]) -> _Start:
        folder = Path(inputs["folder"])
        if inputs.get("image"):
            built = load(Path(inputs["image"]))
            if built is None:
                raise ProviderError(f"the image of {service} is gone", hint="`up --build` makes it anew")
            image = await asyncio.to_thread(workcopy.make, self.engine, project, service, built, [])
            folder = image.host_path(inputs["folder"] or image.workdir)
            if not folder.is_dir():
                folder = image.host_path(image.workdir)
        if not folder.is_dir():
            raise ProviderError(f"{service}: there is no folder {inputs['folder']} to serve")
        port = next(iter(_ports(inputs).values()))
        argv = [sys.executable, "-I", "-S", str(_SHIM / "serve.py"), str(folder), str(port), *inputs["redirects"]]
        return _Start(argv=argv, env={"DEFANG_NB_BIND": self.engine.bind, "PATH": os.defpath}, cwd=folder)


def _ports(inputs: Mapping[str, Json]) -> dict[int, int]:
    """Target → port here, of the ports that the service listens on, in the order they are written."""
    given = inputs.get("ports") or {}
    return {int(target): int(given[str(target)]) for target in inputs["listens"] if str(target) in given}


def _endpoints(inputs: Mapping[str, Json]) -> list[Json]:
    ports = _ports(inputs)
    return [
        {"url": f"{each['scheme']}://127.0.0.1:{ports[each['target']]}", "port": each["target"], "public": each["public"]}
        for each in inputs["endpoints"]
        if each["target"] in ports
    ]


def _check(inputs: Mapping[str, Json], image: BuiltImage | None) -> Healthcheck | None:
    """The service's own health check; without one, its image's."""
    if inputs["healthcheck"]:
        return msgspec.convert(inputs["healthcheck"], Healthcheck)
    return image.healthcheck if image else None


def _budget(check: Healthcheck) -> float:
    """Seconds until a service that never gets well is unhealthy, as Docker counts: the start period, then all its retries."""
    return max(_SHORTEST_BUDGET, check.start_period + check.retries * check.interval)


def _plain(text: Sequence[object]) -> Json:
    return {"$join": [part if isinstance(part, str) else {"$config": getattr(part, "key", "")} for part in text]}


def _in_paths(value: Json, image: BuiltImage) -> Json:
    """Container paths in the literal parts of a value, as they are on this machine."""
    match value:
        case str():
            return rewrite(value, image)
        case {"$join": list(parts)}:
            return {"$join": [rewrite(part, image) if isinstance(part, str) else part for part in parts]}
    return value
