"""The sizes that a Fargate task can have.

Source: Amazon ECS Developer Guide, "Fargate task definition differences", task size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from defang_nb.model.project import Resources

_MIB = 2**20
_SMALL = {256: (512, 1024, 2048), 512: tuple(range(1024, 4097, 1024)), 1024: tuple(range(2048, 8193, 1024))}
_LARGE = {2048: (4, 16, 1), 4096: (8, 30, 1), 8192: (16, 60, 4), 16384: (32, 120, 8)}
LADDER: Mapping[int, tuple[int, ...]] = MappingProxyType(
    _SMALL | {cpu: tuple(range(low * 1024, high * 1024 + 1, step * 1024)) for cpu, (low, high, step) in _LARGE.items()}
)
"""CPU units (1,024 are one vCPU) → the memory, in MiB, that may go with them."""


class Size(msgspec.Struct, frozen=True, order=True):
    """CPU units and MiB."""

    cpu: int
    memory: int

    def __str__(self) -> str:
        memory = f"{self.memory / 1024:g} GB" if self.memory >= 1024 else f"{self.memory} MB"
        return f"{self.cpu / 1024:g} vCPU with {memory}"


def wanted(resources: Resources) -> Size:
    """What is asked for (reservations, else limits), as it is: 0 for what is not said."""
    cpus = resources.cpus if resources.cpus is not None else resources.cpus_limit
    memory = resources.memory if resources.memory is not None else resources.memory_limit
    return Size(math.ceil((cpus or 0) * 1024 - 1e-6), math.ceil((memory or 0) / _MIB))


def nearest(asked: Size) -> Size | None:
    """The smallest that has at least as much of both; None: there is none so large."""
    fitting = (
        Size(cpu, memory) for cpu, sizes in LADDER.items() if cpu >= asked.cpu for memory in sizes if memory >= asked.memory
    )
    return min(fitting, default=None)


def impossible(asked: Size) -> tuple[Size, ...]:
    """For a pair that Fargate lacks, the nearest that it has: with all of the memory, and with no more CPU. () where it fits.

    More memory than was asked for is no other pair; more CPU than the next step is, since it is what is paid for.
    """
    found = nearest(asked)
    step = next((cpu for cpu in LADDER if cpu >= asked.cpu), None)
    if not asked.cpu or (found is not None and found.cpu == step):
        return () if found else (largest(),)
    if found is None or step is None:
        return (largest(),)
    return found, Size(step, LADDER[step][-1])


def largest() -> Size:
    cpu = max(LADDER)
    return Size(cpu, LADDER[cpu][-1])


def size(resources: Resources) -> Size:
    """The task's size; what is too large for Fargate becomes the largest (`check` has refused it before)."""
    return nearest(wanted(resources)) or largest()
