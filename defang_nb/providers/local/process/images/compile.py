"""A build context to its recipe: by its Dockerfile, or by what is found where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from defang_nb.build.dockerfile import read
from defang_nb.model.value import ConfigRef, Text
from defang_nb.providers.local.process.images.detect import detect
from defang_nb.providers.local.process.images.machine import Machine
from defang_nb.providers.local.process.images.recipe import compile_dockerfile
from defang_nb.providers.local.process.images.steps import Recipe


def compile_context(
    context: Path, dockerfile: str, target: str, args: Mapping[str, str], machine: Machine, file: str = ""
) -> Recipe:
    """The recipe of a context folder; `file` is what positions call the Dockerfile. Raises `BuildError` when it is wrong."""
    if not dockerfile:
        return detect(context, machine)
    return compile_dockerfile(read(context / dockerfile, file or dockerfile), target, args, machine)


def symbolic(args: Mapping[str, Text]) -> dict[str, str]:
    """Build arguments as plain text in which a configuration value is a mark: its key between NULs."""
    return {
        key: "".join(f"\x00{part.key}\x00" if isinstance(part, ConfigRef) else part for part in text)
        for key, text in args.items()
    }
