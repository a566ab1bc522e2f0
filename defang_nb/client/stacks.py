"""Stacks are dotenv files, `.defang/<name>`, in the working folder or one above it: the format of the Defang CLI."""

from __future__ import annotations

import os
from pathlib import Path

from defang_nb.errors import NotFoundError, UsageError
from defang_nb.model.stack import LOCAL, STACK_NAME, Stack

FOLDER = ".defang"
FROM_ENVIRONMENT = (
    "CONTAINER_HOST", "DEFANG_BIND", "DEFANG_BUILDER", "DEFANG_ENGINE", "DEFANG_EXCLUDE_NEWER", "DEFANG_KANIKO_IMAGE",
    "DEFANG_REGISTRY", "DEFANG_REGISTRY_MIRROR", "DOCKER_CONFIG",
    "DOCKER_CONTEXT", "DOCKER_HOST",
)  # fmt: skip
"""Settings that this process's environment may give where the stack does not: a cd that runs already has another environment.
By name, since others that begin like these hold secrets."""


def load_stack(name: str, working_dir: Path) -> Stack:
    """The stack called `name`: the nearest file, else the built-in `local`. Raises `NotFoundError`, `UsageError`."""
    if not STACK_NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't be the name of a stack", hint="use small letters and digits, and begin with a letter")
    for folder in (working_dir, *working_dir.parents):
        file = folder / FOLDER / name
        if file.is_file():
            return _read(name, file)
    if name == LOCAL.name:
        return Stack(name=name, settings=_from_environment())
    known = ", ".join(stack_names(working_dir))
    raise NotFoundError(f"there is no stack {name!r}: no file {FOLDER}/{name} here or above", hint=f"stacks: {known}")


def stack_names(working_dir: Path) -> list[str]:
    """Every stack that can be named from here, `local` among them."""
    names = {LOCAL.name}
    for folder in (working_dir, *working_dir.parents):
        if (folder / FOLDER).is_dir():
            names |= {each.name for each in (folder / FOLDER).iterdir() if each.is_file() and STACK_NAME.fullmatch(each.name)}
    return sorted(names)


def _read(name: str, file: Path) -> Stack:
    from defang_nb.compose.dotenv import DotenvError, parse

    try:
        settings = parse(file.read_text(encoding="utf-8"), lambda key: None, lambda key: "")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"can't read the stack file {file}: {error}") from None
    except DotenvError as error:
        raise UsageError(f"{file}:{error.line}: {error}") from None
    provider = settings.pop("DEFANG_PROVIDER", LOCAL.provider)
    return Stack(name=name, provider=provider, settings=_from_environment() | settings)


def _from_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in FROM_ENVIRONMENT if os.environ.get(name)}
