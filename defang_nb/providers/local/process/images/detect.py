"""What a context without a Dockerfile is, and the recipe for it: Python, Node or static files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from defang_nb.model.source import Diagnostic, Severity
from defang_nb.providers.local.process.images.bases import Base, BaseKind
from defang_nb.providers.local.process.images.image import ImageKind
from defang_nb.providers.local.process.images.machine import Machine
from defang_nb.providers.local.process.images.recipe import WAY_OUT
from defang_nb.providers.local.process.images.steps import (
    Action,
    Copy,
    Execute,
    ImageConfig,
    Packages,
    Recipe,
    StagePlan,
    Step,
    Task,
)

_MAINS = ("main.py", "app.py", "server.py", "start.py", "bot.py", "wsgi.py", "asgi.py", "run.py")
_OTHERS = {
    "go.mod": "Go", "Cargo.toml": "Rust", "pom.xml": "Java", "build.gradle": "Java", "build.gradle.kts": "Kotlin",
    "Gemfile": "Ruby", "composer.json": "PHP", "mix.exs": "Elixir", "deno.json": "Deno", "bun.lockb": "Bun", "bun.lock": "Bun",
}  # fmt: skip
_APP = "/app"
_PORT = "${PORT:-8000}"


def detect(context: Path, machine: Machine) -> Recipe:
    """The recipe by what files there are; an error among its diagnostics when nothing fits."""
    if found := next((name for name in _OTHERS if (context / name).is_file()), ""):
        return _refused("language-unsupported", f"there is no Dockerfile, and {found} says that this is {_OTHERS[found]}")
    if (context / "package.json").is_file():
        return _node(context, machine)
    python = [
        name
        for name in ("requirements.txt", "pyproject.toml", "Pipfile", "setup.py", *_MAINS, "manage.py")
        if (context / name).is_file()
    ]
    if python or _procfile(context):
        return _python(context, machine)
    if (context / "index.html").is_file():
        return _static("static files (index.html)", (Step(line=0, title="copy the files", tasks=(_task(_EVERYTHING),)),), _APP)
    return _refused(
        "nothing-detected", "there is no Dockerfile, and nothing that says how to run this (requirements.txt, package.json …)"
    )


_EVERYTHING = Copy(sources=(".",), destination=f"{_APP}/")


def _python(context: Path, machine: Machine) -> Recipe:
    version, problem = _python_version(context, machine)
    if problem:
        return _refused("python-version", problem)
    names = _python_packages(context)
    install, how = _python_install(context)
    command = _procfile(context) or _python_command(context, names)
    steps = [Step(line=0, title="copy the files", tasks=(_task(_EVERYTHING),))]
    steps += [Step(line=0, title=f"install the packages of {how}", tasks=(_task(install),))] if install else []
    if (context / "manage.py").is_file() and _mentions(context, "STATIC_ROOT"):
        collect = Execute(words=("python", "manage.py", "collectstatic", "--noinput"), tolerate=True)
        steps.append(Step(line=0, title="collect Django's static files", tasks=(_task(collect),)))
    frameworks = [each for each in ("django", "fastapi", "flask", "streamlit", "gradio") if each in names]
    detected = (
        f"no Dockerfile: detected Python {version} ({', '.join(each for each in (how, *frameworks) if each) or 'a script'})"
    )
    cmd = ("/bin/sh", "-c", command) if command else ()
    config = ImageConfig(workdir=_APP, env={"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}, cmd=cmd)
    plan = StagePlan(index=0, base=Base(BaseKind.PYTHON, version), steps=tuple(steps), config=config)
    return Recipe(kind=ImageKind.PYTHON, stages=(plan,), detected=detected)


def _python_install(context: Path) -> tuple[Packages | None, str]:
    def there(*names: str) -> bool:
        return all((context / name).is_file() for name in names)

    if there("requirements.txt"):
        return Packages(tool="pip", words=("-r", "requirements.txt")), "requirements.txt"
    if there("uv.lock", "pyproject.toml"):
        return Packages(tool="uv", words=("--frozen", "--no-dev", "--no-install-project")), "uv.lock"
    if there("pyproject.toml"):
        buildable = "[build-system]" in (context / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
        lock = ("-c", "poetry.lock") if there("poetry.lock") else ()
        words = (".",) if buildable else ("-r", "pyproject.toml")
        return Packages(tool="pip", words=words + lock), "poetry.lock" if lock else "pyproject.toml"
    if there("setup.py"):
        return Packages(tool="pip", words=(".",)), "setup.py"
    if there("Pipfile"):
        return Packages(tool="pip", words=tuple(_pipfile(context / "Pipfile"))), "Pipfile"
    return None, ""


def _pipfile(path: Path) -> Iterator[str]:
    import tomllib

    try:
        packages = tomllib.loads(path.read_text(encoding="utf-8")).get("packages", {})
    except tomllib.TOMLDecodeError:
        return
    for name, wanted in packages.items():
        version = wanted if isinstance(wanted, str) else str(wanted.get("version", "*")) if isinstance(wanted, dict) else "*"
        yield name if version == "*" else f"{name}{version}"


def _python_packages(context: Path) -> set[str]:
    """The names of packages that the project's own files mention."""
    names: set[str] = set()
    for file in ("requirements.txt", "pyproject.toml", "Pipfile"):
        if (context / file).is_file():
            text = (context / file).read_text(encoding="utf-8", errors="replace").lower()
            names |= set(re.findall(r"[a-z][\w.\-]*", re.sub(r"(?m)#.*$", "", text)))
    return names


def _python_command(context: Path, names: set[str]) -> str:
    if (context / "manage.py").is_file():
        if "gunicorn" in names and (application := _wsgi(context)):
            return f"gunicorn --bind 0.0.0.0:{_PORT} {application}"
        return f"python manage.py runserver 0.0.0.0:{_PORT}"
    main = next((name for name in _MAINS if (context / name).is_file()), "")
    if not main:
        scripts = [each.name for each in context.glob("*.py")]
        main = scripts[0] if len(scripts) == 1 else ""
    if not main:
        return ""
    text = (context / main).read_text(encoding="utf-8", errors="replace")
    if "streamlit" in names and re.search(r"^\s*(import|from) streamlit", text, re.MULTILINE):
        return f"streamlit run {main} --server.port {_PORT} --server.address 0.0.0.0 --server.headless true"
    for package, server in (("fastapi", "uvicorn"), ("flask", "gunicorn")):
        variable = re.search(rf"^(\w+)\s*=\s*{package}\w*\(", text, re.MULTILINE | re.IGNORECASE)
        if package in names and server in names and variable:
            bind = f"--host 0.0.0.0 --port {_PORT}" if server == "uvicorn" else f"--bind 0.0.0.0:{_PORT}"
            return f"{server} {main.removesuffix('.py')}:{variable[1]} {bind}"
    return f"python {main}"


def _wsgi(context: Path) -> str:
    """Django's WSGI application as gunicorn names it."""
    found = next(iter(sorted(context.glob("*/wsgi.py"))), None)
    return f"{found.parent.name}.wsgi:application" if found else ""


def _python_version(context: Path, machine: Machine) -> tuple[str, str]:
    """The minor version to use, and what is wrong when there is none."""
    for file in (".python-version", "runtime.txt"):
        if (context / file).is_file() and (match := re.search(r"3\.\d+", (context / file).read_text(encoding="utf-8"))):
            return _available(match[0], file, machine)
    project = context / "pyproject.toml"
    if project.is_file() and (match := re.search(r'requires-python\s*=\s*["\']([^"\']+)', project.read_text(encoding="utf-8"))):
        fitting = [each for each in machine.pythons if _fits(each, match[1])]
        if machine.default_python in fitting or not fitting:
            return (
                (machine.default_python, "")
                if fitting
                else ("", f"pyproject.toml wants Python {match[1]}, which is not on this machine")
            )
        return max(fitting, key=lambda each: int(each.partition(".")[2])), ""
    return machine.default_python, "" if machine.pythons else "there is no Python on this machine to run this with"


def _available(wanted: str, file: str, machine: Machine) -> tuple[str, str]:
    if wanted in machine.pythons:
        return wanted, ""
    if machine.fallback and machine.pythons:
        return machine.nearest_python(wanted), ""
    return "", f"{file} wants Python {wanted}, which is not on this machine"


def _fits(version: str, specifier: str) -> bool:
    """Whether a minor version fits `>=3.10,<3.13`; patch levels are taken for fitting."""
    have = tuple(int(each) for each in version.split("."))
    for operator, wanted in re.findall(r"(>=|<=|==|~=|!=|<|>|\^)\s*(\d+(?:\.\d+)?)", specifier):
        want = tuple(int(each) for each in wanted.split("."))
        mine = have[: len(want)]
        fits = {">=": mine >= want, "~=": mine >= want, "^": mine >= want, "<=": mine <= want, "==": mine == want}
        fits |= {"!=": mine != want or len(want) < 2, "<": have < want, ">": mine >= want}
        if not fits[operator]:
            return False
    return True


def _node(context: Path, machine: Machine) -> Recipe:
    try:
        package = json.loads((context / "package.json").read_text(encoding="utf-8"))
    except ValueError as error:
        return _refused("package-json", f"package.json can't be read: {error}")
    if not machine.node:
        return _refused("node-missing", "there is no Dockerfile, package.json wants node, and node is not on this machine")
    scripts: Mapping[str, str] = package.get("scripts") or {}
    manager, install = _node_install(context)
    if manager not in machine.programs and "corepack" not in machine.programs:
        return _refused("node-manager", f"there is no Dockerfile, and this uses {manager}, which is not on this machine")
    steps = [_step("copy the files", _EVERYTHING), _step(f"{' '.join(install)}", Execute(words=install))]
    if "build" in scripts:
        steps.append(_step(f"{manager} run build", Execute(words=(manager, "run", "build"))))
    detected = f"no Dockerfile: detected Node {machine.node_major} (package.json, {manager})"
    command = _procfile(context) or _node_command(context, package, scripts, manager)
    if not command and _depends_on(package, "vite"):
        return _static(f"{detected}; its build is served as static files", tuple(steps), f"{_APP}/dist", machine)
    config = ImageConfig(workdir=_APP, env={"NODE_ENV": "production"}, cmd=("/bin/sh", "-c", command) if command else ())
    # Building needs the development packages, which npm leaves out when NODE_ENV is production.
    plan = StagePlan(index=0, base=Base(BaseKind.NODE, machine.node_major), steps=tuple(steps), config=config)
    return Recipe(kind=ImageKind.NODE, stages=(plan,), detected=detected)


def _node_install(context: Path) -> tuple[str, tuple[str, ...]]:
    if (context / "pnpm-lock.yaml").is_file():
        return "pnpm", ("pnpm", "install", "--frozen-lockfile")
    if (context / "yarn.lock").is_file():
        return "yarn", ("yarn", "install", "--frozen-lockfile")
    return "npm", ("npm", "ci") if (context / "package-lock.json").is_file() else ("npm", "install")


def _node_command(context: Path, package: Mapping[str, object], scripts: Mapping[str, str], manager: str) -> str:
    if "start" in scripts:
        return f"{manager} run start"
    main = package.get("main")
    candidates = [str(main)] if main else []
    found = next(
        (each for each in [*candidates, "index.js", "server.js", "main.js", "app.js"] if (context / each).is_file()), ""
    )
    return f"node {found}" if found else ""


def _depends_on(package: Mapping[str, object], name: str) -> bool:
    groups = (package.get("dependencies"), package.get("devDependencies"))
    return any(isinstance(group, dict) and name in group for group in groups)


def _static(detected: str, steps: tuple[Step, ...], folder: str, machine: Machine | None = None) -> Recipe:
    base = Base(BaseKind.NODE, machine.node_major) if machine else Base(BaseKind.EMPTY)
    plan = StagePlan(index=0, base=base, steps=steps, config=ImageConfig(workdir=folder))
    return Recipe(
        kind=ImageKind.STATIC, stages=(plan,), detected=detected if machine else f"no Dockerfile: detected {detected}"
    )


def _procfile(context: Path) -> str:
    """The command of the Procfile's `web` process."""
    path = context / "Procfile"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    match = re.search(r"^web:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else ""


def _mentions(context: Path, word: str) -> bool:
    return any(word in each.read_text(encoding="utf-8", errors="replace") for each in context.glob("*/settings*.py"))


def _step(title: str, *actions: Action) -> Step:
    return Step(line=0, title=title, tasks=tuple(_task(each) for each in actions))


def _task(action: Action) -> Task:
    return Task(action=action, cwd=_APP)


def _refused(code: str, message: str) -> Recipe:
    error = Diagnostic(severity=Severity.ERROR, code=code, message=message, hint=f"add a Dockerfile; or {WAY_OUT}")
    return Recipe(kind=ImageKind.PYTHON, stages=(), diagnostics=(error,))
