"""`local:docker/PulledImage`: an image that somebody else built."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from defang_nb.errors import ProviderError
from defang_nb.model.events import BuildLine
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.docker.engine import NotThereError
from defang_nb.providers.local.docker.types.base import DockerType
from defang_nb.provision.ports import Emit, Made, OnCancel, Operation, TransientError

_ALWAYS = ("always", "refresh", "daily", "weekly")
_STEPS = ("Pulling from", "Digest:", "Status:")


class PulledImageType(DockerType):
    """Inputs: `reference`, `platform`, `policy` (Compose's `pull_policy`). Outputs: `image`, its id. Deleted, it stays."""

    name = "local:docker/PulledImage"
    replace_on = frozenset({"reference", "platform"})
    create_before_delete = True
    on_cancel = OnCancel.ABANDON

    async def create(self, operation: Operation) -> Made:
        return await self._have(operation, anew=str(operation.resource.inputs["policy"]).split("_")[0] in _ALWAYS)

    async def update(self, operation: Operation) -> Made:
        """Asked for by `--build`, or since the policy changed: look for a newer one."""
        return await self._have(operation, anew=operation.resource.inputs["policy"] != "never")

    async def find(self, urn: str) -> Made | None:
        """Nothing tells who pulled it, so there is nothing to find; pulling again costs a look at the registry at most."""
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["Id"] for each in await self.engine.images()}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        """Others may use it."""

    async def _have(self, operation: Operation, *, anew: bool) -> Made:
        inputs, urn = operation.resource.inputs, operation.resource.urn
        name, platform = inputs["reference"], inputs["platform"]
        image = await self._id(name)
        if not image and inputs["policy"] == "never":
            raise ProviderError(f"there is no image {name} here, and pull_policy is never", hint=f"docker pull {name}")
        if not image or anew:
            try:
                await self._pull(name, platform, urn, operation.emit)
            except (ProviderError, TransientError):
                if not image:
                    raise
                operation.emit(BuildLine(urn=urn, line=f"{name} can't be pulled; the one that is here is used"))
            image = await self._id(name)
        return Made(id=image, outputs={"image": image})

    async def _pull(self, name: str, platform: str, urn: str, emit: Emit) -> None:
        loop = asyncio.get_running_loop()

        def tell(line: str) -> None:
            loop.call_soon_threadsafe(emit, BuildLine(urn=urn, line=line))

        def pull(client: Any) -> str:
            repository, tag = _split(name)
            for record in client.pull(repository, tag=tag, platform=platform or None, stream=True, decode=True):
                if said := record.get("error"):
                    return str(said)
                for line in _shown(record):
                    tell(line)
            return ""

        tell(f"pulling {name}")
        try:
            problem = await self.engine.ask(pull)
        except ProviderError as error:
            problem = error.message
        if problem:
            hint = "is its name right, can its registry be reached from here, and does it need a login (docker login)?"
            raise ProviderError(f"the image {name} can't be had: {problem}", hint=hint)

    async def _id(self, name: str) -> str:
        try:
            return str((await self.engine.ask(lambda client: client.inspect_image(name)))["Id"])
        except NotThereError:
            return ""


def _split(name: str) -> tuple[str, str]:
    """`repository` and tag, or digest."""
    if "@" in name:
        repository, _, digest = name.partition("@")
        return repository, digest
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, "latest")


def _shown(record: Mapping[str, Any]) -> Iterator[str]:
    """The steps of a pull, and no progress bars: they would be thousands of lines."""
    status = str(record.get("status", ""))
    if any(status.startswith(each) or each in status for each in _STEPS) or status in ("Pull complete", "Already exists"):
        yield f"{record['id']}: {status}" if record.get("id") else status
