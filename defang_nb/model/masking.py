"""What in a text is likely a secret, by its key or by its looks; and the text without it, to be shown to people.

What is masked is a little more than what is warned of: a name hidden by mistake costs nothing, a password shown can't be taken
back. References to variables (`${PASSWORD}`) are no secrets, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MASK: Final = "••••••"

_SECRET_NAME: Final = re.compile(
    r"(?:password|passwd|passphrase|secret|api[_-]?key|private[_-]?key|access[_-]?key|secret[_-]?key|requirepass)$"
    r"|(?:^|[_.-])(?:pass|pwd|pw|token|credentials?)$|[a-z]Token$",
    re.IGNORECASE,
)
_KEY_VALUE: Final = re.compile(
    r"""(?P<key>["']?(?P<name>[A-Za-z_][\w.-]*)["']?\s*(?::(?=\s|["'])|=)\s*|--?(?P<flag>[A-Za-z][\w-]*)\s+)"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[^\n]*)"""
)
_ITEM: Final = re.compile(
    r"""(?:^|[\[,]|(?<!\$)\{)\s*(?:-\s+)*["']?(?P<name>[A-Za-z_][\w.-]*)(?:[^\w\s,\]}.-]+\s*|\s+)(?P<value>[^\n,\]}].*)"""
)
"""What looks like a key at the beginning of an item, whatever comes after it: a sign may be missing, or wrong."""
_URL: Final = re.compile(r"""(?<=://)[^\s:/@'"$]*:(?P<value>[^\s'"/]+)@(?=[^\s@])""")
_LOOKS: Final = re.compile(
    r"(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|npm_\w{30,}"
    r"|sk-[\w-]{20,}|[sr]k_live_\w{16,}|AIza[\w-]{30,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*|-----BEGIN[A-Z ]*PRIVATE KEY-----\S*"
)
_SHORTEST_TOKEN: Final = 15
_REFERENCE: Final = re.compile(r"\$\{\w+(?::?\?[^}]*)?\}|\$[A-Za-z_]\w*|\$\$")
_HARMLESS: Final = frozenset({"true", "false", "none", "null", "yes", "no"})


def is_secret_name(name: str) -> bool:
    """Whether a key (`DB_PASSWORD`, `apiKey`) says that its value is a secret."""
    return _SECRET_NAME.search(name) is not None


def is_secret_text(value: str) -> bool:
    """Whether a value looks like a secret whatever its key: a URL with a password in it, or a well-known token's form."""
    if "://" in value and any(_literal(match["value"]) for match in _URL.finditer(value)):
        return True
    return len(value) >= _SHORTEST_TOKEN and _LOOKS.search(value) is not None


def is_plain_secret(name: str, value: str) -> bool:
    """Whether `value` is likely a secret in plain text, since `name` says so."""
    return (
        is_secret_name(name)
        and len(value) >= 4
        and value.lower() not in _HARMLESS
        and not (value.isdigit() and len(value) < 8)
        and "/run/secrets" not in value
    )


def masked(line: str, *, caret: int = 0, secret: bool = False) -> str:
    """`line` without what is likely secret in it; with `secret`, all of it that isn't a key is.

    What stands before the index `caret` keeps its length, so that a column goes on pointing at its place.
    """
    made: list[str] = []
    done = 0
    for start, end in _spans(line, secret):
        if end <= done:
            continue
        start = max(start, done)
        made.append(line[done:start])
        made.append("•" * (end - start) if end <= caret else "•" * max(0, caret - start) + MASK)
        done = end
    return "".join(made) + line[done:]


def key_of(line: str) -> str:
    """The key that a line begins with; empty when it has none."""
    match = re.match(r"""\s*(?:-\s+)*["']?([A-Za-z_][\w.-]*)["']?\s*[:=]""", line)
    return match[1] if match else ""


def _spans(line: str, secret: bool) -> list[tuple[int, int]]:
    found = [match.span("value") for match in _URL.finditer(line)]
    found += [match.span() for match in _LOOKS.finditer(line)]
    index, named = 0, set()
    while match := _KEY_VALUE.search(line, index):
        index = match.end("key")
        if is_secret_name(match["name"] or match["flag"]):
            found.append(_value(line, *match.span("value")))
            index = max(found[-1][1], index)
            named.add(match.start("name"))
    index = 0
    while match := _ITEM.search(line, index):
        index = match.end("name")
        if match.start("name") not in named and is_secret_name(match["name"]):
            found.append(match.span("value"))
            break
    if secret and not named:
        key = re.match(r"""\s*(?:- )?(?:["']?[\w.-]+["']?\s*[:=]\s*)?""", line)
        found.append((key.end() if key else 0, len(line)))
    return sorted(each for start, end in found for each in _literals(line, start, end))


def _value(line: str, start: int, end: int) -> tuple[int, int]:
    """The span of a value without its quotes, a comment after it, and (in a flow mapping or list) what comes next."""
    if line[start : start + 1] in ("'", '"'):
        quote = line[start]
        return start + 1, end - 1 if end - start > 1 and line[end - 1] == quote else end
    text = line[start:end]
    if "{" in line[:start] or "[" in line[:start]:
        text = re.split(r"[,\]}]", _REFERENCE.sub(lambda each: "x" * len(each[0]), text), maxsplit=1)[0]
    text = re.split(r"\s#", text, maxsplit=1)[0].rstrip()
    return start, start + len(text)


def _literals(line: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of a span that are no references to variables."""
    for match in _REFERENCE.finditer(line, start, end):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < end:
        yield start, end


def _literal(value: str) -> bool:
    return _REFERENCE.sub("", value) != ""
