"""Which instruction of a Dockerfile a builder's words mean."""

from __future__ import annotations

import difflib
import re

from defang_nb.build.dockerfile import Dockerfile, Instruction, Stage
from defang_nb.model.source import Diagnostic

_VERTEX = re.compile(r"\[(?:(?:[\w./]+ )?(?P<stage>[^\s\]]+) )?(?P<number>\d+)/(?P<total>\d+)\] (?P<text>.+)", re.DOTALL)
_NUMBERED = re.compile(r"\[(?:[^\]]* )?\d+/\d+\] ")
_PARSE = re.compile(r"parse error (?:on )?line (\d+): (.*)", re.IGNORECASE | re.DOTALL)
_LAYERS = ("RUN", "COPY", "ADD", "WORKDIR")
_UNLIKE = 0.3


def is_step(vertex: str) -> bool:
    """Whether a vertex of BuildKit is an instruction (`[2/4] RUN …`, `[base 1/2] FROM …`), and nothing internal."""
    return _NUMBERED.match(vertex) is not None


def of_vertex(file: Dockerfile, vertex: str, code: str, message: str) -> Diagnostic | None:
    """The line of a vertex of BuildKit; None when none is like it."""
    match = _VERTEX.fullmatch(vertex)
    if not match:
        return of_text(file, vertex, code, message)
    stage = file.stage(match["stage"].removeprefix("stage-")) if match["stage"] else file.stages[-1]
    if stage is None:
        return of_text(file, match["text"], code, message)
    # The base image counts too, unless it is another stage; a base image's triggers (ONBUILD) come on top of that.
    layers = [each for each in stage.instructions if each.keyword in _LAYERS]
    before = int(match["total"]) - len(layers)
    place = int(match["number"]) - 1 - before
    if before in (0, 1) and place >= 0 and match["text"].startswith(layers[place].keyword):
        return file.diagnostic(layers[place].line, code, message)
    return of_text(file, match["text"], code, message, (stage,))


def of_text(file: Dockerfile, text: str, code: str, message: str, stages: tuple[Stage, ...] | None = None) -> Diagnostic | None:
    """The line of the instruction that is most like `text`, which may have variables put in."""
    keyword = text.split(None, 1)[0].upper() if text.strip() else ""
    if keyword == "FROM":
        return of_base(file, text.split()[1].partition("@")[0], code, message)
    candidates = [
        each for stage in (file.stages if stages is None else stages) for each in stage.instructions if each.keyword == keyword
    ]
    if not candidates:
        return None

    def likeness(each: Instruction) -> float:
        flags = "".join(f"--{name}={value} " for name, value in each.flags)
        return difflib.SequenceMatcher(None, f"{keyword} {flags}{each.text}"[:400], text[:400], autojunk=False).ratio()

    best = max(candidates, key=likeness)
    return file.diagnostic(best.line, code, message) if len(candidates) == 1 or likeness(best) > _UNLIKE else None


def of_number(file: Dockerfile, number: int, code: str, message: str) -> Diagnostic | None:
    """The `number`th instruction from 1, as the classic builder counts (ARGs before the first FROM among them)."""
    lines = [0] * len(file.arguments)
    for stage in file.stages:
        lines += [stage.line, *(each.line for each in stage.instructions)]
    line = lines[number - 1] if 0 < number <= len(lines) else 0
    return file.diagnostic(line, code, message) if line else None


def of_base(file: Dockerfile, image: str, code: str, message: str) -> Diagnostic | None:
    """The FROM (or `COPY --from`) that names `image`, however the engine spells it (`docker.io/library/python:3.12`)."""
    wanted = normal(image)
    for stage in file.stages:
        if normal(file.base(stage, {})) == wanted:
            return file.diagnostic(stage.line, code, message)
        for each in stage.instructions:
            if each.flag("from") and normal(each.flag("from")) == wanted:
                return file.diagnostic(each.line, code, message)
    unknown = [stage for stage in file.stages if "$" in stage.base]
    return file.diagnostic(unknown[0].line, code, message) if len(unknown) == 1 else None


def title(file: Dockerfile, found: Diagnostic | None) -> str:
    """The instruction that a finding is about, in one short line; "" when none is known."""
    line = found.position.line if found and found.position else 0
    return next((each.title for stage in file.stages for each in stage.instructions if each.line == line), "")


def again(file: Dockerfile, found: Diagnostic | None, message: str) -> Diagnostic | None:
    """A finding with another message, and the line's text as it is in `file`."""
    return file.diagnostic(found.position.line, found.code, message) if found and found.position else None


def parse_error(said: str) -> tuple[int, str] | None:
    """The line and the message of an engine's complaint that the Dockerfile does not parse."""
    match = _PARSE.search(said)
    return (int(match[1]), match[2].strip()) if match else None


def normal(image: str) -> str:
    """`python` → `docker.io/library/python:latest`."""
    first, slash, _ = image.partition("/")
    if not (slash and ("." in first or ":" in first or first == "localhost")):
        image = f"docker.io/{image}" if slash else f"docker.io/library/{image}"
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"


def split(image: str) -> tuple[str, str]:
    """Repository, and tag or digest (`latest` where it has none)."""
    if "@" in image:
        repository, _, digest = image.partition("@")
        return repository, digest
    repository, colon, tag = image.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (image, "latest")
