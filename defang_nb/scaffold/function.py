"""A function → an app that answers HTTP: its arguments come as JSON, what it returns goes as JSON.

The function travels by value (cloudpickle), with everything of the notebook's that it uses: helpers, constants, a fitted model.
What it uses of packages and of modules beside the notebook travels as requirements and files.
"""

from __future__ import annotations

import dis
import inspect
import io
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from defang_nb.errors import UsageError
from defang_nb.scaffold.app import App, Wish, assemble
from defang_nb.scaffold.code import read_code
from defang_nb.scaffold.frameworks import FRAMEWORKS
from defang_nb.scaffold.requirements import Requirement, pinned, stated

_NOT_NEEDED = frozenset({"__main__", "builtins", "cloudpickle"})
_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

SERVER = '''\
"""{name}(…) as an API: POST / with its arguments as a JSON object; /docs shows them."""

import inspect
import pickle
import typing
from pathlib import Path

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, create_model

function = pickle.loads(Path(__file__).with_name("function.pkl").read_bytes())


def described(parameter, hints):
    """Its type, where that is one for JSON, and its default."""
    hint = hints.get(parameter.name, typing.Any)
    try:
        TypeAdapter(hint)
    except PydanticSchemaGenerationError:
        hint = typing.Any
    return hint, ... if parameter.default is parameter.empty else parameter.default


def plain(value):
    """Tables and arrays as lists."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict(orient="records")
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {{str(key): plain(each) for key, each in value.items()}}
    if isinstance(value, (list, tuple, set)):
        return [plain(each) for each in value]
    return value


try:
    hints = typing.get_type_hints(function)
except (NameError, TypeError):
    hints = {{}}
parameters = inspect.signature(function).parameters.values()
Arguments = create_model(
    "Arguments", __config__=ConfigDict(extra="forbid"), **{{each.name: described(each, hints) for each in parameters}}
)
app = FastAPI(title="{name}", description=inspect.getdoc(function) or "")


@app.get("/", include_in_schema=False)
def root():
    return RedirectResponse("docs")


@app.post("/", summary="{name}")
async def call(arguments: Arguments):
    given = {{name: getattr(arguments, name) for name in type(arguments).model_fields}}
    if inspect.iscoroutinefunction(function):
        return plain(await function(**given))
    return plain(await run_in_threadpool(function, **given))
'''


def function_app(function: Callable[..., Any], wish: Wish, folder: Path) -> App:
    """`folder` holds the modules beside it. Raises `UsageError` for what JSON can't call, or what can't travel."""
    name = getattr(function, "__name__", "")
    if not isinstance(function, types.FunctionType) or not name.isidentifier():
        what = "lambda" if name == "<lambda>" else type(function).__name__
        raise UsageError(
            f"only a function with a name can be served, and this is a {what}",
            hint="def answer(question: str) -> str: … around it",
        )
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in _KINDS:
            raise UsageError(f"{name} takes {parameter}, which a JSON object can't give", hint="name each of its parameters")
    pickled, modules = _travel(function)
    used = read_code("".join(f"import {each}\n" for each in sorted(modules)), f"what {name} uses")
    text = SERVER.format(name=name)
    carrier = Requirement(pinned("cloudpickle"), f"carries {name}")
    own: dict[str, str | bytes] = {"app.py": text, "function.pkl": pickled}
    given = [*stated(wish.requirements, folder), carrier]
    return assemble(wish, FRAMEWORKS["fastapi"], read_code(text, "app.py"), own, folder, given=given, also=[used])


def _travel(function: types.FunctionType) -> tuple[bytes, set[str]]:
    """The pickled function, and the modules that it needs where it is unpickled."""
    import cloudpickle

    modules: set[str] = set()

    class Recorder(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, thing: Any) -> Any:
            modules.add(thing.__name__ if isinstance(thing, types.ModuleType) else _home(thing))
            if isinstance(thing, types.FunctionType) and thing.__module__ not in set(sys.modules) - {"__main__"}:
                modules.update(_imported(thing.__code__))  # it goes by value, and imports when it is called
            return super().reducer_override(thing)

    buffer = io.BytesIO()
    try:
        Recorder(buffer).dump(function)
    except Exception as error:  # noqa: BLE001  # edge: whatever the user's objects raise when they are pickled
        raise UsageError(
            f"{function.__name__} can't travel: {error}", hint="make what can't be pickled (a connection, a lock) inside of it"
        ) from None
    return buffer.getvalue(), {each for each in modules if each.partition(".")[0] not in _NOT_NEEDED}


def _home(thing: object) -> str:
    """The module that something, or its class, lives in."""
    own = (
        getattr(thing, "__module__", None) if isinstance(thing, type | types.FunctionType | types.BuiltinFunctionType) else None
    )
    return str(own or type(thing).__module__)


def _imported(code: types.CodeType) -> Iterator[str]:
    """The modules that it imports, itself and its inner functions."""
    for each in dis.get_instructions(code):
        # The level of a relative import, which a notebook's function can't have, is not looked at.
        if each.opname == "IMPORT_NAME":
            yield str(each.argval)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _imported(inner)
