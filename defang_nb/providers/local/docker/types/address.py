"""`local:docker/Address`: the ports of this machine on which a service is found, whichever containers answer there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from defang_nb.errors import ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.docker.fronts import Fronts
from defang_nb.providers.local.docker.types.base import DockerType
from defang_nb.providers.local.process import ports
from defang_nb.providers.local.process.engine import parse_urn
from defang_nb.provision.ports import Made, Operation

_RELEASE_SECONDS = 30.0
_LOOK_AGAIN = 0.05
_FORWARDER_SECONDS = 1.0
"""How long the forwarder may take to let go of a port that was given back."""


class AddressType(DockerType):
    """Inputs: `ports`, a list of {target, published, exact, host}. Outputs: `ports` (target → port here)."""

    name = "local:docker/Address"

    async def create(self, operation: Operation) -> Made:
        """The port asked for; where any will do, the one given before, the container's own, or a free one.

        A port that another of our services has is waited for: it is given back in the same deployment.
        """
        urn, wanted = operation.resource.urn, operation.resource.inputs["ports"]
        await asyncio.to_thread(self._give_back, urn, wanted)
        deadline, unowned = time.monotonic() + _RELEASE_SECONDS, 0.0
        while True:
            given, taken = await asyncio.to_thread(self._allocate, urn, wanted)
            if not taken:
                return _made(urn, given)
            owner = parse_urn(self.engine.book.owner(taken))
            unowned = 0.0 if owner[0] else unowned + _LOOK_AGAIN
            if time.monotonic() > deadline or unowned > _FORWARDER_SECONDS:
                holder = f"service {owner[1]} of project {owner[0]}" if owner[0] else ports.holder(taken)
                raise ProviderError(f"port {taken} is in use by {holder}", hint="stop it, or publish another port")
            await asyncio.sleep(_LOOK_AGAIN)

    async def find(self, urn: str) -> Made | None:
        given = self.engine.book.read().get(urn)
        return _made(urn, given) if given is not None else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        """None where a port that may be any is somebody else's by now: another one is chosen."""
        book, refused = self.engine.book.read(), await asyncio.to_thread(self._fronts.refused)

        def lost(each: Recorded) -> bool:
            loose = {str(port["target"]) for port in each.inputs["ports"] if not port["exact"]}
            return any(target in loose and port in refused for target, port in book[each.urn].items())

        return {each.urn: each.outputs if each.urn in book and not lost(each) else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        with self.engine.book.changing() as entries:
            entries.pop(recorded.urn, None)

    @property
    def _fronts(self) -> Fronts:
        return Fronts(self.engine.paths.root / "fronts")

    def _give_back(self, urn: str, wanted: Sequence[Mapping[str, Json]]) -> None:
        """What is not wanted any more: two services may each want the port that the other one has."""
        wishes = {str(each["target"]): each for each in wanted}
        with self.engine.book.changing() as entries:
            entries[urn] = {
                target: port
                for target, port in entries.get(urn, {}).items()
                if target in wishes and (not wishes[target]["exact"] or wishes[target]["published"] == port)
            }

    def _allocate(self, urn: str, wanted: Sequence[Mapping[str, Json]]) -> tuple[dict[str, int], int]:
        """The ports, or the one that can't be had now."""
        with self.engine.book.elsewhere() as claims, self.engine.book.changing() as entries:
            before = entries.get(urn, {})
            away = claims.others()
            refused = self._fronts.refused()
            others = {port for other, given in entries.items() if other != urn for port in given.values()}
            given: dict[str, int] = {}
            for each in wanted:
                previous = before.get(str(each["target"]))
                if previous in refused and not each["exact"]:
                    previous = None
                port = _choose(each, previous, others | away | set(given.values()))
                if port in others or (port != previous and ports.problem(port) == "taken"):
                    return {}, port
                given[str(each["target"])] = port
            entries[urn] = given
            claims.add(given.values())
            return given, 0


def _choose(wish: Mapping[str, Json], previous: int | None, avoid: set[int]) -> int:
    if wish["exact"]:
        return int(wish["published"])
    if previous:
        return previous
    target = int(wish["target"])
    fits = target >= 1024 and target not in avoid and not ports.problem(target)
    return target if fits else ports.free(avoid)


def _made(urn: str, given: Mapping[str, int]) -> Made:
    return Made(id=urn, outputs={"ports": dict(given)})
