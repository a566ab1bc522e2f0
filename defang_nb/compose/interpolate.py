"""Variables in a document: every string value is filled in, keys never are."""

from __future__ import annotations

from collections.abc import Mapping

from defang_nb.compose.limits import CHARACTERS
from defang_nb.compose.locate import dollar
from defang_nb.compose.nodes import Map, Node, Path, Seq
from defang_nb.compose.problems import Problems, did_you_mean
from defang_nb.compose.template import CONFIG_NAME, Filler, TemplateError
from defang_nb.model.masking import is_secret_name, key_of
from defang_nb.model.source import Position
from defang_nb.model.value import ConfigRef

_MOST_IN_ONE = 100
"""How many unset variables of one string are warned of: finding each in the source takes time."""


class Interpolation:
    """Fills in the strings of documents from `variables`.

    `as_compose`: what is not set is blank, with a warning. Otherwise it is a configuration value in a service's environment
    and build arguments, left as it stands in extensions (which others may alias), and an error everywhere else.
    """

    def __init__(self, variables: Mapping[str, str], problems: Problems, *, as_compose: bool) -> None:
        self.variables = variables
        self.problems = problems
        self.as_compose = as_compose
        self._path: list[str | int] = []
        self._at: Position | None = None
        self._value = ""
        self._told: dict[Position | None, set[str]] = {}
        self._ways: dict[str, str] = {}
        self._filler = Filler(variables.get, self._missing)

    def document(self, node: Node) -> None:
        """Fill in all of `node`, in place."""
        if isinstance(node, Map):
            self._map(node)
        elif isinstance(node, Seq):
            self._seq(node)

    def text(self, value: str, at: Position | None, path: Path) -> str | None:
        """One string filled in; None when it can't be (which is noted)."""
        self._path, self._at = list(path), at
        filled = self._fill(value)
        self._path = []
        return filled

    def _map(self, node: Map) -> None:
        path = self._path
        bad: list[str] = []
        for key, value in node.items():
            if isinstance(value, str):
                if "$" in value:
                    path.append(key)
                    self._at = node.value_at(key)
                    if (filled := self._fill(value)) is None:
                        bad.append(key)
                    else:
                        node[key] = filled
                    path.pop()
            elif isinstance(value, (Map, Seq)):
                path.append(key)
                self.document(value)
                path.pop()
        for key in bad:
            del node[key]

    def _seq(self, node: Seq) -> None:
        path = self._path
        for index, value in enumerate(node):
            path.append(index)
            if isinstance(value, str):
                if "$" in value:
                    self._at = node.items_at[index]
                    filled = self._fill(value)
                    node[index] = value.replace("$", "") if filled is None else filled
            else:
                self.document(value)
            path.pop()

    def _fill(self, value: str) -> str | None:
        self._value = value
        try:
            filled = self._filler.fill(value)
            if len(filled) > CHARACTERS:
                self.problems.derive(len(filled) // CHARACTERS, "variables", self._at, tuple(self._path))
            return filled
        except TemplateError as problem:
            path = tuple(self._path)
            hint = problem.hint or (self._where_to_set(problem.name) if problem.name else "")
            keys = [*(key for key in path[2:] if isinstance(key, str)), key_of(value)]
            message = str(problem)
            if problem.code == "interpolation-syntax" and any(map(is_secret_name, keys)):
                message = "invalid interpolation"  # what follows the `$` may be a part of a secret
            self.problems.error(problem.code, message, self._place(), path, hint=hint)
            return None

    def _place(self) -> Position | None:
        """Where the `$` of the variable at hand stands."""
        return self._at and dollar(self.problems.texts.get(self._at.file, ()), self._at, self._value, self._filler.offset)

    def _missing(self, name: str) -> str | ConfigRef:
        path = tuple(self._path)
        if self.as_compose:
            told = self._told.setdefault(self._at, set())
            if name not in told and len(told) < _MOST_IN_ONE:
                told.add(name)
                message = f'variable "{name}" is not set; it stands for a blank string'
                self.problems.warn("variable-unset", message, self._place(), path, self._where_to_set(name))
            return ""
        if _is_extension(path):
            return f"${{{name}}}"
        if not _may_be_config(path):
            hint = f"{self._where_to_set(name)}; write $${name} for one that the container itself fills in"
            raise TemplateError("variable-unset", f'variable "{name}" is not set', name, hint)
        if not CONFIG_NAME.fullmatch(name):
            message = f'"{name}" is too long for a config name (at most 64 characters)'
            raise TemplateError("config-name", message, hint="give it a shorter name, or a default: ${NAME:-value}")
        return ConfigRef(name)

    def _where_to_set(self, name: str) -> str:
        if name not in self._ways:
            near = did_you_mean(name, self.variables)
            start = f"{near} Else set" if near else "set"
            self._ways[name] = f"{start} {name} in .env, or give a default: ${{{name}:-value}}"
        return self._ways[name]


def _is_extension(path: Path) -> bool:
    return any(isinstance(part, str) and part.startswith("x-") for part in (path[:1] + path[2:]))


def _may_be_config(path: Path) -> bool:
    """Whether a value there may be known only at deployment: an environment value or a build argument of a service."""
    match path:
        case ("services" | "jobs", _, "environment", _) | ("services" | "jobs", _, "build", "args", _):
            return True
    return False
