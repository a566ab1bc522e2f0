"""The provider port: everything that the client and cd ask of a place to deploy to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from defang_nb.model.execution import Execution, Output, TerminalSize
from defang_nb.model.image import ImageSource
from defang_nb.model.pace import Usual
from defang_nb.model.project import Project
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.source import Diagnostic
from defang_nb.model.stack import Stack
from defang_nb.model.status import LogQuery, LogRecord, ServiceStatus, Usage
from defang_nb.provision.ports import ObjectStore, ResourceType

Say = Callable[[str], None]
"""Tells in a few words what is being done."""


class TlsKeys(msgspec.Struct, frozen=True):
    """PEM material of one launch: whom to trust, and what to show."""

    ca: bytes
    certificate: bytes
    key: bytes


class CdAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cd listens, as gRPC writes it (`unix:/…`, `127.0.0.1:50123`), and the client's keys where TLS is used.

    "" for one that can't be reached from here: what it is asked for goes through the store.
    """

    target: str
    keys: TlsKeys | None = None


class ConfigStore(Protocol):
    """A project's configuration values (secrets). Values go in, and come out only to the service's launcher."""

    async def set(self, project: str, key: str, value: str) -> None: ...

    async def names(self, project: str) -> list[str]: ...

    async def remove(self, project: str, key: str) -> bool:
        """Whether there was one."""
        ...

    async def digests(self, project: str) -> Mapping[str, str]:
        """name → keyed digest (HMAC with a key of this stack): tells that a value changed without telling the value."""
        ...


class Session(Protocol):
    """A command that runs where a service runs."""

    def output(self) -> AsyncIterator[Output]:
        """What it writes, as it comes, until it has ended. To be read once, and to the end: it may wait for its reader."""
        ...

    async def write(self, data: bytes) -> None:
        """Give it something to read; b"" says that nothing more comes. One that has ended, or reads no more, is fine."""
        ...

    async def resize(self, size: TerminalSize) -> None:
        """Its terminal has another size now; without one, nothing."""
        ...

    async def wait(self) -> int:
        """Its exit code, once it has ended; 128 + N for one that signal N ended."""
        ...

    async def close(self) -> None:
        """End it, where it runs still, and let go of what is held for it."""
        ...


class Provider(Protocol):
    """A place to deploy to. Made for one stack; cheap to make, touches nothing before it is asked to."""

    @property
    def stack(self) -> Stack: ...

    @property
    def config(self) -> ConfigStore: ...

    @property
    def usual(self) -> Mapping[str, Usual]:
        """By type of resource, how long making one usually takes: for a first deployment. Empty where that can't be told."""
        ...

    def check(self, project: Project) -> Sequence[Diagnostic]:
        """What of the project can't be honoured (errors), or is honoured differently (warnings). Reads, changes nothing."""
        ...

    async def prepare(self, say: Say) -> None:
        """Make sure that what every deployment needs is there (one read when it is); `say` hears what takes long, later too."""
        ...

    async def store(self) -> ObjectStore:
        """The stack's object store. Raises `NotFoundError` where there is none, since nothing was ever prepared."""
        ...

    async def find_cd(self) -> CdAddress | None:
        """The address of a cd that runs for this stack, or None. An address is no promise that it still answers."""
        ...

    async def launch_cd(self) -> CdAddress:
        """Start a cd (or find the one that won a race to start) and wait until it listens. Raises `CdError`."""
        ...

    async def stop_cd(self) -> None:
        """End the stack's cd in good order and wait until it is gone; none is fine. For an idle one of another version."""
        ...

    def resource_types(self) -> Mapping[str, ResourceType]: ...

    def compile(self, project: Project, images: Sequence[ImageSource], config_digests: Mapping[str, str]) -> Sequence[Resource]:
        """The resources that this project is made of here. Pure: the same arguments give the same resources."""
        ...

    async def preflight(
        self, project: Project, desired: Sequence[Resource], recorded: Mapping[str, Recorded]
    ) -> Sequence[Diagnostic]:
        """What would stop this deployment, found before anything is changed: a taken port, no disk space, …"""
        ...

    async def cleanup(self, project: str) -> None:
        """After a deployment: end what no resource needs any more (a process manager with nothing to manage, …)."""
        ...

    async def status(self, project: str) -> Sequence[ServiceStatus]:
        """What runs now, live."""
        ...

    def logs(self, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
        """Lines in order of time; with `follow`, goes on until closed."""
        ...

    async def execute(self, project: str, execution: Execution) -> Session:
        """Run a command where a service runs. Raises `NotFoundError`, `UsageError` for what can't be had, `ProviderError`."""
        ...

    async def restart(self, project: str, services: Sequence[str]) -> None:
        """Stop these services and start them again as they were deployed, stores before others. Raises `ProviderError`."""
        ...

    def usage(self, project: str, services: Sequence[str]) -> AsyncIterator[Sequence[Usage]]:
        """What these services (none: all) use: a sample of every running replica about once a second, until closed."""
        ...


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """How a stack's account is prepared. `state` is the provider's own word, "" where it is not; `reason` why it is so.

    `current`: it can be used, and is not older than this version; `bucket` is where the record of every stack is kept.
    """

    account: str
    region: str
    state: str = ""
    reason: str = ""
    revision: int = 0
    current: bool = False
    bucket: str = ""


@runtime_checkable
class Keeping(Protocol):
    """A provider that leaves things of a project on purpose when it is taken down. One need not be that."""

    async def kept(self, project: str, removed: Sequence[Recorded]) -> Sequence[str]:
        """What stays after `removed` is gone, each in words, with the way to be rid of it."""
        ...


@runtime_checkable
class Bootstrapped(Protocol):
    """A provider whose account has to be prepared. One need not be that."""

    async def bootstrap(self) -> Bootstrap:
        """How it is. Changes nothing."""
        ...

    async def install(self, say: Say) -> None:
        """Make it, or what of it is old or missing. `prepare` does no more than that it can be used."""
        ...

    async def teardown(self, say: Say) -> str:
        """Take the preparation away; what stays on purpose, in words. Raises `UsageError` while anything is deployed."""
        ...
