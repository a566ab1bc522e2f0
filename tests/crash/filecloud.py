"""A cloud that survives its users: each thing that exists is a file, and each call that changed something a line in `calls`.

It is found by stacks that name `DEFANG_PROVIDER=filecloud`, as any provider of another package is: by its entry point. Kept
beside the real local provider's folders; cd is started by the real launcher.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from defang_nb.model.image import ImageSource
from defang_nb.model.pace import Usual
from defang_nb.model.project import Project
from defang_nb.model.resource import Need, Options, Recorded, Resource, urn
from defang_nb.model.source import Diagnostic
from defang_nb.model.stack import Stack
from defang_nb.model.status import LogQuery, LogRecord, ServiceStatus
from defang_nb.model.value import ref
from defang_nb.providers.base import CdAddress, Say
from defang_nb.providers.local.config import FileConfigStore
from defang_nb.providers.local.launcher import Launcher
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.store import FileStore
from defang_nb.provision.ports import Made, ObjectStore, OnCancel, Operation, ResourceType, Stored
from tests.crash.boundaries import Boundaries, removes, writes

ROOT = "FILECLOUD_ROOT"
"""The stack's setting that names the folder of its store and its cloud."""


class Cloud:
    """`things/<id>` holds what exists, as JSON: urn, inputs, token."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.boundaries = Boundaries(root)
        self._things = root / "things"
        self._things.mkdir(parents=True, exist_ok=True)

    def things(self) -> dict[str, dict[str, Any]]:
        return {path.name: json.loads(path.read_text()) for path in sorted(self._things.iterdir()) if "." not in path.name}

    def of(self, urn_: str) -> list[str]:
        """The ids of what exists for a urn, the newest last."""
        found = [(thing["made"], id_) for id_, thing in self.things().items() if thing["urn"] == urn_]
        return [id_ for _, id_ in sorted(found)]

    def change(self, verb: str, urn_: str, id_: str, thing: Mapping[str, Any] | None) -> None:
        """One call: it goes out, it takes effect, its reply comes; the process may die before and after."""
        self.boundaries.cross([f"before call {verb} {urn_}"])
        path = self._things / id_
        if thing is None:
            path.unlink(missing_ok=True)
        else:
            draft = path.with_suffix(".draft")
            draft.write_text(json.dumps(thing))
            draft.rename(path)
        with (self.root / "calls").open("a") as log:
            log.write(f"{verb} {urn_}\n")
        self.boundaries.cross([f"after call {verb} {urn_}"])

    def calls(self) -> list[str]:
        try:
            return (self.root / "calls").read_text().splitlines()
        except FileNotFoundError:
            return []


class Type:
    """Ids are the cloud's own; a thing is found again by its urn, as by a tag."""

    def __init__(self, cloud: Cloud, name: str, replace_on: frozenset[str] = frozenset(), first: bool = False) -> None:
        self.cloud = cloud
        self.name = name
        self.replace_on = replace_on
        self.create_before_delete = first
        self.on_cancel = OnCancel.FINISH
        self.lag = 0.0
        self.idempotent = True

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Any] | None]:
        things = self.cloud.things()
        return {each.urn: {"id": each.id} if each.id in things else None for each in recorded}

    async def create(self, operation: Operation) -> Made:
        same = [id_ for id_, thing in self.cloud.things().items() if thing["token"] == operation.token]
        id_ = same[0] if same else f"{self.name}-{uuid.uuid4().hex[:8]}"
        self.cloud.change("create", operation.resource.urn, id_, self._thing(operation))
        await asyncio.sleep(0)  # replies come in any order
        return Made(id=id_, outputs={"id": id_})

    async def update(self, operation: Operation) -> Made:
        assert operation.previous is not None
        self.cloud.change("update", operation.resource.urn, operation.previous.id, self._thing(operation))
        await asyncio.sleep(0)
        return Made(id=operation.previous.id, outputs={"id": operation.previous.id})

    async def delete(self, recorded: Recorded) -> None:
        self.cloud.change("delete", recorded.urn, recorded.id, None)
        await asyncio.sleep(0)

    async def find(self, urn: str) -> Made | None:
        found = self.cloud.of(urn)
        return Made(id=found[-1], outputs={"id": found[-1]}) if found else None

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Any]:
        return {"id": made.id}

    def _thing(self, operation: Operation) -> dict[str, Any]:
        resource = operation.resource
        return {"urn": resource.urn, "inputs": resource.inputs, "token": operation.token, "made": time.time_ns()}


class WatchedStore:
    """The real folder's store, with a boundary before and after each change of it."""

    def __init__(self, inner: FileStore, boundaries: Boundaries) -> None:
        self._inner = inner
        self._boundaries = boundaries

    async def get(self, key: str) -> Stored | None:
        return await self._inner.get(key)

    async def put(self, key: str, data: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        names = writes(key, data)
        self._boundaries.cross([f"before {name}" for name in names])
        version = await self._inner.put(key, data, if_match=if_match, if_absent=if_absent)
        self._boundaries.cross([f"after {name}" for name in names])
        return version

    async def list(self, prefix: str) -> list[str]:
        return await self._inner.list(prefix)

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        names = removes(key)
        self._boundaries.cross([f"before {name}" for name in names])
        await self._inner.delete(key, if_match=if_match)
        self._boundaries.cross([f"after {name}" for name in names])

    async def upload(self, key: str, path: Path) -> None:
        await self._inner.upload(key, path)

    async def download(self, key: str, path: Path) -> None:
        await self._inner.download(key, path)


class FileCloudProvider:
    """A `Provider`: a net, a disk, and for each Compose service an address and itself."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.root = Path(stack.settings[ROOT])
        self.cloud = Cloud(self.root)
        self._launcher = Launcher(stack)
        self._config = FileConfigStore(StackPaths.of(stack.name).config)
        self._store = WatchedStore(FileStore(self.root / "store"), self.cloud.boundaries)

    @property
    def stack(self) -> Stack:
        return self._stack

    @property
    def config(self) -> FileConfigStore:
        return self._config

    @property
    def usual(self) -> Mapping[str, Usual]:
        return {}

    def check(self, project: Project) -> Sequence[Diagnostic]:
        return ()

    async def prepare(self, say: Say) -> None:
        return None

    async def store(self) -> ObjectStore:
        return self._store

    async def find_cd(self) -> CdAddress | None:
        return await self._launcher.find()

    async def launch_cd(self) -> CdAddress:
        return await self._launcher.launch()

    async def stop_cd(self) -> None:
        await self._launcher.stop()

    def resource_types(self) -> Mapping[str, ResourceType]:
        zone = frozenset({"zone"})
        types = [Type(self.cloud, "net", zone, True), Type(self.cloud, "disk", zone), Type(self.cloud, "address")]
        return {each.name: each for each in [*types, Type(self.cloud, "service")]}

    def compile(self, project: Project, images: Sequence[ImageSource], config_digests: Mapping[str, str]) -> Sequence[Resource]:
        return list(_resources(project))

    async def preflight(
        self, project: Project, desired: Sequence[Resource], recorded: Mapping[str, Recorded]
    ) -> Sequence[Diagnostic]:
        return ()

    async def cleanup(self, project: str) -> None:
        return None

    async def status(self, project: str) -> Sequence[ServiceStatus]:
        return ()

    async def logs(self, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
        for record in ():
            yield record


def _resources(project: Project) -> Iterator[Resource]:
    zone = next((each.labels["zone"] for each in project.services.values() if "zone" in each.labels), "a")
    net, disk = urn(project.name, "net", "default"), urn(project.name, "disk", "data")
    yield Resource(urn=net, type="net", inputs={"zone": zone}, title="net")
    yield Resource(urn=disk, type="disk", inputs={"zone": zone}, title="disk")
    for name, service in project.services.items():
        address, needed = urn(project.name, "address", name), urn(project.name, "service", name)
        yield Resource(urn=address, type="address", inputs={"net": ref(net, "id")}, service=name, title=f"address of {name}")
        inputs = {"address": ref(address, "id"), "version": service.labels.get("version", "1")}
        if "disk" in service.labels:
            inputs["disk"] = ref(disk, "id")
        needs = {urn(project.name, "service", other): Need.READY for other in service.depends_on}
        yield Resource(
            urn=needed, type="service", inputs=inputs, options=Options(depends_on=needs), service=name, main=True, title=name
        )


def install(folder: Path) -> str:
    """Write down the entry point in `folder`; the PYTHONPATH with which a Python finds it, and this package."""
    info = folder / "filecloud-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: filecloud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[defang_nb.providers]\nfilecloud = tests.crash.filecloud:FileCloudProvider\n")
    return os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
