"""`local:docker/Image`: an image built by the engine, or by Kaniko and then pulled."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from defang_nb.build.hidden import held
from defang_nb.errors import DefangError, ProviderError
from defang_nb.model.events import BuildLine
from defang_nb.model.image import ImageSource
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.value import Json, config_keys
from defang_nb.providers.local.docker.builders.choose import Builders
from defang_nb.providers.local.docker.builders.port import Builder
from defang_nb.providers.local.docker.builders.stream import Connect
from defang_nb.providers.local.process.engine import fill, parse_urn
from defang_nb.provision.ports import ApiClass, Made, ObjectStore, OnCancel, Operation, TransientError

T = TypeVar("T")

Secrets = Callable[[str, Json], Mapping[str, str]]
"""The configuration values of a project that inputs name. Raises `NotFoundError` for one that is not set."""


Marks = Callable[[str, str], Mapping[str, str]]
"""The labels of what is ours, by its project and urn."""


class ImageType:
    """Inputs: `source` (an `ImageSource`), `reference`, `args` (the source's, as inputs).

    Outputs: `image` (what a container is to be made from: it names this very image) and `reference`.
    """

    name = "local:docker/Image"
    replace_on = frozenset({"reference"})
    create_before_delete = True
    on_cancel = OnCancel.ABANDON
    api = ApiClass("builds", 4)
    lag = 0.0
    idempotent = True

    def __init__(self, connect: Connect, store: ObjectStore, builders: Builders, secrets: Secrets, marks: Marks) -> None:
        self._connect = connect
        self._store = store
        self._builders = builders
        self._secrets = secrets
        self._marks = marks

    async def create(self, operation: Operation) -> Made:
        """Nothing is built where the reference exists: it is a pure function of what an image is made from."""
        resource = operation.resource
        reference = resource.inputs["reference"]
        if image := await self._ask(lambda client: _id(client, reference)):
            operation.emit(BuildLine(urn=resource.urn, line="built already", cached=True))
            return _made(image, reference)
        source = msgspec.convert(resource.inputs["source"], ImageSource)
        if pushed := await (await self._builder(resource)).existing(source):
            operation.emit(BuildLine(urn=resource.urn, line=f"built already: {pushed}", cached=True))
            return _made(await self._ask(lambda client: _id(client, pushed)), reference)
        return await self._build(operation)

    async def update(self, operation: Operation) -> Made:
        """Build anew what is there already. What the old one leaves behind without a name is removed."""
        made = await self._build(operation)
        old = (operation.previous.outputs if operation.previous else {}).get("image", "")
        if old and old != made.outputs["image"]:
            await self._ask(lambda client: _remove(client, old, old))
        return made

    async def find(self, urn: str) -> Made | None:
        marks = self._marks(parse_urn(urn)[0], urn)

        def newest(client: Any) -> Made | None:
            found = client.images(filters={"label": [f"{key}={value}" for key, value in marks.items()]})
            named = [each for each in found if each.get("RepoTags")]
            if not named:
                return None
            image = max(named, key=lambda each: each["Created"])
            return _made(image["Id"], image["RepoTags"][0])

        return await self._ask(newest)

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found = await self._ask(lambda client: client.images())
        there = {name for each in found for name in (each["Id"], *(each.get("RepoDigests") or []))}
        return {each.urn: each.outputs if each.outputs.get("image") in there else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        """Take the name away from it; the image itself goes too unless somebody uses it."""
        image, reference = recorded.outputs.get("image", ""), recorded.inputs["reference"]
        await self._ask(lambda client: _remove(client, reference, image))

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        return made.outputs

    async def _build(self, operation: Operation) -> Made:
        resource = operation.resource
        source = msgspec.convert(resource.inputs["source"], ImageSource)
        project, _ = parse_urn(resource.urn)
        given = resource.inputs["args"]
        values = self._secrets(project, given)
        args = {key: fill(value, values) for key, value in given.items()}
        hidden = held(source.args, args, {key: values[key] for key in config_keys(given)})

        def emit(line: str, *, step: int = 0, steps: int = 0, cached: bool = False, seconds: float = 0.0) -> None:
            operation.emit(BuildLine(urn=resource.urn, line=line, step=step, steps=steps, cached=cached, seconds=seconds))

        builder = await self._builder(resource)
        with tempfile.TemporaryDirectory(prefix="defang-nb-context-") as folder:
            archive = Path(folder) / Path(source.context_key).name
            await self._store.download(source.context_key, archive)
            try:
                image = await builder.build(source, archive, args, hidden.tell(emit))
            except DefangError as error:
                raise hidden.error(error) from None
        # The same image is called by its id, whether it was built here or fetched from where it was pushed to.
        return _made(await self._ask(lambda client: _id(client, image)) or image, source.reference)

    async def _builder(self, resource: Resource) -> Builder:
        marks = self._marks(parse_urn(resource.urn)[0], resource.urn)
        return await asyncio.to_thread(self._builders, marks)

    async def _ask(self, what: Callable[[Any], T]) -> T:
        """Ask the engine in a thread. Raises `ProviderError`, and `TransientError` where it can't be reached."""

        def ask() -> T:
            import requests
            from docker.errors import APIError, DockerException

            try:
                client = self._connect()
                try:
                    return what(client)
                finally:
                    client.close()
            except APIError as error:
                raise ProviderError(f"the engine refused: {error.explanation}") from None
            except (DockerException, requests.RequestException) as error:
                raise TransientError("the engine does not answer", hint="see whether it runs", after=1.0) from error

        return await asyncio.to_thread(ask)


def _made(image: str, reference: str) -> Made:
    return Made(id=image, outputs={"image": image, "reference": reference})


def _id(client: Any, name: str) -> str:
    """The id of an image by its name; "" when there is none."""
    from docker.errors import ImageNotFound

    try:
        return str(client.inspect_image(name)["Id"])
    except ImageNotFound:
        return ""


def _remove(client: Any, name: str, image: str) -> None:
    """Remove `name` if it still names `image`, and what it was fetched as; what a container uses stays."""
    from docker.errors import APIError, ImageNotFound

    try:
        found = client.inspect_image(name)
    except ImageNotFound:
        return
    if not image or found["Id"] != _id(client, image):
        return
    repository = name.rpartition(":")[0]
    pushed = [each for each in found.get("RepoDigests") or [] if each.partition("@")[0].endswith(f"/{repository}")]
    for each in (name, *pushed):
        try:
            client.remove_image(each)
        except APIError as error:
            if error.status_code not in (404, 409):
                raise
