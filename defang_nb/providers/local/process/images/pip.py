"""pip's command line in uv's words, and requirements that need a compiler replaced by ones that bring their binaries."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

SUBSTITUTES = {"uwsgi": "pyuwsgi", "psycopg2": "psycopg2-binary"}
"""Packages that are built from C on install → the same thing as a wheel."""

_TOOLS = frozenset(("pip", "uv"))
_DROPPED = frozenset((
    "--break-system-packages", "--compile", "--compile-bytecode", "--disable-pip-version-check", "--ignore-installed",
    "--no-cache", "--no-cache-dir", "--no-clean", "--no-color", "--no-compile", "--no-input",
    "--no-python-version-warning", "--no-warn-conflicts", "--no-warn-script-location", "--prefer-binary", "--quiet",
    "--system", "--use-pep517", "--user", "--verbose", "-I", "-q", "-qq", "-v", "-y",
))  # fmt: skip
_DROPPED_WITH_VALUE = frozenset((
    "--cache-dir", "--default-timeout", "--exists-action", "--link-mode", "--log", "--progress-bar", "--python",
    "--retries", "--root-user-action", "--src", "--timeout", "-p",
))  # fmt: skip
_WITH_VALUE = frozenset((
    "--allow-insecure-host", "--constraint", "--default-index", "--extra", "--extra-index-url", "--find-links", "--group",
    "--index", "--index-strategy", "--index-url", "--no-binary", "--only-binary", "--requirement", "-c", "-f", "-i", "-r",
))  # fmt: skip
_RENAMED = {"--pre": "--prerelease=allow", "--trusted-host": "--allow-insecure-host"}
_PLACES = frozenset(("--prefix", "--target", "-t", "--root"))


class Install(msgspec.Struct, frozen=True, kw_only=True):
    """`words` are for `uv pip install` (none: nothing is left to do); `place` is where pip was told to put it, or ""."""

    words: tuple[str, ...]
    place: str = ""


def install_of(arguments: Sequence[str]) -> Install:
    """What `pip install <arguments>` comes to. `-e X` becomes a plain installation of X: a service runs from its own copy."""
    words: list[str] = []
    wanted = False
    place = ""
    rest = _spread(arguments)
    while rest:
        word = rest.pop(0)
        if word in _PLACES and rest:
            place = rest.pop(0)
        elif word in _DROPPED:
            continue
        elif word in _DROPPED_WITH_VALUE:
            rest = rest[1:]
        elif word in ("-e", "--editable"):
            continue
        elif word in _RENAMED:
            words.append(_RENAMED[word])
        elif word in _WITH_VALUE and rest:
            words += [word, rest.pop(0)]
            wanted = wanted or word in ("-r", "--requirement")
        elif word.startswith("-"):
            words.append(word)
        elif requirement_name(word) not in _TOOLS:
            words.append(word)
            wanted = True
    return Install(words=tuple(words) if wanted else (), place=place)


def requirement_name(requirement: str) -> str:
    """The normalised name of a requirement ("" for a path or an address)."""
    match = re.match(r"\s*([A-Za-z0-9][\w.\-]*)\s*(?:\[[^\]]*\])?\s*(?:$|[<>=!~;@(,])", requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""


def substituted(requirement: str) -> str:
    """The requirement with a name from `SUBSTITUTES` replaced; versions and markers stay."""
    if other := SUBSTITUTES.get(requirement_name(requirement)):
        return re.sub(r"[A-Za-z0-9][\w.\-]*", other, requirement, count=1)
    return requirement


def is_local(requirement: str) -> bool:
    """Whether a requirement is a file or folder on this machine."""
    bare = requirement.partition("[")[0]
    return bare in (".", "..") or bare.startswith(("./", "../", "/")) or bare.endswith((".whl", ".tar.gz", ".zip"))


def requirements(file: Path, place: Callable[[str], Path], seen: frozenset[Path] = frozenset()) -> list[str]:
    """The lines of a requirements file for uv: included files put in, substitutes, local paths absolute, comments gone.

    `place` says where a path is that is relative to pip's working directory. Raises `OSError` for a file that is not there.
    """
    if file in seen:
        return []
    lines: list[str] = []
    for raw in re.sub(r"\\\n", " ", file.read_text(encoding="utf-8-sig")).splitlines():
        line = re.sub(r"(?:^|\s)#.*$", "", raw).strip()
        line = re.sub(r"^(?:-e|--editable)[\s=]+", "", line)
        if match := re.match(r"(?:-r|--requirement)[\s=]*(\S+)", line):
            lines += requirements(file.parent / match[1], place, seen | {file})
        elif match := re.match(r"(?:-c|--constraint)[\s=]*(\S+)", line):
            lines.append(f"-c {file.parent / match[1]}")
        elif line.startswith(("--trusted-host", "--use-", "--no-cache")) or requirement_name(line) in _TOOLS:
            continue
        elif line and is_local(line) and not line.startswith("/"):
            lines.append(str(place(line)))
        elif line:
            lines.append(substituted(line))
    return lines


def locked(file: Path) -> list[str]:
    """The packages of a poetry.lock as constraints; those from elsewhere than an index, or with several versions are left out.

    Raises `OSError` for a file that is not there, `ValueError` for one that is no TOML.
    """
    found = [each for each in tomllib.loads(file.read_text(encoding="utf-8")).get("package", []) if "source" not in each]
    names = [each["name"] for each in found]
    return [f"{each['name']}=={each['version']}" for each in found if names.count(each["name"]) == 1]


def _spread(arguments: Sequence[str]) -> list[str]:
    """`-rfile` and `--requirement=file` as two words."""
    words: list[str] = []
    for word in arguments:
        name, equals, value = word.partition("=")
        if equals and name in _WITH_VALUE | _DROPPED_WITH_VALUE | _PLACES:
            words += [name, value]
        elif re.match(r"-[rcifte][^\s-]", word) and not word.startswith("--"):
            words += [word[:2], word[2:]]
        else:
            words.append(word)
    return words
