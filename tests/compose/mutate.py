"""Small and large damage to Compose projects: the nodes of their YAML moved, replaced and wrapped, their text cut and spoilt.

A project is one text: compose.yaml, then each further file after a line `#=== NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import yaml

CORPUS: Final = Path(__file__).parent / "corpus"
NAMES: Final = frozenset({
    ".env", "a.env", "raw.env", "l.env", "over.yaml", "inc/compose.yaml", "inc/two.yaml", "inc/three.yaml", "inc/base.yaml",
    "inc/i.env", "inc/base.env",
})  # fmt: skip
LONGEST: Final = 60_000

_MARK: Final = re.compile(r"^#=== (.+)\n", re.MULTILINE)
_VALUES: Final = (
    "", "null", "true", "0", "-1", "1.5", "text", "''", "'a:b'", "'='", "2024-01-01", ".inf", "[]", "{}", "[1]", "[x, x]",
    "[[]]", "[null]", "[{}]", "['']", "{a: }", "{a: 1}", "{a: []}", "{a: {}}", "{a: {b: c}}", "$", "!reset null",
    "!override [x]", "{path: [1]}", "{service: a}", "{file: inc/base.yaml, service: base}",
    "{file: compose.yaml, service: web}", "{type: bind}", "{target: 1}", "{source: q}", "1-65535", "1-65535:1-65535",
    "80:80:80:80", "[::1]:80:80", "${A}", "${A:-${B:-${C}}}", "${", "${A:?no}", "${A:+$B}", "$$", "${A!}", "${}", "$A$B",
    "${1}", "99999999999999999999", "'9999999999999999999999999999999'", "1e400", "-0", "0x", "0o8", "1_000", "٣", "²",
    "9" * 5000, "1h" * 50, "99999999h", "999p", "-1g", "1.5.5", "inf", "nan", "*a", "&a x", "!!binary eA==", "!!int x",
    "!!str 1", "!!map []", "!!null x", "! x", "!x y", "? a", "- a", "|\n  a", ">-\n  a", '"\\0"', '"\\ud800"', '"\\x85"',
    "a\\\nb", "#", "# x", "on-failure:x", "service:web", "service:", "container:x", "host", "../../..", "/dev/zero", "~",
    "~/x", "inc", "C:\\x:/y", "a:b:c", ":", "=", "<<", "x-defang-postgres", "{x-defang-llm: [1]}", "no", "y",
)  # fmt: skip
_LETTERS: Final = (
    "\0", "\ufeff", "\x85", "\u2028", "\t", "\r\n", "\r", "\x1b", "\u202e", "😀", "\uffff", "é", "$", "${", "}", "{", "[", "]",
    "'", '"', ":", ": ", "- ", "#", " #", "|", ">", "&a ", "*a", "!x ", "%", "@", "`", "\\", ",", "\n", "\n---\n", "\n...\n",
    "<<: *a\n", "=",
)  # fmt: skip
_TAGS: Final = ("!reset ", "!override ", "!!str ", "!!binary ", "!!float ", "!!set ", "!x ", "&a ", "&labels ", "! ")


def projects() -> list[str]:
    return [file.read_text(encoding="utf-8") for file in sorted(CORPUS.glob("*.txt"))]


def files(project: str) -> dict[str, str]:
    """The project's files; names that none of ours has are left out."""
    first, *rest = _MARK.split(project)
    return {"compose.yaml": first, **{name: text for name, text in zip(rest[::2], rest[1::2], strict=True) if name in NAMES}}


def joined(parts: dict[str, str]) -> str:
    first, *rest = parts.items()
    return first[1] + "".join(f"{'' if first[1].endswith(chr(10)) else chr(10)}#=== {name}\n{text}\n" for name, text in rest)


def mutated(project: str, random: Random, others: list[str]) -> str:
    """`project` with one to four pieces of damage; some of it is taken from `others`."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        parts = files(project)
        name = random.choice((*parts, "compose.yaml"))
        change = random.choice((_node, _node, _node, _line, _letters, _whole))
        parts[name] = change(parts[name], random, others)
        project = joined(parts)[:LONGEST]
    return project


def _node(text: str, random: Random, others: list[str]) -> str:
    spans = list(_spans(text))
    if not spans:
        return _line(text, random, others)
    start, end = random.choice(spans)
    part = text[start:end]
    match random.randrange(9):
        case 0:
            made = ""
        case 1 | 2:
            made = random.choice(_VALUES)
        case 3:
            made = random.choice(_TAGS) + part
        case 4:
            low, high = random.choice(spans)
            made = text[low:high]
        case 5:
            depth = random.choice((1, 2, 30, 101, 300))
            made = "[" * depth + part.replace("\n", " ") + "]" * depth
        case 6:
            made = random.choice(("'", '"')) + part + random.choice(("'", '"', ""))
        case 7:
            other = random.choice(others)
            theirs = list(_spans(files(other)["compose.yaml"]))
            low, high = random.choice(theirs) if theirs else (0, 0)
            made = other[low:high]
        case _:
            low, high = sorted((random.choice(spans), (start, end)))[0]
            made = f"{part}, {text[low:high]}"
    return text[:start] + made + text[end:]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the nodes of a YAML text stand; nothing when it is none."""
    try:
        open_ = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, RecursionError, UnicodeError, ValueError):
        return
    seen: set[int] = set()
    while open_:
        node = open_.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node.start_mark.index, node.end_mark.index
        if isinstance(node, yaml.MappingNode):
            open_ += [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            open_ += node.value


def _line(text: str, random: Random, others: list[str]) -> str:
    lines = text.split("\n")
    index = random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            del lines[index]
        case 1:
            lines.insert(random.randrange(len(lines)), lines[index])
        case 2:
            lines[index] = " " * random.randrange(6) + lines[index]
        case 3:
            lines[index] = lines[index].lstrip()
        case _:
            theirs = random.choice(others).split("\n")
            low = random.randrange(len(theirs))
            lines[index:index] = theirs[low : low + random.randrange(1, 6)]
    return "\n".join(lines)


def _letters(text: str, random: Random, others: list[str]) -> str:
    index = random.randrange(len(text) + 1)
    length = random.choice((0, 0, 1, 1, 5, 50))
    return text[:index] + random.choice(_LETTERS) * random.choice((1, 1, 1, 2, 60)) + text[index + length :]


def _whole(text: str, random: Random, others: list[str]) -> str:
    match random.randrange(7):
        case 0:
            return text[: random.randrange(len(text) + 1)]
        case 1:
            return text.replace("\n", "\r\n")
        case 2:
            return "\ufeff" + text
        case 3:
            return text.replace(":", random.choice((" :", "=", ":\t", "::")), random.randrange(1, 4))
        case 4:
            return f"{text}\n---\n{files(random.choice(others))['compose.yaml']}"
        case 5:
            return text.replace("  ", random.choice(("\t", " ", "   ")))
    return random.choice(others) if "#===" not in text else text
