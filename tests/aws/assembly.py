"""The parts of the simulated AWS, put together in one process: moto, the layer before it, the world behind it."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.aws import haste, refusals
from tests.aws.ecs.api import Api
from tests.aws.ecs.task import Task
from tests.aws.ecs.world import World
from tests.aws.layer import Layer
from tests.aws.metadata import credentials, metadata
from tests.aws.runners.base import Behaviour, Run, fits
from tests.aws.runners.instant import Instant
from tests.aws.runners.process import Process

DEFAULT = ((r"defang_nb\.cd", "process"),)
"""cd's own task is always really run."""


@dataclass
class Choice:
    """Which runner a task gets: the first of `rules` (regular expression over family, image and command → runner) that fits.

    A task that a test has said a behaviour for is not really run; nor is one that no rule fits.
    """

    url: str = ""
    rules: list[tuple[str, str]] = field(default_factory=lambda: list(DEFAULT))

    def __call__(self, task: Task, world: World) -> Run:
        behaviour = world.behaviour(task)
        runner = "instant" if behaviour else next((name for match, name in self.rules if fits(match, task)), "instant")
        if runner == "process":
            return Process(task, world.lock, url=self.url)
        return Instant(task, world.lock, behaviour=behaviour)


def assemble(pace: float) -> tuple[Layer, World, Choice]:
    """The application to serve, and what moves by itself (not yet begun). The choice has to be told the address."""
    layer = Layer()
    choice = Choice()
    world = World(lambda task: choice(task, world), threading.RLock(), pace)
    Api(world)
    haste.patch()
    refusals.refuse()
    layer.controls |= {
        "reset": lambda _: _reset(layer, world, choice, pace),
        "runners": lambda asked: setattr(choice, "rules", [*map(tuple, asked), *DEFAULT]),
        "credentials": lambda path: credentials(world, path),
        "metadata": lambda path: metadata(world, path),
        "behaviours": lambda asked: _behave(world, asked),
        "pace": lambda asked: setattr(world, "pace", asked["seconds"]),
        "problems": lambda _: [*layer.ledger.problems, *world.problems],
        "tasks": lambda _: [_told(each) for each in world.tasks()],
    }
    return layer, world, choice


def _reset(layer: Layer, world: World, choice: Choice, pace: float) -> None:
    choice.rules = list(DEFAULT)
    world.clear()
    with world.lock:
        haste.reset()
    world.pace = pace
    world.problems.clear()
    layer.faults.set([])
    layer.ledger.clear()


def _behave(world: World, asked: list[dict[str, Any]]) -> None:
    with world.lock:
        world.behaviours = [Behaviour(**each) for each in asked]


def _told(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "family": task.definition.family,
        "service": task.service,
        "status": task.last_status,
        "reason": task.stopped_reason,
        "containers": [asdict(each) for each in task.containers],
    }
