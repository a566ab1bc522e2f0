"""The parts of the simulated AWS, put together in one process: moto, the layer before it, the world behind it."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Any

from tests.aws import haste, refusals
from tests.aws.ecs.api import Api
from tests.aws.ecs.task import Task
from tests.aws.ecs.world import World
from tests.aws.layer import Layer
from tests.aws.runners.base import Behaviour, Run
from tests.aws.runners.instant import Instant


def assemble(pace: float) -> tuple[Layer, World]:
    """The application to serve, and what moves by itself (not yet begun)."""
    lock = threading.RLock()
    layer = Layer()

    def choose(task: Task) -> Run:
        return Instant(task, lock, behaviour=world.behaviour(task))

    world = World(choose, lock, pace)
    Api(world)
    haste.patch()
    refusals.refuse()
    layer.controls |= {
        "reset": lambda _: _reset(layer, world, pace),
        "behaviours": lambda asked: _behave(world, asked),
        "pace": lambda asked: setattr(world, "pace", asked["seconds"]),
        "problems": lambda _: [*layer.ledger.problems, *world.problems],
        "tasks": lambda _: [_told(each) for each in world.tasks()],
    }
    return layer, world


def _reset(layer: Layer, world: World, pace: float) -> None:
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
