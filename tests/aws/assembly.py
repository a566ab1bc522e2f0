"""The parts of the simulated AWS, put together in one process: moto, the layer before it, the world behind it."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.aws import caches, certificates, haste, logs, mending, refusals
from tests.aws.balancer import Balancer
from tests.aws.ecs.api import Api
from tests.aws.ecs.task import Task
from tests.aws.ecs.world import World
from tests.aws.edge import Edge
from tests.aws.formation import Formation
from tests.aws.layer import Layer
from tests.aws.metadata import credentials, metadata
from tests.aws.registry import Registry
from tests.aws.runners.base import Behaviour, Run, fits
from tests.aws.runners.container import Docker, Engine
from tests.aws.runners.instant import Instant
from tests.aws.runners.process import Process
from tests.aws.stores import Stores

DEFAULT = ((r"defang_nb\.cd", "process"),)
"""cd's own task is always really run."""


@dataclass
class Choice:
    """Which runner a task gets: the first of `rules` (regular expression over family, image and command → runner) that fits.

    A task that a test has said a behaviour for is not really run; one that no rule fits is where there is a Docker engine.
    """

    url: str = ""
    engine: Engine | None = None
    rules: list[tuple[str, str]] = field(default_factory=lambda: list(DEFAULT))

    def __call__(self, task: Task, world: World) -> Run:
        behaviour = world.behaviour(task)
        usual = "docker" if self.engine else "instant"
        runner = "instant" if behaviour else next((name for match, name in self.rules if fits(match, task)), usual)
        if runner == "process":
            return Process(task, world.lock, url=self.url)
        if runner == "docker":
            return Docker(task, world.lock, engine=self.engine)
        return Instant(task, world.lock, behaviour=behaviour)


@dataclass
class Parts:
    """Of one simulated AWS."""

    layer: Layer
    world: World
    choice: Choice
    balancer: Balancer
    formation: Formation
    stores: Stores
    edge: Edge

    def begin(self, url: str, docker: str = "", kaniko: str = "") -> None:
        """`url`: its own. `docker`: the host of an engine, `kaniko` the executor's image there."""
        self.choice.url = url
        if docker:
            self.choice.engine = Engine(docker, f"sim{secrets.token_hex(4)}", self.world.registry, kaniko, url)
        self.world.begin()
        self.balancer.begin()

    def end(self) -> None:
        self.balancer.end()
        self.world.end()
        if self.choice.engine:
            self.choice.engine.clear()

    def reset(self, pace: float) -> None:
        self.choice.rules = list(DEFAULT)
        self.formation.clear()
        self.stores.clear()
        self.edge.clear()
        self.world.clear()
        if self.choice.engine:
            self.choice.engine.clear()
        with self.world.lock:
            haste.reset()
        self.world.pace = pace
        self.world.problems.clear()
        self.stores.problems.clear()
        self.layer.faults.set([])
        self.layer.guard.clear()
        self.layer.ledger.clear()


def assemble(pace: float, registry: str = "") -> Parts:
    """Not yet begun. `registry`: host:port of a real one behind ECR."""
    layer = Layer()
    choice = Choice()
    world = World(lambda task: choice(task, world), Registry(registry), pace)
    stores = Stores(lambda: world.pace, lambda: choice.engine)
    edge = Edge(lambda: world.pace)
    parts = Parts(layer, world, choice, Balancer(world, edge), Formation(lambda: world.pace), stores, edge)
    world.drivers.append(stores.step)
    layer.before.append(world.registry.before)
    world.registry.mend()
    Api(world)
    haste.patch()
    logs.patch()
    refusals.refuse(lambda: world.pace)
    mending.mend()
    caches.mend()
    certificates.mend()
    layer.controls |= {
        "reset": lambda _: parts.reset(pace),
        "runners": lambda asked: setattr(choice, "rules", [*map(tuple, asked), *DEFAULT]),
        "formation": lambda asked: parts.formation.fail.update(asked),
        "balancers": lambda _: parts.balancer.told(),
        "credentials": lambda path: credentials(world, path),
        "metadata": lambda path: metadata(world, path),
        "behaviours": lambda asked: _behave(world, asked),
        "finish": lambda match: _finish(world, match),
        "pace": lambda asked: setattr(world, "pace", asked["seconds"]),
        "problems": lambda _: [*layer.ledger.problems, *world.problems, *stores.problems],
        "tasks": lambda _: [_told(each) for each in world.tasks()],
    }
    return parts


def _behave(world: World, asked: list[dict[str, Any]]) -> None:
    with world.lock:
        world.behaviours = [Behaviour(**each) for each in asked]


def _finish(world: World, match: str) -> None:
    with world.lock:
        for each in world.behaviours:
            if each.match == match:
                each.exit_code, each.after = 0, 0.0


def _told(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "family": task.definition.family,
        "service": task.service,
        "status": task.last_status,
        "reason": task.stopped_reason,
        "containers": [asdict(each) for each in task.containers],
    }
