"""`local:docker/Service` and `…/Job`: a Compose service as containers."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from defang_nb.errors import ProviderError
from defang_nb.model.events import Diagnosed
from defang_nb.model.resource import Recorded, Resource, hash_inputs
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.model.value import Json, config_keys
from defang_nb.providers.local.docker import container as containers
from defang_nb.providers.local.docker import hooks, labels
from defang_nb.providers.local.docker.container import LOOPBACK, RUNNING, Seen, Wish
from defang_nb.providers.local.docker.engine import TakenError
from defang_nb.providers.local.docker.fronts import REPLICA, Fronts
from defang_nb.providers.local.docker.types.base import LabelledType
from defang_nb.providers.local.docker.waiting import SETTLED, Waiter
from defang_nb.providers.local.process import ports
from defang_nb.providers.local.process.engine import parse_urn
from defang_nb.provision.ports import Live, Made, Operation

_TRIES = 5
"""So often another port is chosen, when somebody takes the one that was free a moment ago."""
_GRACE = 10.0
"""Seconds for what does not say how long it takes to stop: Compose's own."""
_PORT_TAKEN = ("address already in use", "port is already allocated")


class ServiceType(LabelledType):
    """Inputs: see `compile`. Outputs: `endpoints`.

    A service that is published and keeps no data gets its new containers beside the old ones, which go when the new ones are
    well. All others are stopped first (`alone`): two of a database must not write to one volume.
    """

    name = "local:docker/Service"
    typical = SETTLED

    async def create(self, operation: Operation) -> Made:
        """Make what is missing of the wanted containers, and start them; called again it makes nothing twice."""
        resource = operation.resource
        inputs, urn = resource.inputs, resource.urn
        project, service = parse_urn(urn)
        there, values = await asyncio.gather(containers.of_urn(self.engine, urn), self._secret_values(project, inputs))
        wanted = fingerprint(inputs)
        good = {each.replica: each for each in there if each.hash == wanted and each.state != "dead"}
        others = [each for each in there if each not in good.values()]
        numbers = range(1, inputs["replicas"] + 1)
        inherited: Mapping[str, str] = {}
        if all(number in good and good[number].running for number in numbers):
            others = []  # nothing comes in their way; they go once these are well
        if others and (inputs["alone"] or any(each.anonymous for each in others)):
            inherited = await self._retire(others, inputs)
        elif others:
            await asyncio.gather(*(self._step_aside(each, inputs) for each in others))

        def wish(number: int) -> Wish:
            return Wish(
                urn=urn,
                replica=number,
                name=_name(inputs, service, number),
                hash=wanted,
                inputs=inputs,
                backends={},
                values=values,
                bind=self.engine.bind,
                inherited=inherited,
            )

        told = await asyncio.gather(*(self._have(wish(number), good.get(number)) for number in numbers))
        for said in dict.fromkeys(itertools.chain(*told)):
            operation.emit(_warning(service, said))
        return Made(id=f"{project}.{service}", outputs={"endpoints": []})

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        inputs, urn = operation.resource.inputs, operation.resource.urn
        together = False
        if not (inputs["fronts"] or inputs.get("healthcheck")):
            await asyncio.sleep(SETTLED)
            together = await self.engine.starts.others()
        there = await containers.of_urn(self.engine, urn, alone=not together)
        mine = [each for each in there if each.hash == fingerprint(inputs)]
        backends = [port for each in mine for port in _backends(each, inputs).values()]
        at_last = await Waiter(self.engine, operation, mine).well(there, backends)
        await self._publish(urn, inputs, mine)
        await self._remove_others(at_last, operation.resource)
        return {"endpoints": _endpoints(inputs, mine)}

    async def find(self, urn: str) -> Made | None:
        project, service = parse_urn(urn)
        there = await containers.of_urn(self.engine, urn)
        return Made(id=f"{project}.{service}", outputs={"endpoints": []}) if there else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """None where a container is gone, stopped or of other inputs; the forwarder is started again where it has to be."""
        await asyncio.to_thread(self.fronts.ensure)
        running: dict[str, set[int]] = {}
        for each in map(containers.seen, await self.engine.containers()):
            if each.running:
                running.setdefault(f"{each.urn} {each.hash}", set()).add(each.replica)
        return {each.urn: each.outputs if self._whole(each, running) else None for each in recorded}

    def _whole(self, recorded: Recorded, running: Mapping[str, set[int]]) -> bool:
        wanted = set(range(1, recorded.inputs["replicas"] + 1))
        published = not recorded.inputs["fronts"] or not recorded.ready or self.fronts.has(_front(recorded.urn))
        return wanted <= running.get(f"{recorded.urn} {fingerprint(recorded.inputs)}", set()) and published

    async def _owned(self, project: str) -> Sequence[Live]:
        """A container does not tell what it was made from but by a digest, which the update after an adoption compares."""
        networks, volumes, there = await asyncio.gather(self.engine.networks(), self.engine.volumes(), self.engine.containers())
        urns = {
            each["Name"]: each["Labels"][labels.URN] for each in (*networks, *volumes) if self.engine.owns(each.get("Labels"))
        }
        needs: dict[str, set[str]] = {}
        for each in self.mine(there, project):
            used = [
                *((each.get("NetworkSettings") or {}).get("Networks") or ()),
                *(it.get("Name") for it in each.get("Mounts") or ()),
            ]
            needs.setdefault(each["Labels"][labels.URN], set()).update(urns[name] for name in used if name in urns)
        found = []
        for urn, needed in sorted(needs.items()):
            of, name = parse_urn(urn)
            found.append(
                Live(urn=urn, type=self.name, id=f"{of}.{name}", title=name, service=name, needs=tuple(sorted(needed)))
            )
        return found

    async def delete(self, recorded: Recorded) -> None:
        self.fronts.remove(_front(recorded.urn))
        there = await containers.of_urn(self.engine, recorded.urn)
        await asyncio.gather(*(self._remove(each, recorded.inputs) for each in there))
        await asyncio.to_thread(shutil.rmtree, self.engine.files(recorded.urn), ignore_errors=True)
        self.engine.note(recorded.urn, there=False)

    @property
    def fronts(self) -> Fronts:
        return Fronts(self.engine.paths.root / "fronts")

    async def _secret_values(self, project: str, inputs: Mapping[str, Json]) -> Mapping[str, str]:
        """The configuration values that it is made with; most services name none, and need no look at the disk."""
        named = [inputs["environment"], inputs["files"]]
        if next(iter(config_keys(named)), None) is None:
            return {}
        return await asyncio.to_thread(self.engine.secret_values, project, named)

    async def _have(self, wish: Wish, there: Seen | None) -> Sequence[str]:
        """One container, started. What the engine warned of."""
        for left in reversed(range(_TRIES)):
            new = there is None and bool(wish.inputs["fronts"])
            backends = await asyncio.to_thread(self._choose_ports, wish) if new else {}
            chosen = msgspec.structs.replace(wish, backends=backends)
            try:
                if there is None:
                    return await self._new(chosen)
                await self.engine.ask(partial(self._start_again, wish=wish, there=there))
            except TakenError as error:
                raise containers.name_taken(wish.name, error) from None
            except ProviderError as error:
                if there is not None:  # an engine that was killed can't always start what it had: another one is made
                    await self._remove(there, wish.inputs)
                    there = None
                    continue
                if not left or not backends or not any(each in error.message for each in _PORT_TAKEN):
                    raise
            else:
                return ()
        return ()

    async def _new(self, wish: Wish) -> Sequence[str]:
        """A new container, started; none when it can't be. What the engine warned of."""

        def make(client: Any) -> tuple[str, Sequence[str]]:
            self.engine.note(wish.urn, there=True)
            return containers.make(client, self.engine, wish)

        async with self.engine.turns.next():
            made, told = await self.engine.ask(make)

        def start(client: Any) -> None:
            try:
                self._start(client, wish, made, "created")
            except Exception:
                client.remove_container(made, force=True, v=True)
                raise

        with self.engine.starts.one():
            await self.engine.ask(start)
        return told

    def _start_again(self, client: Any, wish: Wish, there: Seen) -> None:
        """Have one run that is there: one that an earlier deployment made, perhaps without a note of it."""
        self.engine.note(wish.urn, there=True)
        self._start(client, wish, there.id, there.state)

    def _start(self, client: Any, wish: Wish, container: str, state: str) -> None:
        """Have it run, whatever its state."""
        if state == "paused":
            client.unpause(container)
        elif state not in RUNNING:
            client.start(container)
            hooks.run(client, container, wish.inputs.get(hooks.POST_START))

    def _choose_ports(self, wish: Wish) -> dict[int, int]:
        """Ports of the loopback for the forwarder, kept in the book, so that a container that is started again keeps them."""
        with self.engine.book.changing() as entries:
            held = {port for given in entries.values() for port in given.values()}
            given: dict[int, int] = {}
            for target in map(int, wish.inputs["fronts"]):
                given[target] = ports.free(held | set(given.values()))
            if given:
                entries[_booked(wish.urn, wish.replica, wish.hash)] = {str(target): port for target, port in given.items()}
        return given

    async def _publish(self, urn: str, inputs: Mapping[str, Json], mine: Sequence[Seen]) -> None:
        table = {
            (str(inputs["hosts"].get(target) or self.engine.bind), int(front)): [
                (LOOPBACK, backends[int(target)]) for each in mine if int(target) in (backends := _backends(each, inputs))
            ]
            for target, front in inputs["fronts"].items()
        }
        if table:
            await self.fronts.put(_front(urn), table)

    async def _retire(self, others: Sequence[Seen], inputs: Mapping[str, Json]) -> Mapping[str, str]:
        """Remove the old ones first; where each of the first one's unnamed volumes was, which the new one gets."""

        def volumes(client: Any) -> dict[str, str]:
            mounts = client.inspect_container(others[0].id).get("Mounts") or []
            return {each["Destination"]: each["Name"] for each in mounts if len(each.get("Name") or "") == 64}

        inherited = await self.engine.ask(volumes) if others[0].anonymous else {}
        await asyncio.gather(*(self._remove(each, inputs, volumes=not inherited) for each in others))
        return inherited

    async def _step_aside(self, old: Seen, inputs: Mapping[str, Json]) -> None:
        """The next one gets its name. One that can't be renamed (it is just being started again) is of no use, and goes."""
        if not old.name.endswith(old.id[:6]):
            renamed = partial(containers.rename, container=old, name=f"{old.name}-{old.id[:6]}")
            if not await self.engine.ask(renamed):
                await self._remove(old, inputs)

    async def _remove_others(self, there: Sequence[Seen], resource: Resource) -> None:
        inputs, wanted = resource.inputs, fingerprint(resource.inputs)
        _, service = parse_urn(resource.urn)
        surplus = [each for each in there if each.hash != wanted or each.replica > inputs["replicas"]]
        await asyncio.gather(*(self._remove(each, inputs) for each in surplus))
        for each in there:
            if each not in surplus and each.name != (name := _name(inputs, service, each.replica)):
                await self.engine.ask(partial(containers.rename, container=each, name=name))

    async def _remove(self, old: Seen, inputs: Mapping[str, Json], *, volumes: bool = True) -> None:
        grace = float(inputs.get("stop_grace_period", _GRACE))

        def remove(client: Any) -> None:
            if old.running:
                hooks.run(client, old.id, inputs.get(hooks.PRE_STOP))
            containers.remove(client, old, grace=grace, volumes=volumes)

        await self.engine.ask(remove)
        with self.engine.book.changing() as entries:
            entries.pop(_booked(old.urn, old.replica, old.hash), None)

    async def _mine(self, urn: str, wanted: str) -> list[Seen]:
        there = await containers.of_urn(self.engine, urn)
        return [each for each in there if each.hash == wanted]


class JobType(ServiceType):
    """A one-off: ready when it has ended with exit code 0."""

    name = "local:docker/Job"
    typical = 0.0
    once = True

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        mine = await self._mine(operation.resource.urn, fingerprint(operation.resource.inputs))
        seconds = await Waiter(self.engine, operation, mine).done()
        return {"endpoints": [], "detail": f"exited 0 in {seconds:.0f} s"}

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """One that has done its work needs no container any more."""
        running = await super().read_many(recorded)
        return {each.urn: each.outputs if each.ready else running[each.urn] for each in recorded}


def fingerprint(inputs: Mapping[str, Json]) -> str:
    """What a container is known by to be of these inputs; how many there are is not about any one of them."""
    return hash_inputs({key: value for key, value in inputs.items() if key != "replicas"})


def _warning(service: str, said: str) -> Diagnosed:
    """What the engine did not do, or did otherwise: "Your kernel does not support Block I/O weight … Weight discarded."."""
    message = f"service {service}: {said.strip()}"
    return Diagnosed(diagnostic=Diagnostic(severity=Severity.WARNING, code="engine-warning", message=message, service=service))


def _name(inputs: Mapping[str, Json], service: str, number: int) -> str:
    if name := inputs.get("container_name"):
        return str(name)
    return f"{inputs['prefix']}-{service}-{number}"


def _front(urn: str) -> str:
    return ".".join(parse_urn(urn))


def _booked(urn: str, replica: int, hash_: str) -> str:
    return f"{urn}{REPLICA}{replica}.{hash_[:12]}"


def _backends(each: Seen, inputs: Mapping[str, Json]) -> dict[int, int]:
    """Target → port of the loopback, of the ports that the forwarder answers for."""
    return {target: port for target, protocol, port in each.ports if protocol == "tcp" and str(target) in inputs["fronts"]}


def _endpoints(inputs: Mapping[str, Json], mine: Sequence[Seen]) -> list[Json]:
    direct = {target: port for each in mine for target, protocol, port in each.ports if protocol == "tcp"}
    given = direct | {int(target): int(front) for target, front in inputs["fronts"].items()}
    return [
        {"url": f"{each['scheme']}://{LOOPBACK}:{given[each['target']]}", "port": each["target"], "public": each["public"]}
        for each in inputs["endpoints"]
        if each["target"] in given
    ]
