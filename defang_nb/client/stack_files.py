"""Making, changing and removing stacks. A file that is changed keeps its comments, its order, and keys that we don't know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import msgspec

from defang_nb.client import loop
from defang_nb.client.place import workspace_of
from defang_nb.client.stacks import DEFAULT_FILE, FOLDER, checked_name, default_stack, load_stack, stack_file, stack_names
from defang_nb.errors import DefangError, NotFoundError, UsageError
from defang_nb.model.stack import LOCAL
from defang_nb.providers.base import Bootstrapped
from defang_nb.providers.registry import provider_names
from defang_nb.provision.state import State

PROVIDER, REGION, PROFILE, MODE = "DEFANG_PROVIDER", "AWS_REGION", "AWS_PROFILE", "DEFANG_MODE"
SHOWN = (PROVIDER, REGION, PROFILE, MODE, "DEFANG_ENGINE", "DEFANG_BUILDER")
"""Whose values may be shown: those of other keys may be secret."""
_PLAIN = re.compile(r"[\w./:@+-]+")


class StackInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A stack as it is listed. `file` is "" for the built-in one; `others` are the names of its further keys."""

    name: str
    provider: str
    region: str = ""
    profile: str = ""
    mode: str = ""
    default: bool = False
    file: str = ""
    others: tuple[str, ...] = ()


def stack_ls(*, working_dir: str | Path | None = None) -> list[StackInfo]:
    """Every stack that can be named from here. Raises `UsageError` for a file that can't be read."""
    return [stack_show(name, working_dir=working_dir) for name in stack_names(_folder(working_dir))]


def stack_show(name: str | None = None, *, working_dir: str | Path | None = None) -> StackInfo:
    """One stack; without a name the default one. Raises `NotFoundError`, `UsageError`."""
    folder = _folder(working_dir)
    stack = load_stack(name, folder)
    file = stack_file(stack.name, folder)
    said = stack.settings
    aws = stack.provider == "aws"
    return StackInfo(
        name=stack.name,
        provider=stack.provider,
        region=said.get(REGION, ""),
        profile=said.get(PROFILE, ""),
        mode=(said.get(MODE) or _default_mode()).lower() if aws else said.get(MODE, ""),
        default=stack.name == default_stack(folder),
        file=str(file or ""),
        others=tuple(key for key in said if key not in SHOWN),
    )


def stack_new(
    name: str, *, provider: str | None = None, region: str | None = None, profile: str | None = None, mode: str | None = None,
    change: bool = False, working_dir: str | Path | None = None,
) -> StackInfo:  # fmt: skip
    """Write `.defang/<name>`: in the nearest folder `.defang` here or above, else here. `change` keeps what is not named.

    Raises `UsageError` for a stack that is there already, and a provider, region or mode that does not exist.
    """
    folder = _folder(working_dir)
    checked_name(name)
    file = stack_file(name, folder)
    if file and not change:
        raise UsageError(f"there is a stack {name!r} already: {file}", hint=f"`stack new {name} --change …` changes it")
    if change and not file:
        raise NotFoundError(f"there is no stack {name!r} to change", hint=f"stacks: {', '.join(stack_names(folder))}")
    before = load_stack(name, folder) if file else None
    provider = (provider or (before.provider if before else ("aws" if region or profile or mode else LOCAL.provider))).lower()
    checked(provider, region, mode)
    if provider != "aws" and (region or profile):
        raise UsageError(f"a region and a profile are for AWS; {name!r} is {provider}", hint="--provider aws")
    wanted = {PROVIDER: provider, REGION: region, PROFILE: profile, MODE: mode and mode.lower()}
    text = _read(file) if file else ""
    place = file or _home(folder) / name
    _write(place, changed(text, {key: value for key, value in wanted.items() if value}))
    return stack_show(name, working_dir=folder)


def stack_default(name: str | None = None, *, working_dir: str | Path | None = None) -> str:
    """The stack that is meant where none is named; with a name, that one from now on. Raises `NotFoundError`."""
    folder = _folder(working_dir)
    if name is None:
        return default_stack(folder)
    load_stack(name, folder)
    file = stack_file(name, folder)
    _write((file.parent if file else _home(folder)) / DEFAULT_FILE, f"{name}\n")
    return name


def stack_rm(name: str, *, force: bool = False, working_dir: str | Path | None = None) -> None:
    """Remove a stack's file; unless `force`, only where nothing is deployed. Raises `UsageError`, `NotFoundError`."""
    folder = _folder(working_dir)
    load_stack(name, folder)
    file = stack_file(name, folder)
    if file is None:
        raise UsageError(f"the stack {name!r} is built in: there is no file to remove")
    if not force and (found := deployed(name, folder)):
        raise UsageError(
            f"something is deployed on the stack {name!r}: {', '.join(found)}",
            hint=f"take it down first: {'; '.join(f'defang-nb down -s {name} -p {each}' for each in found)}",
        )
    try:
        file.unlink()
    except OSError as error:
        raise UsageError(f"can't remove {file}: {error.strerror}") from None
    remembered = file.parent / DEFAULT_FILE
    if remembered.is_file() and _read(remembered).strip() == name and name != LOCAL.name:
        remembered.unlink()


def deployed(name: str, folder: Path) -> list[str]:
    """The projects that have resources there. Prepares no account for it."""
    workspace = workspace_of(name, folder)

    async def find() -> list[str]:
        if isinstance(workspace.provider, Bootstrapped) and not (await workspace.provider.bootstrap()).state:
            return []
        store = await workspace.provider.store()
        names = await (await workspace.history()).projects()
        return [each for each in names if (await State.open(store, each)).recorded]

    try:
        return loop.run(find())
    except DefangError as error:
        error.hint = "; ".join(filter(None, (error.hint, f"`stack rm {name} --force` removes it without looking")))
        raise


def checked(provider: str, region: str | None, mode: str | None) -> None:
    """Raises `UsageError` for one that does not exist, with the nearest that does."""
    _known("provider", provider, provider_names())
    if mode is not None:
        from defang_nb.providers.aws.modes import modes

        _known("mode", mode.lower(), tuple(modes()))
    if region is not None and provider == "aws":
        from defang_nb.providers.aws.account import check_region

        check_region(region)


def _known(what: str, said: str, known: tuple[str, ...]) -> None:
    if said not in known:
        close = get_close_matches(said, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"there is no {what} {said!r}", hint=f"{hint}{what}s: {', '.join(known)}")


def changed(text: str, wanted: Mapping[str, str]) -> str:
    """The dotenv text with these values: in the place where a key stands (the last, if several), else at its end."""
    lines = text.splitlines()
    for key, value in wanted.items():
        line = f"{key}={value if _PLAIN.fullmatch(value) else _quoted(value)}"
        pattern = re.compile(rf"\s*(export[ \t]+)?{re.escape(key)}\s*[=:]")
        found = [index for index, each in enumerate(lines) if pattern.match(each)]
        if not found:
            lines.append(line)
            continue
        old = lines[found[-1]]
        export = ((m := pattern.match(old)) and m[1]) or ""
        comment = re.search(r"""\s#[^'"]*$""", old)
        lines[found[-1]] = f"{export}{line}{comment[0] if comment else ''}"
    return "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    if "'" in value or "\n" in value:
        raise UsageError("a stack's values have no quotes and no line ends")
    return f"'{value}'"


def _default_mode() -> str:
    from defang_nb.providers.aws.modes import DEFAULT

    return DEFAULT


def _folder(working_dir: str | Path | None) -> Path:
    return Path(working_dir or ".").absolute()


def _home(folder: Path) -> Path:
    found = (each / FOLDER for each in (folder, *folder.parents) if (each / FOLDER).is_dir())
    return next(found, folder / FOLDER)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"can't read {file}: {error}") from None


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(exist_ok=True)
        beside = file.with_name(f".{file.name}.new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}") from None
