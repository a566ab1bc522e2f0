"""One stack on one container engine: calls in threads, what is listed asked for once, and what went wrong in our words."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from defang_nb.errors import DefangError, ProviderError
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.docker.find import Tried, again, environment, find, required, spoken
from defang_nb.providers.local.engines import DOCKER, ENGINE_SETTING
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.process.engine import BIND_SETTING, Engine, parse_urn
from defang_nb.providers.local.process.ports import PortBook
from defang_nb.provision.ports import TransientError

T = TypeVar("T")
CALLS = 32
"""So many calls run at a time: a container's start is mostly waiting, and the engine puts them in order by itself."""
_TIMEOUT = 60.0
"""Seconds after which an engine that says nothing counts as gone. Stopping a container may take its grace period more."""

_TURN = 0.2
"""Seconds for which the making of one container holds up the next.

Those made earlier are being started meanwhile, which is partly waiting for the kernel's networks: twenty that are made all at
once, and then started all at once, leave the processors idle when they all wait, and take about 5 % longer.
"""

_TOGETHER = 0.15
"""Seconds for which one that was started waits for others that are being started, so that they are looked at together."""


class DockerEngine:
    """Cheap to make; touches nothing before it is asked to."""

    def __init__(self, paths: StackPaths, stack: str, settings: Mapping[str, str]) -> None:
        self.paths = paths
        self.stack = stack
        self.settings = settings
        self.bind = settings.get(BIND_SETTING, "") or "127.0.0.1"
        self.book = PortBook(paths.root / "docker-ports.json")
        self.secret_values = Engine(paths, settings).secret_values
        self._local = threading.local()
        self._found: Tried | None = None
        self._finding = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self.turns = Turns(_TURN)
        self.starts = Starts(_TOGETHER)
        self._asking: dict[str, asyncio.Task[Any]] = {}
        self._asked: dict[str, asyncio.Task[Any]] = {}

    def found(self) -> Tried:
        """The engine that is used. Raises `ProviderError` when none answers."""
        with self._finding:
            if self._found is None:
                self._found = required(find(environment(self.settings)))
            return self._found

    def spare(self) -> bool:
        """Whether this stack does without containers: none asked for, none made, and no engine answers."""
        wanted = self.settings.get(ENGINE_SETTING) == DOCKER or any(services(self.paths).glob("*"))
        return self._found is None and not wanted and find(environment(self.settings)).engine is None

    def connect(self, timeout: float | None = _TIMEOUT) -> Any:
        """A new `docker.APIClient`, which its user closes."""
        import docker

        engine = self.found()
        client = docker.APIClient(base_url=engine.host, version=spoken(engine.api), timeout=timeout)
        client.trust_env = not engine.host.startswith("unix://")  # no proxy is between us and a socket; each call would look
        return client

    async def ask(self, what: Callable[[Any], T]) -> T:
        """`what(client)` in a thread. Raises `ProviderError`, and `TransientError` where the engine can't be reached."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(CALLS, thread_name_prefix="engine")
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: self.call(what))

    def call(self, what: Callable[[Any], T]) -> T:
        """`what(client)` with this thread's own client. Raises as `ask` does."""
        import requests
        from docker.errors import APIError, DockerException

        try:
            if not hasattr(self._local, "client"):
                self._local.client = self.connect()
            return what(self._local.client)
        except APIError as error:
            raise refused(error) from None
        except (DockerException, requests.RequestException) as error:
            if client := self._local.__dict__.pop("client", None):
                client.close()
            raise _silent() from error

    async def confirm(self) -> None:
        """Raises `TransientError` when the engine is about to end: it answers on old connections until its containers ended."""
        if not (await asyncio.to_thread(again, self.found())).ok:
            raise _silent()

    async def containers(self) -> list[Mapping[str, Any]]:
        """All containers of this stack, whatever their state, in one call however many ask at a time."""
        return await self._once("containers", lambda client: client.containers(all=True, filters={"label": self._own}))

    async def containers_of(self, urn: str) -> list[Mapping[str, Any]]:
        """Those of one resource alone, in a call of its own."""
        filters = {"label": [*self._own, f"{labels.URN}={urn}"]}
        return await self.ask(lambda client: client.containers(all=True, filters=filters))

    async def images(self) -> list[Mapping[str, Any]]:
        return await self._once("images", lambda client: client.images())

    async def networks(self) -> list[Mapping[str, Any]]:
        return await self._once("networks", lambda client: client.networks())

    async def volumes(self) -> list[Mapping[str, Any]]:
        return await self._once("volumes", lambda client: client.volumes().get("Volumes") or [])

    async def _once(self, what: str, how: Callable[[Any], list[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
        """Those who ask before the engine is asked share its answer; who comes later, the next, which knows what they did."""
        if what not in self._asking:

            async def asked() -> list[Mapping[str, Any]]:
                if before := self._asked.get(what):
                    await asyncio.wait({before})
                await asyncio.sleep(0)
                self._asked[what] = self._asking.pop(what)
                return await self.ask(how)

            self._asking[what] = asyncio.ensure_future(asked())
        return await asyncio.shield(self._asking[what])

    @property
    def _own(self) -> list[str]:
        """The labels by which the engine knows what is of this stack."""
        return [f"{labels.STACK}={self.stack}", f"{labels.HOME}={self.home}"]

    @property
    def home(self) -> str:
        """Tells this user's stacks from others' on the same engine."""
        return self.paths.sockets.name

    def files(self, urn: str) -> Path:
        """The private folder of files that are mounted into a service's containers."""
        return self.paths.root / "docker-files" / ".".join(parse_urn(urn))

    def note(self, urn: str, *, there: bool) -> None:
        """Remember that a service was made, or is gone, where that can be seen without asking the engine."""
        file = services(self.paths) / ".".join(parse_urn(urn))
        if there:
            try:
                file.touch()
            except FileNotFoundError:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                file.touch()
        else:
            file.unlink(missing_ok=True)

    def marks(self, project: str, urn: str, service: str = "") -> dict[str, str]:
        """The labels of everything of ours."""
        made = {labels.PROJECT: project, labels.STACK: self.stack, labels.HOME: self.home, labels.URN: urn}
        return made | ({labels.SERVICE: service} if service else {})

    def prefix(self, project: str) -> str:
        """What names on the engine begin with: the project's, and the stack's unless it is the usual one."""
        return project if self.stack == "local" else f"{project}-{self.stack}"

    def owns(self, found: Mapping[str, str] | None) -> bool:
        """Whether something with these labels belongs to this stack."""
        return bool(found) and (found or {}).get(labels.STACK) == self.stack and (found or {}).get(labels.HOME) == self.home


class Turns:
    """Of many who want to do something, one after the other does, as they came; but none holds up the next for longer."""

    def __init__(self, longest: float) -> None:
        """`longest`: seconds."""
        self._longest = longest
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def next(self) -> AsyncIterator[None]:
        await self._lock.acquire()
        held = True

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self._lock.release()

        timer = asyncio.get_running_loop().call_later(self._longest, release)
        try:
            yield
        finally:
            timer.cancel()
            release()


class Starts:
    """Those under way. Who is done waits a little for the others, while there are any: they can be looked at together."""

    def __init__(self, longest: float) -> None:
        """`longest`: seconds that any of them waits."""
        self._longest = longest
        self._under_way = 0
        self._gate: asyncio.Future[None] | None = None

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._open()

    async def others(self) -> bool:
        """Whether it waited, and others may have waited with it: at once, when none is under way."""
        if not self._under_way:
            return False
        if self._gate is None:
            loop = asyncio.get_running_loop()
            self._gate = loop.create_future()
            loop.call_later(self._longest, self._open, self._gate)
        await asyncio.shield(self._gate)
        return True

    def _open(self, gate: asyncio.Future[None] | None = None) -> None:
        """Let go on who waits; after the time of one `gate`, those only who wait at it."""
        if self._gate is not None and gate in (None, self._gate):
            self._gate.set_result(None)
            self._gate = None


def services(paths: StackPaths) -> Path:
    """The folder with a file for each service that was made."""
    return paths.root / "docker-services"


def _silent() -> TransientError:
    return TransientError("the container engine does not answer", hint="see whether it runs", after=1.0)


_TAKEN = ("is already in use by", "network already exists", "volume already exists")
"""Podman's words, with status 500, where Docker says 409."""


def refused(error: Any) -> DefangError:
    """A `docker.errors.APIError` in our words."""
    said = str(error.explanation or error)
    if error.status_code == 404:
        return NotThereError(said)
    if error.status_code == 409 or any(each in said for each in _TAKEN):
        return TakenError(said)
    if "no space left on device" in said:
        return ProviderError("the container engine's disk is full", hint="make room: docker system df, docker system prune")
    if "could not select device driver" in said:
        hint = "with a GPU, install the NVIDIA Container Toolkit; without one, leave `gpus` and `devices` out"
        return ProviderError("the container engine has no such device to give, a GPU above all", hint=hint)
    return ProviderError(f"the container engine refused: {said}")


class NotThereError(ProviderError):
    """The engine knows no such thing."""


class TakenError(ProviderError):
    """A conflict: the name is in use, or the thing is in a state that does not allow it."""
