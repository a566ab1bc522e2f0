"""The crash matrix on a real container engine: cd dies by SIGKILL at a boundary, and the next deployment mends it by itself.

The provider is the real one, with a death before and after each of its calls and each write to its store. `stacks(host)` gives
what is needed; `round_` is one death and what came of it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defang_nb.client import api
from defang_nb.client.deployment import Deployment
from defang_nb.model.events import Outcome
from defang_nb.model.resource import Recorded
from defang_nb.model.stack import Stack
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.provider import LocalProvider
from defang_nb.providers.local.store import FileStore
from defang_nb.provision.ports import ObjectStore, Operation, ResourceType
from tests.crash.boundaries import Boundaries
from tests.crash.filecloud import WatchedStore

PROJECT = "app"
COMPOSE = """\
name: app
services:
  web:
    image: busybox
    command: ["sh", "-c", "mkdir -p /www; echo {version} > /www/index.html; exec httpd -f -p 8000 -h /www"]
    ports: [8000]
    depends_on: {{migrate: {{condition: service_completed_successfully}}}}
    stop_grace_period: 1s
  migrate:
    image: busybox
    command: ["touch", "/data/{version}"]
    volumes: ["data:/data"]
    restart: "no"
  {last}:
    image: busybox
    command: ["sleep", "3600"]
    deploy: {{replicas: 2}}
    stop_grace_period: 1s
volumes: {{data: {{}}}}
"""
NOTHING = ""
FIRST = COMPOSE.format(version=1, last="old")
SECOND = COMPOSE.format(version=2, last="worker")
JOURNEYS = {"up": (NOTHING, FIRST), "change": (FIRST, SECOND), "down": (SECOND, NOTHING)}
CONTAINERS = {NOTHING: 0, FIRST: 4, SECOND: 4}


def _mortal(boundaries: Boundaries, verb: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The process may die before the call, and after it."""

    async def made(what: Operation | Recorded, *more: Any) -> Any:
        urn = (what.resource.urn if isinstance(what, Operation) else what.urn).partition("~")[0]
        boundaries.cross([f"before call {verb} {urn}"])
        answer = await call(what, *more)
        boundaries.cross([f"after call {verb} {urn}"])
        return answer

    return made


class MortalProvider(LocalProvider):
    """Found by its entry point, `DEFANG_PROVIDER=mortal`."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        root = StackPaths.of(stack.name).root
        root.mkdir(parents=True, exist_ok=True)
        self._boundaries = Boundaries(root)

    async def store(self) -> ObjectStore:
        inner = await super().store()
        assert isinstance(inner, FileStore)
        return WatchedStore(inner, self._boundaries)

    def resource_types(self) -> Mapping[str, ResourceType]:
        types = super().resource_types()
        for each in types.values():
            for verb in ("create", "update", "delete", "ready"):
                setattr(each, verb, _mortal(self._boundaries, verb, getattr(each, verb)))
        return types


@dataclass
class Lane:
    """One stack on the engine at `host`, in a folder that holds its file."""

    folder: Path
    client: Any
    name: str = "mortal"
    faults: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return StackPaths.of(self.name).root

    def deploy(self, target: str) -> Deployment:
        if target:
            return api.start_up(text=target, stack=self.name, working_dir=self.folder).wait(300, check=False)
        return api.start_down(PROJECT, stack=self.name, working_dir=self.folder, yes=True).wait(300, check=False)

    def bring(self, target: str) -> None:
        deployment = self.deploy(target)
        assert deployment.outcome is Outcome.SUCCEEDED, deployment.view.message

    def boundaries(self, journey: str) -> list[str]:
        """Those of a clean run."""
        start, target = JOURNEYS[journey]
        self.bring(start)
        (self.root / "crossed").unlink(missing_ok=True)
        self.bring(target)
        crossed = dict.fromkeys((self.root / "crossed").read_text().splitlines())
        return [each for each in crossed if "removed" not in each]

    def round(self, journey: str, boundary: str) -> None:
        """Die there; then the same again has to make it good, and once more find nothing to do."""
        start, target = JOURNEYS[journey]
        self.bring(start)
        (self.root / "kill").write_text(boundary)
        self.deploy(target)
        if (self.root / "kill").exists():
            (self.root / "kill").unlink()
            self.faults.append(f"{journey}: {boundary}: was not crossed")
        after = self.deploy(target)
        if after.outcome is not Outcome.SUCCEEDED:
            self.faults.append(f"{journey}: {boundary}: {after.view.message}")
        self._judge(f"{journey}: {boundary}", target)

    def _judge(self, where: str, target: str) -> None:
        there = self.containers()
        if len(there) != CONTAINERS[target] or max(Counter(there).values(), default=1) > 1:
            self.faults.append(f"{where}: containers {there}")
        if left := api.orphans(PROJECT, stack=self.name, working_dir=self.folder):
            self.faults.append(f"{where}: orphans {[each.urn for each in left]}")
        again = self.deploy(target)
        if again.view.plan is None or again.view.plan.mutations:
            self.faults.append(f"{where}: not at rest: {again.view.message}")
        if self.containers() != there:
            self.faults.append(f"{where}: containers changed")

    def containers(self) -> Sequence[tuple[str, str]]:
        found = self.client.containers.list(all=True, filters={"label": f"{labels.STACK}={self.name}"}, ignore_removed=True)
        return sorted((each.labels[labels.URN], each.labels[labels.REPLICA]) for each in found)


def install(folder: Path, host: str) -> None:
    """The entry point, and a stack that names it."""
    info = folder / "plugin" / "mortal-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mortal\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[defang_nb.providers]\nmortal = tests.crash.containers:MortalProvider\n")
    (folder / ".defang").mkdir()
    (folder / ".defang" / "mortal").write_text(
        f"DEFANG_PROVIDER=mortal\nDEFANG_ENGINE=docker\nDOCKER_HOST={host}\nDEFANG_CD_IDLE=20\n"
    )


def path(folder: Path) -> str:
    """The PYTHONPATH with which a Python finds the entry point, and this package."""
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join(filter(None, [str(folder / "plugin"), str(Path(__file__).parents[2]), before]))
