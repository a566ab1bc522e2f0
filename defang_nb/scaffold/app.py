"""An `App`: everything that makes a cell's code, or a notebook, a service."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from defang_nb.errors import UsageError
from defang_nb.scaffold.code import (
    Code,
    app_object,
    calls,
    check_calls,
    check_starts,
    imports,
    read_code,
    settings,
    texts,
    without_commands,
)
from defang_nb.scaffold.frameworks import FRAMEWORKS, Framework
from defang_nb.scaffold.requirements import Requirement, merged, needs, pinned, stated
from defang_nb.scaffold.stores import STORES, Store

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_FILES_LIMIT = 100 * 2**20
"""Bytes of data files that are taken along because the code names them."""
_OF_THE_MACHINE = frozenset({"HOME", "PATH", "PWD", "USER", "SHELL", "LANG", "TMPDIR", "PORT"})


@dataclass(frozen=True)
class Wish:
    """What a person asks for; `framework` "" lets the imports tell, `port` 0 takes the framework's own."""

    name: str
    framework: str = ""
    requirements: Sequence[str] = ()
    stores: Sequence[str] = ()
    port: int = 0
    include: Sequence[str] = ()


@dataclass(frozen=True)
class App:
    """`files` are relative paths → their text, or where to copy them from; `services` are Compose's, as plain values, but for
    the build's context, which is where the files get written.
    """

    name: str
    framework: str
    port: int
    command: tuple[str, ...]
    files: Mapping[str, str | bytes | Path]
    requirements: tuple[Requirement, ...]
    services: Mapping[str, Mapping[str, Any]]
    settings: tuple[str, ...] = ()
    generated: tuple[str, ...] = field(default=())
    """Configuration values that may be made at random, since nobody has to know them."""

    def compose(self, context: Path | str) -> str:
        """The Compose text of its services, to be merged with the rest of the project."""
        services = {name: dict(service) for name, service in self.services.items()}
        services[self.name] = {"build": {"context": str(context)}, **services[self.name]}
        return str(yaml.safe_dump({"services": services}, sort_keys=False, allow_unicode=True))


def make_app(
    wish: Wish, code: str, folder: Path, *, label: str = "app.py", first: int = 1, notebook: Path | None = None
) -> App:
    """The app of a cell's `code`, or of a `notebook` (then `code` is ignored). `folder` holds the modules and data beside it.

    `label` and `first` say what errors call the code, and at which line it begins there. Raises `UsageError`.
    """
    if not _NAME.fullmatch(wish.name):
        raise UsageError(f"{wish.name!r} is no name for a service", hint="lower-case letters, digits, - and _")
    if not 0 <= wish.port <= 65535:
        raise UsageError(f"{wish.port} is no port", hint="ports go from 1 to 65535")
    given = stated(wish.requirements, folder)
    if notebook is not None:
        document, read, asked = _read_notebook(notebook, folder)
        framework = _framework(wish.framework or "voila", read)
        if not framework.notebook:
            raise UsageError(f"a notebook is served with voila, not with {framework.name}", hint="leave --framework out")
        return assemble(wish, framework, read, {"app.ipynb": _dumped(document)}, folder, given=[*given, *asked])
    read = read_code(code, label, first)
    framework = _framework(wish.framework, read)
    own = {"app.ipynb": _dumped(_cell_notebook(code))} if framework.notebook else {"app.py": _ends(code)}
    return assemble(wish, framework, read, own, folder, given=given)


def assemble(
    wish: Wish,
    framework: Framework,
    code: Code,
    own: Mapping[str, str | bytes],
    folder: Path,
    *,
    given: Sequence[Requirement] = (),
    also: Sequence[Code] = (),
) -> App:
    """Put together what belongs to the app of `code`, whose `own` files are made already. `also` is code that it uses, of which
    only the imports matter. Raises `UsageError`.
    """
    stores = _stores(wish)
    name = app_object(code, framework)
    check_starts(code, framework, name)
    check_calls(code, framework)
    found = needs([*also, code], folder, given)
    drivers = [each for store in stores for each in store.drivers({need.name for need in found.requirements})]
    served = [Requirement(pinned(each), f"serves {framework.name}") for each in framework.packages]
    requirements = merged(given, found.requirements, served, drivers)
    port = wish.port or framework.port
    command, adapter = framework.served_by(starts_itself=calls(code.tree, "launch"))
    command = tuple(word.format(port=port, object=name) for word in command)
    files: dict[str, str | bytes | Path] = dict(own)
    if adapter:
        files["serve.py"] = adapter.format(object=name)
    files |= _beside(found.modules, folder) | _data(code, wish.include, folder, set(files))
    files["requirements.txt"] = "".join(f"{each.line}\n" for each in requirements)
    files["Dockerfile"] = _dockerfile(port, command)
    keys = [key for key in settings(code.tree) if key not in _OF_THE_MACHINE]
    told = {key for store in stores for key in store.environment}
    return App(
        wish.name,
        framework.name,
        port,
        command,
        files,
        requirements,
        _services(wish.name, framework, port, stores, keys),
        settings=tuple(key for key in keys if key not in told),
        generated=tuple(key for store in stores for key in store.generated),
    )


def write_app(app: App, folder: Path) -> None:
    """Make `folder` hold exactly the app's files. Readers see all of the old ones or all of the new ones."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    draft.chmod(0o755)
    for name, content in app.files.items():
        place = draft / name
        place.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case str():
                place.write_text(content, encoding="utf-8")
            case bytes():
                place.write_bytes(content)
            case _:
                shutil.copyfile(content, place)
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        folder.rename(old / "old")
        draft.rename(folder)
        shutil.rmtree(old)
    else:
        draft.rename(folder)


def _framework(name: str, code: Code) -> Framework:
    if name:
        if name not in FRAMEWORKS:
            raise UsageError(f"there is no framework {name!r} here", hint=f"one of: {', '.join(FRAMEWORKS)}")
        return FRAMEWORKS[name]
    roots = {each.module.partition(".")[0] for each in imports(code.tree)}
    found = [each for each in FRAMEWORKS.values() if each.root in roots]
    if len(found) != 1:
        what = f"imports {' and '.join(each.name for each in found)}" if found else "imports none of them"
        raise UsageError(f"which framework is it? The code {what}", hint=f"say --framework {'|'.join(FRAMEWORKS)}")
    return found[0]


def _stores(wish: Wish) -> list[Store]:
    found = []
    for name in (each for text in wish.stores for each in text.split(",") if each):
        if name not in STORES:
            raise UsageError(f"there is no store {name!r} to go with", hint=f"one of: {', '.join(STORES)}")
        if name == wish.name:
            raise UsageError(f"the app and its store can't both be called {name}", hint="give the app another name")
        found.append(STORES[name])
    return found


def _services(
    name: str, framework: Framework, port: int, stores: Sequence[Store], keys: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    environment: dict[str, str | None] = {key: value.format(port=port) for key, value in framework.environment}
    for store in stores:
        environment |= {key: value.format(name=_identifier(name)) for key, value in store.environment.items()}
    environment |= {key: None for key in keys if key not in environment}
    service: dict[str, Any] = {
        "restart": "unless-stopped",
        "ports": [{"target": port, "mode": "ingress"}],
        **({"environment": environment} if environment else {}),
        "healthcheck": {"test": _health(framework, port), "interval": "5s", "timeout": "3s", "retries": 12},
        "deploy": {"resources": {"reservations": {"cpus": "0.5", "memory": "512M"}}},
    }
    if stores:
        service["depends_on"] = {store.name: {"condition": "service_healthy"} for store in stores}
    return {name: service, **{store.name: store.service(_identifier(name)) for store in stores}}


def _identifier(name: str) -> str:
    return name.replace("-", "_")


def _health(framework: Framework, port: int) -> list[str]:
    if framework.health:
        ask = f"import urllib.request as r; r.urlopen('http://localhost:{port}{framework.health}')"
    else:
        ask = f"import socket; socket.create_connection(('localhost', {port}), 2).close()"
    return ["CMD", "python", "-c", ask]


def _dockerfile(port: int, command: Sequence[str]) -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"FROM python:{version}-slim\nWORKDIR /app\nCOPY requirements.txt .\n"
        "RUN pip install --no-cache-dir -r requirements.txt\nCOPY . .\n"
        f"EXPOSE {port}\nCMD {json.dumps(list(command))}\n"
    )


def _beside(modules: Sequence[Path], folder: Path) -> dict[str, str | bytes | Path]:
    files: dict[str, str | bytes | Path] = {}
    for module in modules:
        place = folder / module
        found = [place] if place.is_file() else [each for each in sorted(place.rglob("*")) if each.is_file()]
        files |= {str(each.relative_to(folder)): each for each in found if "__pycache__" not in each.parts}
    return files


def _data(code: Code, include: Sequence[str], folder: Path, taken: set[str]) -> dict[str, str | bytes | Path]:
    """Files that the code names, or that were asked for, if they lie in the folder."""
    root = folder.resolve()
    asked = []
    for pattern in include:
        found = [each for each in sorted(folder.glob(pattern)) if each.is_file()]
        for each in sorted(folder.glob(pattern)):
            found += [inner for inner in sorted(each.rglob("*")) if inner.is_file()] if each.is_dir() else []
        if not found:
            raise UsageError(f"--include {pattern} finds no file", hint=f"looked in {folder}")
        asked += found
    named = [folder / text for text in texts(code.tree) if _may_name_a_file(text) and (folder / text).is_file()]
    files: dict[str, str | bytes | Path] = {}
    size = 0
    for each in (*asked, *named):
        place = each.resolve()
        if not place.is_relative_to(root) or str(place.relative_to(root)) in taken:
            continue
        size += place.stat().st_size
        if each not in asked and size > _FILES_LIMIT:
            raise UsageError(
                f"the files that the code names are larger than {_FILES_LIMIT // 2**20} MiB, at {each.name}",
                hint=f"if it is meant to go along, say so: --include {each.name}",
            )
        files[str(place.relative_to(root))] = place
    return files


def _may_name_a_file(text: str) -> bool:
    return 0 < len(text) < 256 and "\n" not in text and "\0" not in text and not text.startswith((".", "/", "~"))


def _ends(code: str) -> str:
    return code if code.endswith("\n") else f"{code}\n"


def _dumped(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1)


def _cell_notebook(code: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "app",
        "metadata": {},
        "outputs": [],
        "source": code,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _read_notebook(path: Path, folder: Path) -> tuple[dict[str, Any], Code, list[Requirement]]:
    """The notebook without its outputs, its code, and what its `pip install`s ask for."""
    place = folder / path
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
        cells = [each for each in document["cells"] if each["cell_type"] == "code"]
        sources = ["".join(each["source"]) for each in cells]
    except FileNotFoundError:
        raise UsageError(f"there is no notebook {path}", hint=f"looked in {folder}") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is no notebook that can be read", hint="a file of Jupyter's, of format 4") from None
    for each in cells:
        each["outputs"], each["execution_count"] = [], None
    kept, asked = [], []
    for source in sources:
        text, installs = without_commands(source)
        kept.append(text)
        asked += installs
    metadata = document.get("metadata", {})
    metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return document, read_code("\n".join(kept), str(path)), [Requirement(each, "the notebook installs it") for each in asked]
