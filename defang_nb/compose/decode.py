"""YAML text → nodes with positions, from libyaml's event stream.

The standard constructors resolve scalars differently from the reference and keep no positions; a small builder of our own
on the C event stream does both, and is several times as fast.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from defang_nb.compose.limits import CHARACTERS, DEPTH, DOCUMENTS, PER_MAPPING, PER_SCALAR, WRITTEN
from defang_nb.compose.nodes import Map, Node, Path, Seq, Timestamp, show
from defang_nb.compose.problems import Problems, did_you_mean
from defang_nb.compose.scalars import resolve
from defang_nb.model.source import Position

_RESET = "!reset"
_OVERRIDE = "!override"
_STRING = "tag:yaml.org,2002:str"
_MERGE = "<<"
_TOO_DEEP = f"nested deeper than {DEPTH} levels", f"at most {DEPTH} mappings or lists may be in each other"
"""What is said of it, and what to do."""


class _SyntaxError(Exception):
    """What stops the reading of a file: message and place."""

    def __init__(self, message: str, at: Position | None, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint


class _Reset:
    """Stands for a node tagged `!reset` until its mapping has noted it."""


class _Override:
    def __init__(self, value: Node) -> None:
        self.value = value


def decode(text: str, file: str, problems: Problems) -> list[Node]:
    """All documents of `text`. What can't be read is noted in `problems`."""
    problems.add_text(file, text)
    builder = _Builder(file, problems)
    try:
        return builder.documents(text)
    except _SyntaxError as problem:
        problems.error("yaml-syntax", problem.message, problem.at, tuple(builder.path), problem.hint)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        began = problem.context_mark
        if mark and began and (mark.line >= len(problems.texts[file]) or "expected ':'" in (problem.problem or "")):
            mark = began  # what was never closed, or is no key, stands there; there is nothing to see at the end
        at = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1)
        context = f" ({problem.context})" if problem.context else ""
        said, hint = f"YAML: {problem.problem}{context}", _syntax_hint(problem, problems, at)
        if "maximum nesting depth" in (problem.problem or ""):
            said, hint = _TOO_DEEP  # libyaml reads ahead, and has a limit of its own since 0.2.6
        problems.error("yaml-syntax", said, at, tuple(builder.path), hint)
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        column = problem.position - text.rfind("\n", 0, problem.position)
        hint = "remove that character, or write it with an escape in double quotes"
        problems.error("yaml-syntax", f"YAML: {problem.reason}", Position(file, line, column), tuple(builder.path), hint)
    except UnicodeEncodeError as problem:
        line = text.count("\n", 0, problem.start) + 1
        column = problem.start - text.rfind("\n", 0, problem.start)
        hint = "save the file as UTF-8"
        problems.error("yaml-syntax", "YAML: not valid Unicode text", Position(file, line, column), tuple(builder.path), hint)
    return []


def _syntax_hint(problem: yaml.MarkedYAMLError, problems: Problems, at: Position) -> str:
    said = problem.problem or ""
    lines = problems.texts[at.file]
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    if (
        "\t" in line
        or "tab" in said
        or ("cannot start any token" in said and "\t" in "".join(lines[max(0, at.line - 2) : at.line]))
    ):
        return "indent with spaces; YAML allows no tabs there"
    if "did not find expected" in said and re.match(r"\s*- ", line):
        return "the items of a list have to be indented alike"
    if "could not find expected ':'" in said:
        return "a key needs a colon after it, and a list item needs `- ` before it"
    if "mapping values are not allowed" in said:
        return "is the indentation right, or does a value with a colon in it need quotes?"
    if "did not find expected" in said:
        return "check the indentation, and that brackets and quotes are closed"
    if "unexpected end" in said or "unknown escape" in said:
        return "is the quote closed? In double quotes a backslash begins an escape; in single quotes it is itself"
    if "cannot start any token" in said:
        return "put the value in quotes: it begins with a sign that means something else in YAML"
    return "check the indentation, the quotes and the brackets here and on the line above"


class _Builder:
    def __init__(self, file: str, problems: Problems) -> None:
        self.file = file
        self.problems = problems
        self.anchors: dict[str, Node] = {}
        self.open: set[str] = set()
        self.path: list[str | int] = []
        self.depth = 0
        self.overriding = 0
        """Whether a value tagged `!override` is read: tags in it say nothing."""

    def documents(self, text: str) -> list[Node]:
        parser = yaml.CBaseLoader(text.removeprefix("\ufeff"))
        self.next: Any = parser.get_event
        found: list[Node] = []
        try:
            while (event := self.next()) is not None:
                kind = type(event)
                if kind is yaml.DocumentStartEvent:
                    self.anchors, self.open = {}, set()
                elif kind in (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent, yaml.AliasEvent):
                    if len(found) >= DOCUMENTS:
                        hint = f"at most {DOCUMENTS:,} documents may be in one file"
                        raise _SyntaxError("too many documents", self.place(event), hint)
                    node = self.build(event)
                    found.append(node.value if isinstance(node, _Override) else None if isinstance(node, _Reset) else node)
                elif kind is yaml.StreamEndEvent:
                    break
        finally:
            parser.dispose()
        return found

    def place(self, event: Any) -> Position:
        mark = event.start_mark
        return Position(self.file, mark.line + 1, mark.column + 1)

    def build(self, event: Any) -> Node:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            tag = event.tag
            value = self.tagged(event, tag) if tag else event.value if event.style else resolve(event.value)
        elif kind is yaml.AliasEvent:
            return self.alias(event)
        else:
            if event.anchor:
                self.open.add(event.anchor)
            self.deeper(event)
            tag = "" if self.overriding else event.tag
            self.overriding += tag == _OVERRIDE
            value = self.mapping(event) if kind is yaml.MappingStartEvent else self.sequence(event)
            self.overriding -= tag == _OVERRIDE
            self.depth -= 1
            self.problems.write(len(value) + 1, value.at)
            if event.anchor:
                self.open.discard(event.anchor)
            if tag == _RESET:
                value = _Reset()
            elif tag == _OVERRIDE:
                value = _Override(value)
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def deeper(self, event: Any) -> None:
        if self.depth > DEPTH:
            said, hint = _TOO_DEEP
            raise _SyntaxError(said, self.place(event), hint)
        self.depth += 1

    def tagged(self, event: Any, tag: str) -> Node:
        if tag == _RESET and not self.overriding:
            return _Reset()
        if tag == _OVERRIDE and not self.overriding:
            return _Override(event.value)  # a text, whatever it looks like, as the reference reads it
        if tag in (_STRING, "!"):
            return event.value
        return event.value if event.style else resolve(event.value)

    def alias(self, event: Any) -> Node:
        name = event.anchor
        if name in self.open:
            hint = "an alias may not stand inside of its own anchor: name another one, or write the value out"
            raise _SyntaxError(f'YAML: anchor "{name}" contains itself', self.place(event), hint)
        if name not in self.anchors:
            hint = did_you_mean(name, self.anchors) or "an anchor (&name) has to come before its alias (*name)"
            raise _SyntaxError(f'YAML: unknown anchor "{name}"', self.place(event), hint)
        return self.copy(self.anchors[name], event)

    def copy(self, node: Node, event: Any) -> Node:
        if isinstance(node, _Override):
            return _Override(self.copy(node.value, event))
        if not isinstance(node, (Map, Seq)):
            values = PER_SCALAR + (len(node) // CHARACTERS if isinstance(node, str) else 0)
            self.problems.derive(values, "aliases", self.place(event), tuple(self.path))
            return node
        self.problems.derive(PER_MAPPING + len(node), "aliases", self.place(event), tuple(self.path))
        self.deeper(event)
        made: Map | Seq
        if isinstance(node, Map):
            made = Map(node.at)
            made.copy_marks(node)
            for key, value in node.items():
                made[key] = self.copy(value, event)
        else:
            made = Seq(node.at)
            made.items_at = list(node.items_at)
            for value in node:
                made.append(self.copy(value, event))
        self.depth -= 1
        return made

    def sequence(self, event: Any) -> Seq:
        made = Seq(self.place(event))
        path, following = self.path, self.next
        while type(item := following()) is not yaml.SequenceEndEvent:
            path.append(len(made))
            value = self.build(item)
            path.pop()
            if isinstance(value, _Override):
                value = value.value
            if not isinstance(value, _Reset):
                made.add(value, self.place(item))
                if len(made) > WRITTEN:
                    break  # it is counted, and refused, by whom it is for
        return made

    def mapping(self, event: Any) -> Map:
        made = Map(self.place(event))
        path, following = self.path, self.next
        merged: list[Map] | None = None
        while type(item := following()) is not yaml.MappingEndEvent:
            at = self.place(item)
            if type(item) is yaml.ScalarEvent and item.value == _MERGE and not item.style:
                if merged is not None:
                    self.duplicate(_MERGE, at, at)
                merged = self.to_merge(following())
                continue
            key = self.key(item, at)
            if key in made.keys_at:
                self.duplicate(key, at, made.keys_at[key])
            path.append(key)
            value_event = following()
            value = self.build(value_event)
            path.pop()
            made.keys_at[key] = at
            made.values_at[key] = self.place(value_event)
            if isinstance(value, _Reset):
                made.resets |= {key}
            elif isinstance(value, _Override):
                made.overrides |= {key}
                made[key] = value.value
            else:
                made[key] = value
            if len(made) > WRITTEN:
                break
        for each in merged or ():
            for key, value in each.items():
                if key not in made and key not in made.resets:
                    made.put(key, value, each)
        return made

    def key(self, event: Any, at: Position) -> str:
        value = self.build(event)
        if isinstance(value, str) and not isinstance(value, Timestamp):
            return value
        here: Path = tuple(self.path)
        shown = event.value if type(event) is yaml.ScalarEvent else "a mapping or list"
        where = f" in {show(here)}" if here else ""
        path = here if type(event) is not yaml.ScalarEvent else (*here, shown)
        self.problems.error("key-type", f"a key must be a string, not {shown}{where}", at, path, hint="put it in quotes")
        return str(shown)

    def duplicate(self, key: str, at: Position, first: Position) -> None:
        here: Path = (*self.path, key)
        where = "" if first is at else f" (first at {first})"
        hint = "`<<: [*a, *b]` merges several" if key == _MERGE else "keep one of them"
        self.problems.error("duplicate-key", f'"{key}" is given twice{where}', at, here, hint=hint)

    def to_merge(self, event: Any) -> list[Map]:
        value = self.build(event)
        if isinstance(value, Map):
            return [value]
        if isinstance(value, Seq) and all(isinstance(each, Map) for each in value):
            return list(value)
        hint = "write the alias of a mapping: `<<: *name`, or `<<: [*a, *b]`"
        raise _SyntaxError("YAML: `<<` needs a mapping or a list of mappings", self.place(event), hint)
