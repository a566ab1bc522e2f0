"""Kaniko's executor in a container for each image: it pushes to a registry, from where the engine fetches the image."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from defang_nb.build.kaniko import CREDENTIALS, DIGEST_FILE, IMAGE, Job, Story, arguments
from defang_nb.build.log import Tell, Text, read_dockerfile
from defang_nb.errors import ProviderError
from defang_nb.model.image import ImageSource
from defang_nb.model.value import ConfigRef
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.builders.registry import Registry, credentials
from defang_nb.providers.local.docker.builders.stream import Connect
from defang_nb.provision.ports import TransientError

IMAGE_SETTING = "DEFANG_KANIKO_IMAGE"
_CONTEXT = "/kaniko/context.tar.gz"
_CHUNK = 1024 * 1024


class Kaniko:
    """A `Builder`: gives `reference@digest` of what it pushed, which then is on the engine too, under the source's name.

    `marks` are labels for the image; the container carries them too, so that what a killed cd left is found and removed.
    """

    def __init__(
        self, connect: Connect, registry: Registry, marks: Mapping[str, str] | None = None, *, image: str = IMAGE
    ) -> None:
        self._connect = connect
        self._registry = registry
        self._marks = dict(marks or {})
        self._image = image

    async def build(self, source: ImageSource, context: Path, args: Mapping[str, str], emit: Tell) -> str:
        """See `Builder`."""
        story = Story(await asyncio.to_thread(read_dockerfile, context, source), emit)
        run, say = _Run(self._connect), emit_from(emit)
        try:
            await run.do(lambda client: self._create(client, run, source, context, args, say))
            async for line in run.lines():
                story.hear(line)
            code, digest = await run.do(run.result)
            if code != 0:
                raise story.failure(source, self._registry.host)
            pushed = f"{self._repository(source)}@{digest}"
            await run.do(lambda client: _fetch(client, pushed, source.reference))
            return pushed
        finally:
            await asyncio.shield(asyncio.ensure_future(run.end()))

    async def existing(self, source: ImageSource) -> str:
        """What the registry has under the source's reference, fetched."""

        def ask(client: Any) -> str:
            from docker.errors import APIError

            try:
                found = client.inspect_distribution(self.job(source, {}).destination)
            except APIError:
                return ""  # not there, or not to be asked for: building it will tell
            pushed = f"{self._repository(source)}@{found['Descriptor']['digest']}"
            _fetch(client, pushed, source.reference)
            return pushed

        return str(await _Run(self._connect).do(ask))

    def job(self, source: ImageSource, args: Mapping[str, str]) -> Job:
        """What the executor is asked for."""
        secret = [key for key, text in source.args.items() if any(isinstance(part, ConfigRef) for part in text)]
        name = self._repository(source)
        return Job(
            context=f"tar://{_CONTEXT}",
            destination=f"{name}:{source.reference.rpartition(':')[2]}",
            cache_repo=f"{name}/cache",
            dockerfile=source.dockerfile or "Dockerfile",
            target=source.target,
            platform=source.platform,
            args={key: value for key, value in args.items() if key not in secret},
            secret_args=tuple(key for key in secret if key in args),
            labels={**source.labels, **self._marks},
            mirrors=self._registry.mirrors,
            insecure=self._registry.insecure,
        )

    def _repository(self, source: ImageSource) -> str:
        return f"{self._registry.address}/{source.reference.rpartition(':')[0]}"

    def _create(
        self, client: Any, run: _Run, source: ImageSource, context: Path, args: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        job = self.job(source, args)
        _have(client, self._image, say)
        marks = {**self._marks, labels.ROLE: "kaniko"}
        _sweep(client, marks)
        made = client.create_container(
            self._image,
            entrypoint=["/kaniko/executor"],
            command=arguments(job),
            environment={key: args[key] for key in job.secret_args},
            labels=marks,
            host_config=client.create_host_config(network_mode="host" if self._registry.on_this_machine else "bridge"),
        )
        run.container = made["Id"]
        put(client, run.container, _CONTEXT, context)
        put(client, run.container, CREDENTIALS, credentials(client, self._registry))
        client.start(run.container)


def emit_from(emit: Tell) -> Callable[[str], None]:
    """`emit`, for a thread."""
    loop = asyncio.get_running_loop()

    def say(line: str) -> None:
        loop.call_soon_threadsafe(emit, line)

    return say


class _Run:
    """One container of the executor, from its making to its removal."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._asking: asyncio.Future[Any] | None = None
        self.container = ""

    async def do(self, what: Callable[[Any], Any]) -> Any:
        """Ask the engine, in a thread. Raises `ProviderError`; `TransientError` where the engine has gone."""
        self._asking = asyncio.ensure_future(asyncio.to_thread(self._ask, what))
        return await asyncio.shield(self._asking)

    def _ask(self, what: Callable[[Any], Any]) -> Any:
        import requests
        from docker.errors import APIError, DockerException, NotFound

        try:
            with contextlib.closing(self._connect()) as client:
                return what(client)
        except NotFound as error:
            raise TransientError(f"Kaniko's container has gone: {error.explanation}", hint="run up again", after=1.0) from None
        except APIError as error:
            raise ProviderError(f"the engine refused Kaniko's container: {error.explanation}") from None
        except (DockerException, requests.RequestException) as error:
            raise TransientError("the engine ended in the middle of the build", hint="run up again", after=1.0) from error

    async def lines(self) -> AsyncIterator[str]:
        """What the container writes, until it ends."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[str | Exception | None] = asyncio.Queue()

        def follow() -> None:
            try:
                self._ask(lambda client: [loop.call_soon_threadsafe(queue.put_nowait, each) for each in self._read(client)])
                loop.call_soon_threadsafe(queue.put_nowait, None)
            except ProviderError as error:
                loop.call_soon_threadsafe(queue.put_nowait, error)

        threading.Thread(target=follow, daemon=True, name="kaniko-log").start()
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def _read(self, client: Any) -> Iterator[str]:
        text = Text()
        for piece in client.logs(self.container, stream=True, follow=True):
            yield from text.feed(piece)
        yield from text.end()

    def result(self, client: Any) -> tuple[int, str]:
        """Its exit code, and the digest of what it pushed ("" when it failed)."""
        code = int(client.wait(self.container, timeout=60)["StatusCode"])
        if code == 137 and not client.inspect_container(self.container)["State"].get("OOMKilled"):
            raise TransientError("Kaniko's container was killed", hint="run up again", after=1.0)
        return (code, take(client, self.container, DIGEST_FILE).decode().strip()) if code == 0 else (code, "")

    async def end(self) -> None:
        """Remove the container, whatever it does; an engine that has gone is asked by the next build to do it."""
        if self._asking:
            await asyncio.wait({self._asking})
        if self.container:
            with contextlib.suppress(ProviderError):
                await self.do(lambda client: client.remove_container(self.container, force=True, v=True))


def put(client: Any, container: str, path: str, content: Path | bytes) -> None:
    """Write a file below `/kaniko` of a container that does not run yet; with memory for one chunk."""
    folder = "/kaniko"
    info = tarfile.TarInfo(path.removeprefix(f"{folder}/"))
    info.mode, info.size = 0o600, content.stat().st_size if isinstance(content, Path) else len(content)

    def body() -> Iterator[bytes]:
        yield info.tobuf()
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
        yield b"\0" * (-info.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)

    client.put_archive(container, folder, body())


def take(client: Any, container: str, path: str) -> bytes:
    """The content of a (small) file in a container."""
    pieces, _ = client.get_archive(container, path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        file = tar.extractfile(tar.getmembers()[0])
        return file.read() if file else b""


def _have(client: Any, image: str, say: Callable[[str], None]) -> None:
    from docker.errors import APIError, ImageNotFound

    try:
        client.inspect_image(image)
    except ImageNotFound:
        say(f"fetching {image}")
        try:
            client.pull(image)
        except APIError as error:
            message = f"Kaniko's image {image} can't be had: {error.explanation}"
            raise ProviderError(message, hint=f"set {IMAGE_SETTING} to one that can") from None


def _sweep(client: Any, marks: Mapping[str, str]) -> None:
    """Remove containers for the same image that somebody left who was killed: there is one deployment at a time."""
    if labels.URN in marks:
        wanted = [f"{key}={value}" for key, value in marks.items()]
        for each in client.containers(all=True, filters={"label": wanted}):
            client.remove_container(each["Id"], force=True, v=True)


def _fetch(client: Any, pushed: str, reference: str) -> None:
    """Have the engine fetch what was pushed, and call it by the name that images are found by."""
    repository, _, digest = pushed.partition("@")
    client.pull(repository, tag=digest)
    name, _, tag = reference.rpartition(":")
    client.tag(pushed, name, tag)
