"""A Dockerfile as a recipe: every stage that is needed, its variables put in, its RUNs read; findings where that can't be."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from defang_nb.build.dockerfile import Dockerfile, Instruction, Stage
from defang_nb.build.health import healthcheck_of
from defang_nb.build.substitution import substitute, unquote
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.providers.local.process.images.bases import Base, BaseKind, base_of, is_uv
from defang_nb.providers.local.process.images.commands import RefusedError, read_commands, read_run
from defang_nb.providers.local.process.images.image import DEFAULT_PATH, ImageKind
from defang_nb.providers.local.process.images.machine import Machine
from defang_nb.providers.local.process.images.shell import Command
from defang_nb.providers.local.process.images.steps import (
    CONTEXT,
    Action,
    Copy,
    Files,
    ImageConfig,
    Inherit,
    Recipe,
    Skip,
    StagePlan,
    Step,
    Task,
    Write,
)

WAY_OUT = "install Docker or Podman and use the docker engine, or deploy to a cloud stack"
_INSTALLED = re.compile(r"(/usr/local)?(/lib/python3(\.\d+)?/(site|dist)-packages)?(/bin)?|/root/\.local(/.*)?")


def compile_dockerfile(dockerfile: Dockerfile, target: str, args: Mapping[str, str], machine: Machine) -> Recipe:
    """The recipe for the stage `target` ("" : the last one). What can't be done is an error among its `diagnostics`."""
    final = dockerfile.stage(target) if target else dockerfile.stages[-1]
    if final is None:
        names = ", ".join(each.name for each in dockerfile.stages if each.name) or "none has a name"
        missing = dockerfile.diagnostic(1, "target-missing", f"there is no stage {target!r} (stages: {names})")
        return Recipe(kind=ImageKind.PYTHON, stages=(), diagnostics=(missing,))
    return _Compiler(dockerfile, args, machine).recipe(final)


def _line(diagnostic: Diagnostic) -> int:
    return diagnostic.position.line if diagnostic.position else 0


class _Compiler:
    """Compiles stages as they are asked for, each once."""

    def __init__(self, dockerfile: Dockerfile, args: Mapping[str, str], machine: Machine) -> None:
        self.dockerfile = dockerfile
        self.args = args
        self.machine = machine
        self.plans: dict[int, StagePlan] = {}
        self.diagnostics: list[Diagnostic] = []

    def recipe(self, final: Stage) -> Recipe:
        plan = self.stage(final)
        kind = ImageKind.NODE if plan.base.kind is BaseKind.NODE else ImageKind.PYTHON
        if plan.base.kind is BaseKind.EMPTY:
            self.refuse(final.line, "base-unsupported", "the image begins from nothing (scratch): only a container can run it")
        stages = (*(each for index, each in sorted(self.plans.items()) if index != final.index), plan)
        return Recipe(kind=kind, stages=stages, diagnostics=tuple(sorted(self.diagnostics, key=_line)))

    def stage(self, stage: Stage) -> StagePlan:
        if stage.index not in self.plans:
            self.plans[stage.index] = _StageCompiler(self, stage).plan()
        return self.plans[stage.index]

    def refuse(self, line: int, code: str, message: str, hint: str = WAY_OUT) -> None:
        self.diagnostics.append(self.dockerfile.diagnostic(line, code, message, hint=hint))

    def note(self, line: int, code: str, message: str, severity: Severity = Severity.WARNING) -> None:
        self.diagnostics.append(self.dockerfile.diagnostic(line, code, message, severity=severity))


class _StageCompiler:
    """Goes over one stage's instructions and keeps what they change: variables, working directory, command."""

    def __init__(self, compiler: _Compiler, stage: Stage) -> None:
        self.all = compiler
        self.dockerfile = compiler.dockerfile
        self.source = stage
        reference = self.dockerfile.base(stage, compiler.args)
        earlier = self.dockerfile.stage(reference)
        self.parent = compiler.stage(earlier) if earlier and earlier.index < stage.index else None
        self.base = self.parent.base if self.parent else base_of(reference)
        self.config = self.parent.config if self.parent else ImageConfig()
        self.env = dict(self.config.env)
        self.arguments: dict[str, str] = {}
        self.workdir = self.config.workdir
        self.entrypoint, self.cmd = self.config.entrypoint, self.config.cmd
        self.exposed, self.volumes = list(self.config.exposed), list(self.config.volumes)
        self.user, self.stop_signal, self.healthcheck = self.config.user, self.config.stop_signal, self.config.healthcheck
        self.shell: tuple[str, ...] = ("/bin/sh", "-c")
        self.places = list(self.parent.places) if self.parent else []
        self.steps: list[Step] = []
        self.left_out: list[str] = []
        if self.parent is None:
            self._begin(reference)

    def plan(self) -> StagePlan:
        for instruction in self.source.instructions:
            self._instruction(instruction)
        if self.left_out:
            names = ", ".join(dict.fromkeys(self.left_out))
            self.all.note(
                self.source.line, "run-skipped", f"left out, as not needed without a container: {names}", Severity.INFO
            )
        config = ImageConfig(
            workdir=self.workdir,
            env=self.env,
            entrypoint=self.entrypoint,
            cmd=self.cmd,
            exposed=tuple(dict.fromkeys(self.exposed)),
            volumes=tuple(dict.fromkeys(self.volumes)),
            user=self.user,
            stop_signal=self.stop_signal,
            healthcheck=self.healthcheck,
        )
        return StagePlan(
            index=self.source.index,
            base=self.base,
            steps=(Step(line=self.source.line, title=f"FROM {self.source.base}"), *self.steps),
            config=config,
            parent=self.parent.index if self.parent else None,
            places=tuple(self.places),
            file=self.dockerfile.file,
        )

    def _begin(self, reference: str) -> None:
        """Look at the base image: can this machine stand in for it?"""
        machine, line = self.all.machine, self.source.line
        match self.base.kind:
            case BaseKind.UNKNOWN:
                message = f"the base image {reference} can't be run without a container: only python and node can"
                self.all.refuse(line, "base-unsupported", message)
            case BaseKind.NODE if not machine.node:
                self.all.refuse(
                    line, "node-missing", f"{reference} needs node, which is not on this machine", f"install it; or {WAY_OUT}"
                )
            case BaseKind.NODE if self.base.version and machine.node_major != self.base.version:
                message = f"{reference} needs node {self.base.version}, and this machine has {machine.node_major}"
                self.all.refuse(line, "node-version", message, f"install node {self.base.version}; or {WAY_OUT}")
            case BaseKind.PYTHON:
                self._choose_python(reference)

    def _choose_python(self, reference: str) -> None:
        machine = self.all.machine
        wanted = self.base.version or machine.default_python
        if wanted in machine.pythons:
            self.base = Base(BaseKind.PYTHON, wanted)
            return
        here = ", ".join(sorted(machine.pythons, key=lambda each: [int(part) for part in each.split(".")])) or "none"
        if machine.fallback and wanted.startswith("3.") and (nearest := machine.nearest_python(wanted)):
            message = f"{reference} needs Python {wanted}; Python {nearest} is used, as DEFANG_PYTHON_FALLBACK allows"
            self.all.note(self.source.line, "python-fallback", message)
            self.base = Base(BaseKind.PYTHON, nearest)
            return
        hint = (
            f"install Python {wanted} (uv python install {wanted}), or allow another by DEFANG_PYTHON_FALLBACK=1; or {WAY_OUT}"
        )
        message = f"{reference} needs Python {wanted}, which is not on this machine (there is: {here})"
        self.all.refuse(self.source.line, "python-version", message, hint)

    def _instruction(self, it: Instruction) -> None:
        match it.keyword:
            case "ENV":
                known = self._variables()
                self.env |= {key: self._text(value or "", known) for key, value in it.pairs(self.dockerfile.escape)}
            case "ARG":
                self._arg(it)
            case "WORKDIR":
                self.workdir = posixpath.normpath(posixpath.join(self.workdir, self._text(it.text)))
                self._add(it, [Files(verb="mkdir", words=(self.workdir,))])
            case "COPY" | "ADD":
                self._copy(it)
            case "RUN":
                self._run(it)
            case "CMD":
                self.cmd = self._command(it)
            case "ENTRYPOINT":
                self.entrypoint = self._command(it)
            case "EXPOSE":
                ports = [self._text(word).partition("/")[0] for word in it.words]
                self.exposed += [int(port) for port in ports if port.isdecimal()]
            case "VOLUME":
                self.volumes += [self._text(word) for word in it.words]
                self._add(it, [Files(verb="mkdir", words=tuple(self._text(word) for word in it.words))])
            case "USER":
                self.user = self._text(it.text)
            case "STOPSIGNAL":
                self.stop_signal = self._text(it.text)
            case "SHELL" if it.exec_form:
                self.shell = it.words
            case "HEALTHCHECK":
                self.healthcheck = healthcheck_of(it)

    def _arg(self, it: Instruction) -> None:
        outside = self.dockerfile.globals(self.all.args)
        for name, default in it.pairs(self.dockerfile.escape):
            if name in self.all.args:
                self.arguments[name] = self.all.args[name]
            elif default is not None:
                self.arguments[name] = self._text(default)
            elif name in outside:
                self.arguments[name] = outside[name]

    def _copy(self, it: Instruction) -> None:
        *sources, destination = [self._text(word) for word in it.words]
        destination = posixpath.join(self.workdir, destination) if destination not in (".", "./") else f"{self.workdir}/"
        documents = {each.name: each for each in it.heredocs}
        mode = int(it.flag("chmod"), 8) if re.fullmatch(r"[0-7]{3,4}", it.flag("chmod")) else None
        actions: list[Action] = []
        plain: list[str] = []
        for source in sources:
            name = re.sub(r"^\d*<<-?", "", source).strip("'\"")
            if name != source and name in documents:
                content = documents[name].content
                content = self._text_of_document(content) if documents[name].expand else content
                path = f"{destination}{name}" if destination.endswith("/") else destination
                actions.append(Write(path=path, content=content))
            elif re.match(r"(https?|git|ssh)://|git@", source):
                self.all.refuse(it.line, "add-remote", f"{it.keyword} fetches {source}: that is not done without a container")
            else:
                plain.append(source)
        if plain:
            actions += self._copy_from(it, plain, destination, mode)
        self._add(it, actions)

    def _copy_from(self, it: Instruction, sources: list[str], destination: str, mode: int | None) -> list[Action]:
        reference = self._text(it.flag("from"))
        if not reference:
            return [Copy(sources=tuple(sources), destination=destination, mode=mode)]
        earlier = self.dockerfile.stage(reference)
        if earlier is None or earlier.index >= self.source.index:
            if is_uv(reference):
                return [Skip(what="uv", reason="uv is here already")]
            message = f"{it.keyword} --from={reference} takes files from an image that was not built here"
            self.all.refuse(it.line, "copy-from-image", message)
            return []
        other = self.all.stage(earlier)
        inherited = [each for each in sources if self._is_environment(other, each)]
        rest = [each for each in sources if each not in inherited]
        actions: list[Action] = []
        around = [each for each in rest if any(place.startswith(f"{posixpath.normpath(each)}/") for place in other.places)]
        if inherited or around:
            self.places += [each for each in other.places if each not in self.places]
            actions.append(Inherit(stage=other.index))
        if rest:
            actions.append(Copy(sources=tuple(rest), destination=destination, stage=other.index, mode=mode))
        return actions

    @staticmethod
    def _is_environment(other: StagePlan, source: str) -> bool:
        """Whether a path of that stage is where its packages are in a container: they are in the virtual environment here."""
        path = posixpath.normpath(source)
        if any(path == place or path.startswith(f"{place}/") for place in other.places):
            return True
        return other.base.kind is BaseKind.PYTHON and path != "/" and bool(_INSTALLED.fullmatch(path))

    def _run(self, it: Instruction) -> None:
        env = self._variables()
        before, after = self._mounts(it)
        try:
            if it.exec_form:
                read = read_commands([Command(it.words)], self.workdir, env, self.base.kind, self.all.machine)
            elif it.heredocs:
                if len(it.words) > 1:
                    raise RefusedError("gives a heredoc to a program")
                read = read_run(it.heredocs[0].content, self.workdir, env, self.base.kind, self.all.machine)
            else:
                read = read_run(it.text, self.workdir, env, self.base.kind, self.all.machine)
        except RefusedError as error:
            if self.base.kind is BaseKind.UNKNOWN:
                return  # the base image was refused already, and says it all
            self.all.refuse(it.line, "run-unsupported", f"this RUN {error}")
            return
        self.places += [each for each in read.places if each not in self.places]
        for skip in (task.action for task in read.tasks if isinstance(task.action, Skip)):
            if self.base.kind is BaseKind.UNKNOWN:
                continue
            if skip.severity is Severity.WARNING:
                self.all.note(it.line, "run-skipped", skip.reason)
            else:
                self.left_out.append(skip.what.split()[0])
        tasks = [Task(action=each, cwd="/") for each in before], read.tasks, [Task(action=each, cwd="/") for each in after]
        self.steps.append(Step(line=it.line, title=it.title, tasks=tuple(task for group in tasks for task in group)))

    def _mounts(self, it: Instruction) -> tuple[list[Copy], list[Files]]:
        """`--mount=type=bind` as a copy before and a removal after; caches and tmpfs need nothing."""
        before: list[Copy] = []
        after: list[Files] = []
        for name, value in it.flags:
            options = dict(part.partition("=")[::2] for part in value.split(","))
            kind = options.get("type", "bind")
            if name != "mount" or kind in ("cache", "tmpfs"):
                continue
            if kind != "bind":
                self.all.refuse(it.line, "run-mount", f"this RUN needs a {kind} mount, which only a container engine gives")
                continue
            stage = self.dockerfile.stage(options["from"]) if "from" in options else None
            if "from" in options and (stage is None or stage.index >= self.source.index):
                self.all.refuse(it.line, "run-mount", f"this RUN mounts from the image {options['from']}")
                continue
            target = options.get("target") or options.get("dst") or options.get("destination") or self.workdir
            path = posixpath.join(self.workdir, target)
            index = self.all.stage(stage).index if stage else CONTEXT
            before.append(Copy(sources=(options.get("source") or options.get("src") or ".",), destination=path, stage=index))
            if posixpath.normpath(path) != self.workdir:
                after.append(Files(verb="rm", words=(path,)))
        return before, after

    def _command(self, it: Instruction) -> tuple[str, ...]:
        return it.words if it.exec_form else (*self.shell, it.text)

    def _add(self, it: Instruction, actions: Sequence[Action]) -> None:
        tasks = tuple(Task(action=each, cwd=self.workdir, env=self._variables()) for each in actions)
        self.steps.append(Step(line=it.line, title=it.title, tasks=tasks))

    def _variables(self) -> dict[str, str]:
        """What a RUN sees: build arguments, then ENV, which wins."""
        return {"HOME": "/root", "PATH": DEFAULT_PATH, "PWD": self.workdir} | self.arguments | self.env

    def _text(self, word: str, variables: Mapping[str, str] | None = None) -> str:
        return unquote(word, self._variables() if variables is None else variables, escape=self.dockerfile.escape)

    def _text_of_document(self, content: str) -> str:
        return substitute(content, self._variables(), escape=self.dockerfile.escape)
