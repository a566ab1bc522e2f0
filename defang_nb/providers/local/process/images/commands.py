"""What a RUN's commands come to here: installations, programs of the image, file commands, things left out, or a refusal.

An allowlist: a command that is neither known nor known to be needless is refused, and nothing is ever given to a shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

import msgspec

from defang_nb.model.source import Severity
from defang_nb.providers.local.process.images.bases import BaseKind
from defang_nb.providers.local.process.images.machine import Machine
from defang_nb.providers.local.process.images.pip import install_of
from defang_nb.providers.local.process.images.shell import Command, UnreadableError, split
from defang_nb.providers.local.process.images.steps import Action, Execute, Files, Packages, Skip, Task

# Packages whose work is done here by something else: wheels bring their binaries, health checks are built in.
_HARMLESS = frozenset((
    "apt-transport-https", "apt-utils", "bash", "build-essential", "ca-certificates", "cmake", "curl", "dos2unix",
    "dumb-init", "g++", "gcc", "gettext", "git", "gnupg", "iputils-ping", "less", "libc-dev", "libc6-compat",
    "libc6-dev", "libffi-dev", "libpq-dev", "libpq5", "libssl-dev", "linux-headers", "locales", "make", "musl-dev",
    "nano", "netcat", "netcat-openbsd", "netcat-traditional", "openssl", "pkg-config", "postgresql-client",
    "postgresql-dev", "procps", "python-dev", "python3", "python3-dev", "python3-pip", "python3-venv", "redis-tools",
    "software-properties-common", "tini", "tzdata", "unzip", "vim", "wget", "zip",
))  # fmt: skip
_SYSTEM = frozenset(("apt-get", "apt", "apk", "dpkg", "yum", "dnf", "microdnf", "add-apt-repository", "apt-key", "apt-mark"))
_USERS = frozenset(("adduser", "addgroup", "useradd", "groupadd", "usermod", "groupmod", "chown", "chgrp", "passwd", "deluser"))
_NEEDLESS = frozenset((
    ":", "date", "dpkg-reconfigure", "echo", "env", "hash", "id", "ldconfig", "locale-gen", "localedef", "ls",
    "printf", "pwd", "set", "setcap", "sync", "true", "ulimit", "umask", "uname", "update-alternatives",
    "update-ca-certificates", "which", "whoami",
))  # fmt: skip
_PYTHON_PROGRAMS = frozenset((
    "alembic", "dbt", "django-admin", "flask", "jupyter", "mkdocs", "nltk", "pip-compile", "playwright", "prefect",
    "prisma", "pybabel", "pytest", "reflex", "spacy", "sphinx-build", "streamlit",
))  # fmt: skip
_NODE_PROGRAMS = frozenset(("node", "npm", "npx", "yarn", "pnpm", "corepack", "tsc", "next", "vite"))
_FILE_VERBS = frozenset(("mkdir", "rm", "rmdir", "touch", "chmod", "cp", "mv", "ln"))
_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")


class RefusedError(Exception):
    """A command that can't be carried out without a container; says why."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of one RUN, and the container folders that it made virtual environments in."""

    tasks: tuple[Task, ...]
    places: tuple[str, ...] = ()


def read_run(line: str, cwd: str, env: Mapping[str, str], kind: BaseKind, machine: Machine) -> Read:
    """The tasks for a RUN in shell form. Raises `RefusedError`."""
    try:
        commands = split(line, env)
    except UnreadableError as error:
        if "astral.sh/uv" in line:
            return Read(tasks=(Task(action=Skip(what="uv", reason="uv is here already")),))
        raise RefusedError(f"needs a shell: it holds {error}") from error
    return read_commands(commands, cwd, env, kind, machine)


def read_commands(commands: Sequence[Command], cwd: str, env: Mapping[str, str], kind: BaseKind, machine: Machine) -> Read:
    """The tasks for commands that are split already. Raises `RefusedError`."""
    tasks: list[Task] = []
    places: list[str] = []
    variables = dict(env)
    for index, command in enumerate(commands):
        if command.operator == "||":
            continue
        if not command.words:
            variables |= dict(command.assignments)
            continue
        name, arguments = command.words[0], command.words[1:]
        if name == "cd":
            cwd = _joined(cwd, arguments[0] if arguments else "/root")
        elif name == "export":
            variables |= {key: value for key, _, value in (each.partition("=") for each in arguments)}
        elif place := _environment_place(command):
            places.append(_joined(cwd, place))
            tasks.append(Task(action=Skip(what=command.text, reason="the image has one virtual environment, this one")))
        else:
            tolerate = index + 1 < len(commands) and commands[index + 1].operator == "||"
            here = variables | dict(command.assignments)
            found = list(_actions(command, kind, machine, tolerate=tolerate))
            places += [_joined(cwd, each) for each in _install_places(command)]
            tasks += [Task(action=action, cwd=cwd, env=here) for action in found]
    return Read(tasks=tuple(tasks), places=tuple(places))


def _actions(command: Command, kind: BaseKind, machine: Machine, *, tolerate: bool) -> Iterator[Action]:
    name = PurePosixPath(command.words[0]).name
    arguments = command.words[1:]
    if name in _SYSTEM:
        yield _system(command)
    elif name in _USERS:
        yield Skip(what=command.text, reason="there are no users and owners here: everything runs as you")
    elif name in _NEEDLESS:
        yield Skip(what=command.text, reason="not needed here")
    elif name in _FILE_VERBS:
        yield _files(name, arguments)
    elif (pip := _pip_arguments(command)) is not None:
        yield _pip(pip, command)
    elif name in ("uv", "poetry", "pipenv"):
        yield from _project_tool(name, arguments, command, tolerate=tolerate)
    elif _PYTHON.fullmatch(name) or name in _PYTHON_PROGRAMS:
        if kind is not BaseKind.PYTHON:
            raise RefusedError(f"runs {name}, and its base image is not a python one")
        yield Execute(words=command.words, tolerate=tolerate)
    elif name in _NODE_PROGRAMS:
        yield _node(name, command, machine, tolerate=tolerate)
    else:
        raise RefusedError(f"runs {name!r}, which this engine does not know")


def _system(command: Command) -> Skip:
    words = [word for word in command.words[1:] if not word.startswith("-")]
    packages = words[1:] if words[:1] in (["install"], ["add"], ["reinstall"]) else []
    missing = [each for each in packages if re.split(r"[=:~]", each)[0] not in _HARMLESS and not each.startswith(".")]
    if missing:
        reason = f"system packages are not installed: {', '.join(missing)}"
        return Skip(what=command.text, reason=reason, severity=Severity.WARNING)
    return Skip(what=command.text, reason="system packages are not installed here, and these are not needed")


def _files(name: str, arguments: Sequence[str]) -> Files:
    verb: Literal["mkdir", "rm", "touch", "chmod", "cp", "mv", "ln"]
    operands = tuple(each for each in arguments if not re.match(r"-[A-Za-z-]", each))
    match name:
        case "chmod":
            # `chmod -x file` takes the mode for an option.
            modes = [
                each for each in arguments if re.fullmatch(r"[ugoa]*[-+=][rwxX]+(?:,[ugoa]*[-+=][rwxX]+)*|[0-7]{3,4}", each)
            ]
            if not modes:
                raise RefusedError("has a chmod with no mode")
            return Files(verb="chmod", words=tuple(each for each in operands if each != modes[0]), option=modes[0])
        case "mkdir" | "touch" | "cp" | "mv" | "ln":
            verb = name
        case _:
            verb = "rm"
    return Files(verb=verb, words=operands)


def _pip_arguments(command: Command) -> tuple[str, ...] | None:
    """What follows `pip`, `python -m pip` or `uv pip`; None for another command."""
    words = command.words
    name = PurePosixPath(words[0]).name
    if re.fullmatch(r"pip(?:3(?:\.\d+)?)?", name):
        return words[1:]
    if _PYTHON.fullmatch(name) and words[1:3] == ("-m", "pip"):
        return words[3:]
    if name == "uv" and words[1:2] == ("pip",):
        return words[2:]
    return None


def _pip(arguments: Sequence[str], command: Command) -> Action:
    if arguments[:1] == ("install",):
        install = install_of(arguments[1:])
        if not install.words:
            return Skip(what=command.text, reason="packages are installed by uv")
        return Packages(tool="pip", words=install.words)
    if arguments[:1] == ("sync",):
        return Packages(
            tool="pip", words=tuple(word for each in arguments[1:] for word in ("-r", each) if not each.startswith("-"))
        )
    if arguments and arguments[0] in ("cache", "config", "list", "freeze", "check", "show", "--version", "-V", "uninstall"):
        return Skip(what=command.text, reason="packages are installed by uv")
    raise RefusedError(f"runs pip {' '.join(arguments[:1])}, which this engine does not do")


def _project_tool(name: str, arguments: Sequence[str], command: Command, *, tolerate: bool) -> Iterator[Action]:
    match (name, *arguments[:1]):
        case ("uv", "sync"):
            yield Packages(tool="uv", words=tuple(arguments[1:]))
        case ("uv", "run"):
            words = [
                each for each in arguments[1:] if each not in ("--frozen", "--no-sync", "--no-dev", "--locked", "--offline")
            ]
            yield Execute(words=tuple(words), tolerate=tolerate)
        case ("poetry", "install"):
            yield Packages(tool="poetry", words=tuple(arguments))
        case ("pipenv", "install" | "sync"):
            yield Packages(tool="pipenv", words=tuple(each for each in arguments if each != "--system"))
        case ("uv" | "poetry", "cache" | "config" | "version" | "--version" | "python" | "venv" | "self"):
            yield Skip(what=command.text, reason="not needed here")
        case _:
            raise RefusedError(f"runs {' '.join(command.words[:2])!r}, which this engine does not do")


def _node(name: str, command: Command, machine: Machine, *, tolerate: bool) -> Action:
    if name in ("yarn", "pnpm") and name not in machine.programs and "corepack" not in machine.programs:
        raise RefusedError(f"runs {name}, which is not on this machine")
    own = {"npm", "yarn", "pnpm", "corepack"}
    packages = [re.sub(r"(?<=.)@.*", "", word) for word in command.words[2:] if not word.startswith("-")]
    if name == "npm" and command.words[1:2] in (("install",), ("i",)) and packages and own.issuperset(packages):
        return Skip(what=command.text, reason="the package managers of this machine are used")
    if name == "npm" and command.words[1:2] in (("cache",), ("config",), ("set",)):
        return Skip(what=command.text, reason="not needed here")
    return Execute(words=command.words, tolerate=tolerate)


def _environment_place(command: Command) -> str:
    """Where a `python -m venv X` (virtualenv, uv venv) makes its environment; "" for another command."""
    words = command.words
    name = PurePosixPath(words[0]).name
    if _PYTHON.fullmatch(name) and words[1:2] == ("-m",) and words[2:3] in (("venv",), ("virtualenv",)):
        rest = words[3:]
    elif name == "virtualenv":
        rest = words[1:]
    elif name == "uv" and words[1:2] == ("venv",):
        rest = words[2:] or (".venv",)
    else:
        return ""
    return next((each for each in reversed(rest) if not each.startswith("-")), ".venv")


def _install_places(command: Command) -> list[str]:
    """Where in a container an installation puts its packages, when not into Python's own folders."""
    pip = _pip_arguments(command)
    if command.words[:2] == ("uv", "sync"):
        return [".venv"]
    if not pip or pip[0] != "install":
        return []
    place = install_of(pip[1:]).place
    return [place] if place else ["/root/.local"] if "--user" in pip else []


def _joined(cwd: str, path: str) -> str:
    return str(PurePosixPath(cwd, path))
