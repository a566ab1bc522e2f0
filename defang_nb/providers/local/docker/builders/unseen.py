"""A Dockerfile (or ignore file) that `.dockerignore` leaves out: the builder needs it, and `COPY . .` must not see it.

BuildKit reads it from the archive that it is sent, and so would copy it. Then everything that may be copied goes into a folder
of the archive, which COPY, ADD and bind mounts are told of. Every instruction stays on its line.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from defang_nb.build.dockerfile import Dockerfile, Instruction, parse
from defang_nb.build.ignore import Ignore, patterns
from defang_nb.build.image import is_inline
from defang_nb.errors import BuildError
from defang_nb.model.image import ImageSource

FOLDER = ".defang-nb-context"


def shown(text: str) -> str:
    """What an engine says, without the folder."""
    return text.replace(f"{FOLDER}/./", "").replace(f"{FOLDER}/", "")


def relocate(archive: Path, source: ImageSource, into: Path) -> Path:
    """The archive to send: `archive` itself where nothing is to be kept from view, else another in the folder `into`."""
    name = source.dockerfile or "Dockerfile"
    texts = _texts(archive, (name, f"{name}.dockerignore", ".dockerignore"))
    ignore_file = next((each for each in (f"{name}.dockerignore", ".dockerignore") if each in texts), "")
    if name not in texts:
        return archive
    try:
        rules = Ignore([line for _, line in patterns(texts.get(ignore_file, ""))], ignore_file)
        unseen = {each for each in (name, ignore_file) if each and _excluded(rules, each)}
        unseen |= {name} if is_inline(name) else set()
        said = relocated(parse(texts[name], name)) if unseen else ""
    except (ValueError, BuildError):
        return archive  # the engine says what is wrong
    if not unseen:
        return archive
    path = into / "relocated.tar"
    with tarfile.open(archive, mode="r|*") as old, tarfile.open(path, mode="w") as new:
        for member in old:
            if member.name not in unseen:
                file = old.extractfile(member) if member.isfile() else None
                member.name = f"{FOLDER}/{member.name}"
                new.addfile(member, file)
        data = said.encode()
        info = tarfile.TarInfo(name)
        info.size = len(data)
        new.addfile(info, io.BytesIO(data))
    return path


def relocated(file: Dockerfile) -> str:
    """The Dockerfile's text with what it takes from the context taken from the folder."""
    lines = list(file.lines)
    for stage in file.stages:
        for each in stage.instructions:
            if (said := _said(each)) is not None:
                first, last = each.line - 1, _last(file, each)
                # What follows a heredoc's instruction is its content, so that goes to its last line.
                lines[first : last + 1] = [*["#"] * (last - first), said] if each.heredocs else [said, *["#"] * (last - first)]
    return "\n".join(lines) + "\n"


def _said(instruction: Instruction) -> str | None:
    """The instruction anew; None for one that stays."""
    if instruction.keyword in ("COPY", "ADD") and not instruction.flag("from"):
        *sources, target = instruction.words
        moved = [_moved(instruction.keyword, each) for each in sources]
        words = json.dumps([*moved, target]) if instruction.exec_form else " ".join([*moved, target])
        return f"{instruction.keyword} {_flags(instruction)}{words}"
    mounts = [value for name, value in instruction.flags if name == "mount"]
    if instruction.keyword == "RUN" and any(_from_context(value) for value in mounts):
        return f"RUN {_flags(instruction)}{instruction.text}"
    return None


def _moved(keyword: str, source: str) -> str:
    if "<<" in source or (keyword == "ADD" and ("://" in source or source.startswith("git@"))):
        return source
    path = source.lstrip("/")
    while path.startswith("../"):
        path = path[3:].lstrip("/")
    return f"{FOLDER}/{path}"


def _from_context(mount: str) -> bool:
    parts = dict(part.partition("=")[::2] for part in mount.split(","))
    return parts.get("type", "bind") == "bind" and "from" not in parts


def _flags(instruction: Instruction) -> str:
    made = ""
    for name, value in instruction.flags:
        if name == "mount" and _from_context(value):
            parts = value.split(",")
            given = next((part for part in parts if part.startswith(("source=", "src="))), "source=.")
            place = given.partition("=")[2].lstrip("/")
            value = ",".join([*(part for part in parts if part != given), f"source={FOLDER}/{place}"])
        made += f"--{name}={value} " if value else f"--{name} "
    return made


def _last(file: Dockerfile, instruction: Instruction) -> int:
    """The index of the last line of an instruction, without its heredocs."""
    index = instruction.line - 1
    while file.lines[index].rstrip().endswith(file.escape) and index + 1 < len(file.lines):
        index += 1
        while index + 1 < len(file.lines) and (not file.lines[index].strip() or file.lines[index].lstrip().startswith("#")):
            index += 1
    return index


def _excluded(rules: Ignore, path: str) -> bool:
    verdicts: tuple[bool, ...] = ()
    for place in _places(path):
        verdicts = tuple(rules.verdicts(place, verdicts))
    return rules.excludes(verdicts)


def _places(path: str) -> Iterator[str]:
    parts = path.split("/")
    for end in range(1, len(parts) + 1):
        yield "/".join(parts[:end])


def _texts(archive: Path, names: Sequence[str]) -> dict[str, str]:
    """What is in those files of the archive that are there."""
    found: dict[str, str] = {}
    with tarfile.open(archive, mode="r|*") as tar:
        for member in tar:
            if member.name in names and (file := tar.extractfile(member)):
                found[member.name] = file.read().decode("utf-8-sig", errors="replace")
    return found
