"""What can be read off an app's code without running it: imports, the app's variable, files and settings that it names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from defang_nb.errors import UsageError
from defang_nb.model.excerpt import excerpt
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.scaffold.frameworks import Framework

_MAGIC = re.compile(r"^\s*(%|!|\?|.*\?\s*$)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Code:
    """Python text that can be parsed. `label` is what people call the place, `first` the line that it begins at there."""

    text: str
    label: str
    tree: ast.Module
    first: int = 1

    def problem(self, node: ast.AST | None, message: str, hint: str = "") -> UsageError:
        """An error that points to `node` (None: to the beginning)."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        return _problem(self.text, self.label, self.first, line, column, message, hint)


@dataclass(frozen=True)
class Import:
    """`module` is the dotted name; one that the code can do without (`try: import …`) is optional."""

    module: str
    node: ast.AST
    optional: bool = False


def read_code(text: str, label: str, first: int = 1) -> Code:
    """Raises `UsageError` with the place where it is no Python."""
    try:
        return Code(text, label, ast.parse(text), first)
    except SyntaxError as error:
        line, column = error.lineno or 1, max(error.offset or 1, 1)
        lines = text.splitlines()
        if line <= len(lines) and _MAGIC.match(lines[line - 1]):
            message, hint = "an app is plain Python, and this is a notebook's command", "put it into a cell of its own"
        else:
            message, hint = f"this is no Python: {error.msg}", ""
        raise _problem(text, label, first, line, column, message, hint) from None
    except ValueError as error:
        raise _problem(text, label, first, 1, 1, f"this is no Python: {error}", "") from None


def _problem(text: str, label: str, first: int, line: int, column: int, message: str, hint: str) -> UsageError:
    lines = text.splitlines()
    found = Diagnostic(
        severity=Severity.ERROR,
        code="app-code",
        message=message,
        hint=hint,
        position=Position(label, first + line - 1, column),
        excerpt=excerpt(lines[line - 1], column) if line <= len(lines) else "",
    )
    return UsageError(message, hint=hint, diagnostics=[found])


def imports(tree: ast.Module) -> list[Import]:
    """Absolute imports, wherever they stand, but for those that only a type checker sees."""
    found: list[Import] = []
    _collect(tree, False, found)
    return found


def _collect(node: ast.AST, optional: bool, found: list[Import]) -> None:
    match node:
        case ast.Import():
            found += [Import(alias.name, node, optional) for alias in node.names]
        case ast.ImportFrom(module=str() as module, level=0):
            found.append(Import(module, node, optional))
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            for seen in node.orelse:
                _collect(seen, optional, found)
        case ast.Try():
            missed = any(_catches_import_error(each) for each in node.handlers)
            for tried in node.body:
                _collect(tried, optional or missed, found)
            for part in (*node.handlers, *node.orelse, *node.finalbody):
                _collect(part, optional or missed, found)
        case _:
            for each in ast.iter_child_nodes(node):
                _collect(each, optional, found)


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name)}
    return bool(names & {"ImportError", "ModuleNotFoundError", "Exception"})


def app_object(code: Code, framework: Framework) -> str:
    """The variable at the top of the code that the framework's server is given. Raises `UsageError` when there is none."""
    if not framework.makers:
        return ""
    names = list(_made(code.tree.body, framework.makers))
    if not names:
        what = framework.makers[0]
        raise code.problem(None, f"this code makes no {framework.name} app ({what})", f"for example: {framework.example}")
    return "app" if "app" in names else names[-1]


def _made(body: Sequence[ast.stmt], makers: Sequence[str]) -> Iterator[str]:
    for each in body:
        match each:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)) if _last(func) in makers:
                yield name
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=func)) if _last(func) in makers:
                yield name
            case ast.With(items=items, body=inner):
                for item in items:
                    match item:
                        case ast.withitem(ast.Call(func=func), ast.Name(id=name)) if _last(func) in makers:
                            yield name
                yield from _made(inner, makers)
            case ast.If(body=inner):
                yield from _made(inner, makers)


def check_starts(code: Code, framework: Framework, name: str) -> None:
    """Raises `UsageError` when the code, imported by its server, would start a server of its own."""
    for each in code.tree.body:
        match each:
            case ast.Expr(ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=attr))) if (
                attr in framework.starts and owner in (name, "uvicorn")
            ):
                raise code.problem(
                    each,
                    f"{owner}.{attr}(…) would start a second server",
                    f"leave it out: {framework.packages[-1]} serves the app",
                )


def check_calls(code: Code, framework: Framework) -> None:
    """Raises `UsageError` when the call that makes it an app is missing."""
    if framework.calls and not calls(code.tree, framework.calls):
        raise code.problem(
            None, f"nothing here is .{framework.calls}(), so there is nothing to show", f"for example: {framework.example}"
        )


def calls(tree: ast.Module, name: str) -> bool:
    """Whether `….name(…)` stands anywhere in the code."""
    return any(isinstance(each, ast.Call) and _last(each.func) == name for each in ast.walk(tree))


def _last(node: ast.expr) -> str:
    match node:
        case ast.Attribute(attr=attr):
            return attr
        case ast.Name(id=name):
            return name
    return ""


def settings(tree: ast.Module) -> list[str]:
    """The environment variables that the code can't do without: those it reads as `os.environ["NAME"]`."""
    found: dict[str, None] = {}
    for each in ast.walk(tree):
        match each:
            case ast.Subscript(
                value=ast.Attribute(attr="environ") | ast.Name(id="environ"),
                slice=ast.Constant(value=str() as name),
                ctx=ast.Load(),
            ) if _NAME.fullmatch(name):
                found[name] = None
    return list(found)


def texts(tree: ast.Module) -> list[str]:
    """All string constants, of which some may name files."""
    return list(
        dict.fromkeys(each.value for each in ast.walk(tree) if isinstance(each, ast.Constant) and isinstance(each.value, str))
    )


def without_commands(text: str) -> tuple[str, list[str]]:
    """A notebook cell's code without its notebook commands (replaced by `pass`), and what its `pip install`s ask for."""
    kept: list[str] = []
    asked: list[str] = []
    for line in text.splitlines():
        command = line.strip()
        if command.startswith(("%%",)):
            return "", asked
        if command.startswith(("%", "!")):
            words = command.lstrip("%!").split()
            if words[:2] == ["pip", "install"]:
                asked += [word for word in words[2:] if not word.startswith("-")]
            kept.append(line[: len(line) - len(line.lstrip())] + "pass")
        else:
            kept.append(line)
    return "\n".join(kept), asked
