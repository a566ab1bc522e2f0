"""One stage of a build being carried out: its root folder, its packages, its paths."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from defang_nb.errors import BuildError
from defang_nb.model.value import Text
from defang_nb.providers.local.process.images import files
from defang_nb.providers.local.process.images.bases import BaseKind
from defang_nb.providers.local.process.images.image import BuiltImage, ImageKind, environment_of, rewrite
from defang_nb.providers.local.process.images.layers import layer_of, preinstalled
from defang_nb.providers.local.process.images.machine import Machine
from defang_nb.providers.local.process.images.modules import Modules
from defang_nb.providers.local.process.images.process import in_thread, run
from defang_nb.providers.local.process.images.steps import (
    CONTEXT,
    Action,
    Copy,
    Execute,
    Files,
    Inherit,
    Packages,
    Recipe,
    Skip,
    StagePlan,
    Step,
    Task,
    Write,
)
from defang_nb.providers.local.process.images.venvs import Layer, Venvs

Say = Callable[[str], None]

# Folders of any system: only what an image puts into them is its own, never the folder.
_SYSTEM = frozenset((
    "/", "/bin", "/etc", "/home", "/lib", "/media", "/mnt", "/opt", "/root", "/run", "/sbin", "/srv", "/usr", "/usr/bin",
    "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/sbin", "/usr/share", "/usr/src", "/var", "/var/lib",
    "/var/log", "/var/www", "/tmp",  # noqa: S108
))  # fmt: skip
# What `_variables` of a recipe assumes of a container, and this machine has its own of.
_ASSUMED = frozenset(("HOME", "PWD"))


class StageBuild:
    """Carries out the steps of `plan` below `work`; `others` are the stages done before."""

    def __init__(
        self,
        plan: StagePlan,
        work: Path,
        machine: Machine,
        venvs: Venvs,
        exclude_newer: str,
        others: Mapping[int, StageBuild],
    ) -> None:
        self.plan = plan
        self.root = work / f"stage-{plan.index}"
        self.context = work / "context"
        self.machine = machine
        self.venvs = venvs
        self.modules = Modules(venvs.folder.parent / "modules")
        self.exclude_newer = exclude_newer
        self.others = others
        self.known: set[str] = set()
        self.layers: list[Layer] = []
        self.venv = ""

    @property
    def python(self) -> str:
        return self.machine.pythons[self.plan.base.version] if self.plan.base.kind is BaseKind.PYTHON else ""

    async def begin(self) -> None:
        """An empty root, or a copy of the stage that this one begins from."""
        self.root.mkdir(parents=True)
        if self.plan.parent is not None:
            parent = self.others[self.plan.parent]
            everything = Copy(sources=(".",), destination="/")
            await in_thread(lambda: files.copy(everything, parent.root, self.root))
            self.known |= parent.known
            self.layers, self.venv = list(parent.layers), parent.venv

    async def is_cached(self, step: Step) -> bool:
        """Whether everything that a step does was done before, for this or another image."""
        actions = [task for task in step.tasks if not isinstance(task.action, Skip | Files)]
        if not actions or not all(isinstance(task.action, Packages) for task in actions):
            return False
        layers = self._base_layers(actions[0])
        try:
            layers += [await in_thread(lambda task=task: self._layer(task, _silent)) for task in actions]  # type: ignore[misc]
        except BuildError:
            return False
        return self.venvs.is_made(self.python, layers, self.exclude_newer)

    async def carry_out(self, step: Step, say: Say) -> None:
        """Do one step. Raises `BuildError`."""
        for task in step.tasks:
            await self._task(task, say)

    async def finish(self, say: Say) -> None:
        """What a whole image has whether a step asked for it or not: a virtual environment, its working directory."""
        if self.python and not self.venv:
            self.venv = str(await self.venvs.make(self.python, self.layers, self.exclude_newer, say))
        files.inside(self.root, self.plan.config.workdir).mkdir(parents=True, exist_ok=True)

    def image(self, root: Path, recipe: Recipe, *, env: Mapping[str, str], secret_env: Mapping[str, Text]) -> BuiltImage:
        """What this stage came to, with its files at `root`."""
        config = self.plan.config
        current = self._current({})
        skipped = [task.action for stage in recipe.stages for step in stage.steps for task in step.tasks]
        return msgspec.structs.replace(
            current.at(root),
            kind=recipe.kind,
            env=env,
            secret_env=secret_env,
            workdir=config.workdir,
            entrypoint=config.entrypoint,
            cmd=config.cmd,
            exposed=config.exposed,
            user=config.user,
            stop_signal=config.stop_signal,
            healthcheck=config.healthcheck,
            skipped=tuple(f"{each.what}: {each.reason}" for each in skipped if isinstance(each, Skip)),
        )

    async def _task(self, task: Task, say: Say) -> None:
        match task.action:
            case Skip(what=what, reason=reason):
                say(f"left out: {what} ({reason})")
            case Packages():
                layer = await in_thread(lambda: self._layer(task, say))
                self.layers = [*self._base_layers(task), layer]
                made = self.venvs.is_made(self.python, self.layers, self.exclude_newer)
                self.venv = str(await self.venvs.make(self.python, self.layers, self.exclude_newer, say))
                if made:
                    say("these packages are there already")
            case Inherit(stage=index):
                self.layers += [each for each in self.others[index].layers if each not in self.layers]
                self.venv = str(await self.venvs.make(self.python, self.layers, self.exclude_newer, say))
            case Execute() as action:
                await self._execute(action, task, say)
            case Copy() | Write() | Files() as action:
                self.known |= set(await in_thread(lambda: self._file_work(action, task.cwd)))

    def _file_work(self, action: Action, cwd: str) -> list[str]:
        """Do it; the container paths that are the image's own from now on."""
        match action:
            case Copy(stage=index):
                base = self.context if index == CONTEXT else self.others[index].root
                made = files.copy(action, base, self.root)
            case Write(path=path):
                files.write(action, self.root)
                made = [path]
            case Files():
                made = files.carry_out(action, self.root, cwd)
            case _:
                made = []
        return [own for path in made for own in self._own(posixpath.normpath(path))]

    def _own(self, path: str) -> list[str]:
        if path not in _SYSTEM:
            return [path]
        if path in ("/root", "/home", "/srv", "/var/www", "/usr/src") or not (folder := files.inside(self.root, path)).is_dir():
            return [path]
        children = [posixpath.join(path, each.name) for each in folder.iterdir()]
        return [each for each in children if each not in _SYSTEM]

    def _base_layers(self, task: Task) -> list[Layer]:
        """What an installation comes on top of; of the first one by pip, that is what the base image has."""
        first = self.python and not self.layers and isinstance(task.action, Packages) and task.action.tool == "pip"
        return list(preinstalled(self.python, self.plan.base.version) if first else self.layers)

    def _layer(self, task: Task, say: Say) -> Layer:
        if not isinstance(task.action, Packages):
            raise TypeError(task.action)
        if not self.python:
            raise BuildError("installs Python packages, and its base image is not a python one")
        env = {key: value for key, value in task.env.items() if key not in (*_ASSUMED, "PATH")}
        here = files.inside(self.root, task.cwd)
        return layer_of(task.action, here, env, lambda path: files.inside(self.root, posixpath.join(task.cwd, path)), say)

    async def _execute(self, action: Execute, task: Task, say: Say) -> None:
        if self.python and not self.venv:
            self.venv = str(await self.venvs.make(self.python, self.layers, self.exclude_newer, say))
        image = self._current(task.env)
        cwd = files.inside(self.root, task.cwd)
        cwd.mkdir(parents=True, exist_ok=True)
        env = environment_of(msgspec.structs.replace(image, workdir=task.cwd), os.environ)
        env |= {"npm_config_prefix": f"{self.root}/usr/local", "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0", "NO_COLOR": "1"}
        env |= {"npm_config_fund": "false", "npm_config_audit": "false", "npm_config_update_notifier": "false"}
        words = [rewrite(word, image) for word in action.words]
        key = self.modules.key(action.words, cwd, self.machine)
        restored = await in_thread(lambda: self.modules.restore(key, cwd)) if key else False
        if restored:
            say("these packages are there already")
            return
        code = await run(words, cwd=cwd, env=env, on_line=say)
        if code and not action.tolerate:
            raise BuildError(f"{action.words[0]} failed (exit code {code})")
        if key and not code:
            await in_thread(lambda: self.modules.keep(key, cwd))

    def _current(self, env: Mapping[str, str]) -> BuiltImage:
        """The stage as an image that things can be run in now, with those variables."""
        places = dict.fromkeys(self.plan.places, self.venv) if self.venv else {}
        programs = {"/usr/local/bin": f"{self.venv}/bin"} if self.venv else {}
        own = {path: f"{self.root}{path}" for path in sorted(self.known) if not self.known.intersection(_above(path))}
        node = str(Path(self.machine.node).parent) if self.plan.base.kind is BaseKind.NODE else ""
        return BuiltImage(
            root=str(self.root),
            kind=ImageKind.NODE if node else ImageKind.PYTHON,
            venv=self.venv,
            python=self.plan.base.version if self.python else "",
            node=node,
            env={key: value for key, value in env.items() if key not in _ASSUMED},
            path_map=programs | own | places,
        )


def _above(path: str) -> list[str]:
    """The folders that a container path is in."""
    return [str(each) for each in PurePosixPath(path).parents]


def _silent(_line: str) -> None:
    """For looking whether something is made, which tells nothing."""
