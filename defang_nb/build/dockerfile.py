"""A Dockerfile as values: its stages and their instructions, each with its line. Reading it evaluates nothing.

Source of the rules: docs.docker.com/reference/dockerfile (parser directives, escape, heredocs, shell and exec form, and an ARG
before FROM).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from defang_nb.build.substitution import unquote
from defang_nb.errors import BuildError
from defang_nb.model.excerpt import excerpt
from defang_nb.model.source import Diagnostic, Position, Severity

KEYWORDS = frozenset((
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
))  # fmt: skip
_WITH_FLAGS = frozenset(("ADD", "COPY", "FROM", "HEALTHCHECK", "RUN"))
_EXEC_FORM = frozenset(("ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"))
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)(?P<quote>[\"']?)(?P<name>[A-Za-z_][\w.\-]*)(?P=quote)(?!\S)")


class Heredoc(msgspec.Struct, frozen=True):
    """`<<NAME … NAME`. Variables in `content` are to be put in unless the name was quoted (`expand` is False)."""

    name: str
    content: str
    expand: bool


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction. `text` is what stands after the flags with continuations joined; `words` are those of the exec (JSON)
    form when `exec_form`, else `text` split at white space. `line` counts from 1.
    """

    keyword: str
    line: int
    text: str
    words: tuple[str, ...] = ()
    exec_form: bool = False
    flags: tuple[tuple[str, str], ...] = ()
    heredocs: tuple[Heredoc, ...] = ()

    def flag(self, name: str) -> str:
        """The value of `--name=value` ("" when it is not there)."""
        return next((value for key, value in self.flags if key == name), "")

    @property
    def title(self) -> str:
        """The instruction in one short line, for the build log."""
        flags = "".join(f"--{key}{'=' if value else ''}{value} " for key, value in self.flags)
        line = re.sub(r"\s+", " ", f"{self.keyword} {flags}{self.text}".strip())
        return line if len(line) <= 100 else f"{line[:99]}…"

    def pairs(self, escape: str = "\\") -> list[tuple[str, str | None]]:
        """The `KEY=value` pairs of ENV, LABEL and ARG, values still quoted; None where an ARG has no value."""
        words = _shell_words(self.text, escape)
        if self.keyword != "ARG" and words and "=" not in words[0]:
            key, _, value = self.text.strip().partition(" ")
            return [(key, value.strip())]
        return [(key, value if equals else None) for key, equals, value in (word.partition("=") for word in words)]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """`FROM base AS name`; `base` still holds its variables."""

    index: int
    base: str
    line: int
    name: str = ""
    platform: str = ""
    instructions: tuple[Instruction, ...] = ()


class Dockerfile(msgspec.Struct, frozen=True, kw_only=True):
    """`file` is what positions name; `arguments` are the ARGs before the first FROM, in order, values still quoted."""

    file: str
    stages: tuple[Stage, ...]
    lines: tuple[str, ...]
    arguments: tuple[tuple[str, str | None], ...] = ()
    escape: str = "\\"
    syntax: str = ""

    def stage(self, reference: str) -> Stage | None:
        """The stage of that name (in any case) or number."""
        for stage in reversed(self.stages):
            if stage.name and stage.name.lower() == reference.lower():
                return stage
        return self.stages[int(reference)] if reference.isdecimal() and int(reference) < len(self.stages) else None

    def globals(self, args: Mapping[str, str]) -> dict[str, str]:
        """What the ARGs before the first FROM come to; `args` win over their defaults."""
        known = dict(_PLATFORM)
        for name, default in self.arguments:
            if name in args:
                known[name] = args[name]
            elif default is not None:
                known[name] = unquote(default, known, escape=self.escape)
        return known

    def base(self, stage: Stage, args: Mapping[str, str]) -> str:
        """The image or earlier stage that `stage` begins from, variables put in."""
        return unquote(stage.base, self.globals(args), escape=self.escape)

    def diagnostic(
        self, line: int, code: str, message: str, *, hint: str = "", severity: Severity = Severity.ERROR
    ) -> Diagnostic:
        """A finding about `line`, with the line's text."""
        text = excerpt(self.lines[line - 1], 1) if 0 < line <= len(self.lines) else ""
        position = Position(self.file, line)
        return Diagnostic(severity=severity, code=code, message=message, hint=hint, position=position, excerpt=text)


_PLATFORM = {"TARGETPLATFORM": "linux/amd64", "BUILDPLATFORM": "linux/amd64", "TARGETOS": "linux", "BUILDOS": "linux"} | {
    "TARGETARCH": "amd64",
    "BUILDARCH": "amd64",
    "TARGETVARIANT": "",
}


def read(path: Path, file: str = "") -> Dockerfile:
    """The Dockerfile at `path`. Raises `BuildError` when it can't be read, or is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"can't read the Dockerfile {path}: {error}") from error
    return parse(text, file or str(path))


def parse(text: str, file: str = "Dockerfile") -> Dockerfile:
    """Read a whole Dockerfile. Raises `BuildError` with every problem found, each with its line."""
    lines = text.splitlines()
    reader = _Reader(lines)
    syntax = reader.directives()
    instructions = list(iter(reader.instruction, None))
    arguments: list[tuple[str, str | None]] = []
    stages: list[Stage] = []
    seen_from = False
    for each in instructions:
        if each.keyword == "FROM":
            seen_from = True
            if stage := _stage(each, len(stages), reader):
                stages.append(stage)
        elif stages:
            stages[-1] = msgspec.structs.replace(stages[-1], instructions=(*stages[-1].instructions, each))
        elif each.keyword == "ARG":
            arguments += each.pairs(reader.escape)
        elif each.keyword in KEYWORDS and not any(
            other.keyword == "FROM" for other in instructions[: instructions.index(each)]
        ):
            reader.problem(each.line, f"{each.keyword} before the first FROM (only ARG may stand there)")
    if not seen_from:
        reader.problem(1, "there is no FROM")
    found = Dockerfile(
        file=file,
        stages=tuple(stages),
        lines=tuple(lines),
        arguments=tuple(arguments),
        escape=reader.escape,
        syntax=syntax,
    )
    if reader.problems:
        diagnostics = [found.diagnostic(line, "dockerfile-syntax", message) for line, message in sorted(reader.problems)]
        line, message = min(reader.problems)
        raise BuildError(f"{file}:{line}: {message}", diagnostics=diagnostics)
    return found


class _Reader:
    """Goes over the lines once; keeps the problems it meets as (line, message)."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.index = 0
        self.escape = "\\"
        self.problems: list[tuple[int, str]] = []

    def problem(self, line: int, message: str) -> None:
        self.problems.append((line, message))

    def directives(self) -> str:
        """Take in `# escape=` and its like from the top; the value of `# syntax=`."""
        syntax = ""
        for line in self.lines:
            match = re.fullmatch(r"\s*#\s*(\w+)\s*=\s*(.+?)\s*", line)
            if not match or match[1].lower() not in ("syntax", "escape", "check"):
                break
            if match[1].lower() == "escape":
                self.escape = match[2]
            elif match[1].lower() == "syntax":
                syntax = match[2]
        if self.escape not in ("\\", "`"):
            self.problem(1, f"the escape directive must be \\ or `, not {self.escape}")
            self.escape = "\\"
        return syntax

    def instruction(self) -> Instruction | None:
        """The next one, or None at the end."""
        text, start = self._logical_line()
        if not text:
            return None
        keyword, *after = text.split(None, 1)
        rest = after[0].strip() if after else ""
        keyword = keyword.upper()
        if keyword not in KEYWORDS:
            self.problem(start, f"unknown instruction {keyword}")
        elif not rest:
            self.problem(start, f"{keyword} needs an argument")
        flags: list[tuple[str, str]] = []
        while keyword in _WITH_FLAGS and (match := re.match(r"--([a-zA-Z][\w-]*)(?:=(\"[^\"]*\"|\S*))?(?:\s+|$)", rest)):
            flags.append((match[1], (match[2] or "").strip('"')))
            rest = rest[match.end() :]
        heredocs = self._heredocs(rest, start) if keyword in ("RUN", "COPY", "ADD") else ()
        words = exec_form(rest) if keyword in _EXEC_FORM else None
        if keyword in ("COPY", "ADD") and len(words if words is not None else rest.split()) < 2:
            self.problem(start, f"{keyword} needs a source and a destination")
        if keyword == "ENV" and rest and (("=" not in rest and len(rest.split(None, 1)) < 2) or rest.startswith("=")):
            self.problem(start, "ENV needs a name and a value")
        return Instruction(
            keyword=keyword,
            line=start,
            text=rest,
            words=tuple(words if words is not None else rest.split()),
            exec_form=words is not None,
            flags=tuple(flags),
            heredocs=heredocs,
        )

    def _logical_line(self) -> tuple[str, int]:
        """The next instruction's text with continuations joined and comments gone, and its first line's number."""
        text = ""
        start = 0
        continuation = re.compile(rf"{re.escape(self.escape)}[ \t]*$")
        while self.index < len(self.lines):
            line = self.lines[self.index]
            self.index += 1
            if line.lstrip().startswith("#") or not line.strip():
                continue
            start = start or self.index
            text += continuation.sub("", line)
            if not continuation.search(line):
                break
        return text.strip(), start

    def _heredocs(self, text: str, start: int) -> tuple[Heredoc, ...]:
        found: list[Heredoc] = []
        for match in _HEREDOC.finditer(text):
            content: list[str] = []
            strip_tabs = match[1] == "-"
            while self.index < len(self.lines):
                line = self.lines[self.index].lstrip("\t") if strip_tabs else self.lines[self.index]
                self.index += 1
                if line == match["name"]:
                    break
                content.append(line + "\n")
            else:
                self.problem(start, f"the heredoc {match['name']} is never closed")
            found.append(Heredoc(match["name"], "".join(content), expand=not match["quote"]))
        return tuple(found)


def _stage(instruction: Instruction, index: int, reader: _Reader) -> Stage | None:
    match = re.fullmatch(r"(\S+)(?:\s+as\s+(\S+))?", instruction.text, re.IGNORECASE)
    if not match:
        if instruction.text:
            reader.problem(instruction.line, "FROM takes an image, and AS with a name")
        return None
    platform = instruction.flag("platform")
    return Stage(index=index, base=match[1], line=instruction.line, name=match[2] or "", platform=platform)


def exec_form(text: str) -> list[str] | None:
    """The words of a JSON list of strings; None for anything else, which then is the shell form."""
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None


def _shell_words(text: str, escape: str) -> list[str]:
    """`text` split at white space outside quotes; quotes and escapes stay."""
    pattern = rf"""(?:{re.escape(escape)}.|"(?:{re.escape(escape)}.|[^"])*"|'[^']*'|[^\s"'])+"""
    return re.findall(pattern, text, re.DOTALL)
