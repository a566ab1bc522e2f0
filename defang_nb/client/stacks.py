"""Stacks are dotenv files, `.defang/<name>`, in the working folder or one above it: the format of the Defang CLI."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from defang_nb.errors import NotFoundError, UsageError
from defang_nb.model.stack import LOCAL, STACK_NAME, Stack

FOLDER = ".defang"
DEFAULT_FILE = ".default"
"""In such a folder: the name of the stack that is meant where none is named. No stack can be called so."""
FROM_ENVIRONMENT = (
    "CONTAINER_HOST", "DEFANG_BIND", "DEFANG_BUILDER", "DEFANG_ENGINE", "DEFANG_EXCLUDE_NEWER", "DEFANG_KANIKO_IMAGE",
    "DEFANG_REGISTRY", "DEFANG_REGISTRY_MIRROR", "DOCKER_CONFIG",
    "DOCKER_CONTEXT", "DOCKER_HOST",
)  # fmt: skip
"""Settings that this process's environment may give where the stack does not: a cd that runs already has another environment.
By name, since others that begin like these hold secrets."""


def load_stack(name: str | None, working_dir: Path) -> Stack:
    """The stack called `name` (None: the default one): the nearest file, else the built-in `local`.

    Raises `NotFoundError`, `UsageError`.
    """
    name = checked_name(default_stack(working_dir) if name is None else name)
    if file := stack_file(name, working_dir):
        return _read(name, file)
    if name == LOCAL.name:
        return Stack(name=name, settings=_from_environment())
    known = stack_names(working_dir)
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    meant = f"did you mean {close[0]}? " if close else ""
    raise NotFoundError(
        f"there is no stack {name!r}: no file {FOLDER}/{name} here or above",
        hint=f"{meant}stacks: {', '.join(known)}; `stack new {name}` makes it",
    )


def checked_name(name: str) -> str:
    """Raises `UsageError` for what can't be one."""
    if not STACK_NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't be the name of a stack", hint="use small letters and digits, and begin with a letter")
    return name


def stack_file(name: str, working_dir: Path) -> Path | None:
    """The nearest, here or above; None for the built-in stack, and for one that does not exist."""
    return next((file for each in _folders(working_dir) if (file := each / name).is_file()), None)


def default_stack(working_dir: Path) -> str:
    """What is meant where no stack is named: DEFANG_STACK, else what `stack default` remembered, else `local`."""
    if said := os.environ.get("DEFANG_STACK"):
        return said
    for folder in _folders(working_dir):
        try:
            if said := (folder / DEFAULT_FILE).read_text(encoding="utf-8").strip():
                return said
        except (OSError, UnicodeDecodeError):
            continue  # none is remembered here
    return LOCAL.name


def _folders(working_dir: Path) -> list[Path]:
    return [each / FOLDER for each in (working_dir, *working_dir.parents)]


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
