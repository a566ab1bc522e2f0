"""`local:process/Address`: the ports of this machine where a service listens.

It is a resource of its own, so that services that name each other in their environments depend on addresses, not in a circle
on one another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from defang_nb.errors import ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.process import ports
from defang_nb.providers.local.process.engine import parse_urn
from defang_nb.providers.local.process.types.base import EngineType
from defang_nb.provision.ports import Made, Operation

_RELEASE_SECONDS = 30.0
"""How long a service that goes may take to give its port back: longer than the usual grace period."""
_LOOK_AGAIN = 0.05


class AddressType(EngineType):
    """Inputs: `ports`, a list of {target, published, exact}. Outputs: `host`, and `ports` (target → port here)."""

    name = "local:process/Address"

    async def make(self, operation: Operation) -> Made:
        wanted = operation.resource.inputs["ports"]
        await asyncio.to_thread(self._release, operation.resource.urn, wanted)
        await self._until_released(operation.resource.urn, [each["published"] for each in wanted if each["exact"]])
        given = await asyncio.to_thread(self._allocate, operation.resource.urn, wanted)
        return Made(id=operation.resource.urn, outputs=_outputs(given))

    def claims(self, inputs: Mapping[str, Json]) -> Sequence[str]:
        return [f"port {each['published']}" for each in inputs["ports"] if each["exact"]]

    async def find(self, urn: str) -> Made | None:
        given = self.engine.book.read().get(urn)
        return Made(id=urn, outputs=_outputs(given)) if given is not None else None

    async def unmake(self, recorded: Recorded) -> None:
        with self.engine.book.changing() as entries:
            entries.pop(recorded.urn, None)

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """None where a port that was ours to choose went to somebody else while the service was down."""
        infos = await self.engine.supervisor.infos()
        result: dict[str, Mapping[str, Json] | None] = {}
        for each in recorded:
            project, service = parse_urn(each.urn)
            info = infos.get(f"{project}.{service}.1")
            lost = not (info and info.alive) and any(
                ports.problem(int(each.outputs["ports"][str(port["target"])])) == "taken"
                for port in each.inputs["ports"]
                if not port["exact"] and str(port["target"]) in each.outputs.get("ports", {})
            )
            if lost:
                await self.delete(each)
            result[each.urn] = None if lost else each.outputs
        return result

    def _release(self, urn: str, wanted: Sequence[Mapping[str, Json]]) -> None:
        """Give back first what is not wanted any more: two services may each want the port that the other one has."""
        wishes = {str(each["target"]): each for each in wanted}

        def stays(target: str, port: int) -> bool:
            wish = wishes.get(target)
            return wish is not None and (not wish["exact"] or wish["published"] == port)

        with self.engine.book.changing() as entries:
            if urn in entries:
                entries[urn] = {target: port for target, port in entries[urn].items() if stays(target, port)}

    async def _until_released(self, urn: str, published: Sequence[int]) -> None:
        """A service that takes another one's place may want its port, which is given back while this is made."""
        project, _ = parse_urn(urn)
        for _ in range(int(_RELEASE_SECONDS / _LOOK_AGAIN)):
            owners = {self.engine.book.owner(port) for port in published} - {urn, ""}
            if not any(parse_urn(owner)[0] == project for owner in owners):
                return
            await asyncio.sleep(_LOOK_AGAIN)

    def _allocate(self, urn: str, wanted: Sequence[Mapping[str, Json]]) -> dict[str, int]:
        ours = self.engine.listening(parse_urn(urn)[0])
        with self.engine.book.elsewhere() as claims, self.engine.book.changing() as entries:
            before = entries.get(urn, {})
            others = {port for other, given in entries.items() if other != urn for port in given.values()}
            away = claims.others()
            given: dict[str, int] = {}
            for each in wanted:
                target, published, exact = each["target"], each["published"], each["exact"]
                previous = before.get(str(target))
                # Who asks for one port is told who listens there; whoever chose it and does not yet may be done first.
                avoid = others | set(given.values()) | (set() if exact else away)
                given[str(target)] = _choose(target, published, exact, previous, avoid, ours)
            entries[urn] = given
            claims.add(given.values())
            return given


def _choose(
    target: int, published: int | None, exact: bool, previous: int | None, avoid: set[int], ours: Collection[int]
) -> int:
    """The port asked for; where any will do, the one given before, the container's own, or a free one.

    On `ours` this project's own services listen: who was given such a port gets it from them when it starts.
    """
    if exact and published:
        trouble = "" if published == previous or published in ours else ports.problem(published)
        if published in avoid or trouble == "taken":
            holder = "another service of this stack" if published in avoid else ports.holder(published)
            raise ProviderError(f"port {published} is in use by {holder}", hint="stop it, or publish another port")
        if not trouble:
            return published
    elif previous and previous not in avoid:
        return previous
    for port in (published, target):
        if port and port not in avoid and not ports.problem(port):
            return port
    return ports.free(avoid)


def _outputs(given: Mapping[str, int]) -> dict[str, Json]:
    return {"host": ports.LOOPBACK, "ports": dict(given), **{f"port_{target}": port for target, port in given.items()}}
