"""Dockerfiles for engines older than Docker 23, which know no heredocs and fetch a `# syntax=` from the hub: said otherwise.

A heredoc of RUN becomes the exec form of what the shell is to do; one of COPY becomes a file of the context. Every instruction
stays on its line. Source: docs.docker.com/reference/dockerfile, "Here-Documents".
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import tarfile
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from defang_nb.build.dockerfile import Dockerfile, Heredoc, Instruction, Stage, parse
from defang_nb.build.log import read_dockerfile
from defang_nb.model.image import ImageSource
from defang_nb.providers.local.docker.builders.unseen import relocate

FIRST_WITH_HEREDOCS = (1, 42)
"""The API of Docker 23."""
_FOLDER = ".defang-nb-heredocs"
_TOKEN = re.compile(r"\d*<<-?[\"']?[A-Za-z_][\w.\-]*[\"']?")


@asynccontextmanager
async def sent_to(
    older: bool, context: Path, source: ImageSource, *, buildkit: bool = False, no_syntax: bool = False
) -> AsyncIterator[Path]:
    """The archive to send to an engine (to its `buildkit`, or its classic builder, which reads the ignore file itself).

    `no_syntax`: it is to read the Dockerfile itself, whatever that says.

    Raises `BuildError` when the Dockerfile is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="defang-nb-context-") as folder:
        if older or no_syntax:
            context = await asyncio.to_thread(adapt, context, source, Path(folder), heredocs=older)
        if buildkit:
            context = await asyncio.to_thread(relocate, context, source, Path(folder))
        yield context


def as_sent(older: bool, file: Dockerfile) -> Dockerfile:
    """The Dockerfile that the engine speaks of, when that is the archive's."""
    return parse(adapted(file)[0], file.file) if older else file


def adapt(context: Path, source: ImageSource, into: Path, *, heredocs: bool = True) -> Path:
    """The archive to send: `context` itself, or (in the folder `into`) one whose Dockerfile says the same for older engines.

    Raises `BuildError` when the Dockerfile is wrong.
    """
    file = read_dockerfile(context, source)
    text, files = adapted(file, heredocs=heredocs)
    if text == "\n".join(file.lines) + "\n":
        return context
    path = into / "adapted.tar"
    files = {**files, source.dockerfile or "Dockerfile": text}
    with tarfile.open(context, mode="r|*") as old, tarfile.open(path, mode="w") as new:
        for member in old:
            if member.name not in files:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
        for name, content in files.items():
            data = content.encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    return path


def adapted(file: Dockerfile, *, heredocs: bool = True) -> tuple[str, Mapping[str, str]]:
    """The Dockerfile's text without what is newer, and the files that it needs for that. Every line keeps its number."""
    lines = list(file.lines)
    files: dict[str, str] = {}
    for number, line in enumerate(lines):
        if not re.match(r"\s*#\s*\w+\s*=", line):
            break
        if re.match(r"\s*#\s*syntax\s*=", line, re.IGNORECASE):
            lines[number] = "# escape=" + file.escape if number == 0 else "#"
    for stage in file.stages:
        for each in stage.instructions:
            if heredocs and each.heredocs:
                first, last = each.line - 1, _last(file, each)
                said = _run(stage, each) if each.keyword == "RUN" else _copy(each, files)
                lines[first : last + 1] = [said, *["#"] * (last - first)]
    return "\n".join(lines) + "\n", files


def _last(file: Dockerfile, instruction: Instruction) -> int:
    """The index of the last line of an instruction with heredocs."""
    index = instruction.line - 1
    while file.lines[index].rstrip().endswith(file.escape):
        index += 1
    for each in instruction.heredocs:
        index += 1
        while file.lines[index].lstrip("\t") != each.name:
            index += 1
    return index


def _flags(instruction: Instruction) -> str:
    return "".join(f"--{name}={value} " if value else f"--{name} " for name, value in instruction.flags)


def _run(stage: Stage, instruction: Instruction) -> str:
    before = [each for each in stage.instructions if each.line < instruction.line and each.keyword == "SHELL"]
    shell = list(before[-1].words) if before else ["/bin/sh", "-c"]
    script = instruction.heredocs[0].content
    if not _TOKEN.fullmatch(instruction.text):
        script = instruction.text + "\n" + "".join(f"{each.content}{each.name}\n" for each in instruction.heredocs)
    elif script.startswith("#!"):
        # A script of its own: it is written down, started, and removed again.
        shell = ["/bin/sh", "-c"]
        end = _end(script)
        start = f"file=$(mktemp) && cat > $file <<'{end}' && chmod +x $file && $file && rm $file"
        script = f"{start}\n{script}{end}\n"
    return f"RUN {_flags(instruction)}{_exec([*shell, script])}"


def _exec(words: list[str]) -> str:
    """The exec form, in which nothing looks like a heredoc."""
    return json.dumps(words).replace("<<", "\\u003c\\u003c")


def _end(script: str) -> str:
    name = "END_OF_SCRIPT"
    while name in script:
        name += "_"
    return name


def _copy(instruction: Instruction, files: dict[str, str]) -> str:
    """Its files are part of the context; where variables are to be put in, the image's shell writes them instead."""
    heredocs = {each.name: each for each in instruction.heredocs}
    *sources, target = instruction.text.split()
    names = [_name(each) for each in sources]
    if any(each.expand and "$" in each.content for each in instruction.heredocs) and all(name in heredocs for name in names):
        return f"RUN {_exec(['/bin/sh', '-c', _written(instruction, [heredocs[name] for name in names], target)])}"
    folder = f"{_FOLDER}/{instruction.line}"
    for each in instruction.heredocs:
        files[f"{folder}/{each.name}"] = each.content
    paths = [f"{folder}/{name}" if name in heredocs else source for name, source in zip(names, sources, strict=True)]
    return f"{instruction.keyword} {_flags(instruction)}{' '.join(paths)} {target}"


def _name(word: str) -> str:
    return word.partition("<<")[2].lstrip("-").strip("\"'") if _TOKEN.fullmatch(word) else ""


def _written(instruction: Instruction, heredocs: list[Heredoc], target: str) -> str:
    """A shell's words that write the files, with the mode and owner that were asked for."""
    script = "set -e\n"
    for each in heredocs:
        place = f'"{target}{each.name}"' if target.endswith("/") else f'"{target}"'
        quote = "" if each.expand else "'"
        script += f'mkdir -p "$(dirname {place})"\ncat > {place} <<{quote}{each.name}{quote}\n{each.content}{each.name}\n'
        script += f"chmod {instruction.flag('chmod') or '644'} {place}\n"
        script += f"chown {instruction.flag('chown')} {place}\n" if instruction.flag("chown") else ""
    return script
