"""Files → one model: read, fill in, check, extend, include, and lay over each other, in the reference's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import normpath
from pathlib import Path as FilePath

from defang_nb.compose import variables
from defang_nb.compose.decode import decode
from defang_nb.compose.finish import resolve_environment, section, workloads
from defang_nb.compose.interpolate import Interpolation
from defang_nb.compose.kinds import DROP, Context, Str
from defang_nb.compose.limits import DERIVED, INCLUDE_DEPTH, weight
from defang_nb.compose.merge import drop_nulls, enforce_unique, merge
from defang_nb.compose.nodes import Map, Node, Seq, show
from defang_nb.compose.paths import absolute
from defang_nb.compose.problems import Problems, did_you_mean, known_here
from defang_nb.compose.shapes import ListOf, Struct, fields_of
from defang_nb.compose.spec import SERVICE
from defang_nb.compose.spec_top import FILE, RESOURCES
from defang_nb.model.source import Position

_INCLUDE = Struct(
    {"path": ListOf(Str(), single=True), "env_file": ListOf(Str(), single=True), "project_directory": Str()},
    lenient=True,
)


@dataclass(frozen=True)
class Source:
    """One Compose text. `name` is its path, or a label for text that is in no file."""

    name: str
    text: str


class _Unread(Map):
    """Services of another file, of which each is checked once, when it is asked for; the others may be wrong."""

    __slots__ = ("read",)

    def __init__(self, services: Map) -> None:
        super().__init__(services.at)
        self.copy_marks(services)
        self.update(services)
        self.read: set[str] = set()


_Included = tuple[tuple[str, ...], str]
"""The files of an include, and its folder."""


@dataclass(frozen=True)
class _Link:
    """A service `name` of `file`, that may extend another; `reader` knows where its paths start."""

    reader: Assembler
    services: Map
    file: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        return self.file, self.name

    @property
    def service(self) -> Map:
        if isinstance(self.services, _Unread):
            self.reader._check(self.name, self.services)
        service: Map = self.services[self.name]
        return service

    @property
    def told(self) -> str:
        return f"{self.name} extends {self.service['extends']['service']} ({self.service.value_at('extends')})"


@dataclass
class Assembler:
    """Reads the files of one project folder. `including` are the files being read, so that none includes itself, and
    `included_at` the places that include them."""

    problems: Problems
    variables: Mapping[str, str]
    base: str
    home: str
    root: str
    as_compose: bool
    interpolate: bool = True
    including: tuple[str, ...] = ()
    included_at: tuple[Position, ...] = ()
    _bases: dict[str, _Unread | None] = field(default_factory=dict)
    _included: dict[_Included, list[tuple[dict[str, str], Map]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.context = Context(self.problems, self.base, self.home, raw=not self.interpolate)
        self.filler = Interpolation(self.variables, self.problems, as_compose=self.as_compose)

    def model(self, sources: Sequence[tuple[str, Sequence[Map]]]) -> Map:
        """All documents (of files, as `read` gives them), laid over each other."""
        model: Map | None = None
        for file, documents in sources:
            for document in documents:
                self._fill(document)
                if model is not None:
                    drop_nulls(document, model)
                    self.context = replace(self.context, below=(model,))
                part = self._document(document, file)
                model = part if model is None else merge(model, part)
        if not model and sources and not self.included_at and not self.problems.has_errors():
            start = Position(sources[0][0], 1)
            self.problems.error("empty-file", "the Compose file is empty", start, hint="add `services:`")
        return model if model is not None else Map()

    def read(self, sources: Sequence[Source]) -> list[tuple[str, list[Map]]]:
        """The documents of each source, as they are written."""
        return [(source.name, self._documents(source)) for source in sources]

    def _documents(self, source: Source) -> list[Map]:
        documents = decode(source.text, source.name, self.problems)
        start = Position(source.name, 1)
        sound = [each for each in documents if isinstance(each, Map)]
        if len(sound) < len(documents):
            hint = "it begins with `services:`, under which the services stand"
            self.problems.error("wrong-type", "the top level of a Compose file must be a mapping", start, hint=hint)
        return sound

    def _fill(self, document: Map) -> None:
        if self.interpolate:
            self.filler.document(document)

    def _document(self, document: Map, file: str) -> Map:
        included = self._includes(document.pop("include", None), document.value_at("include"))
        for each in included:
            drop_nulls(document, each)
            self.context = replace(self.context, below=(*self.context.below, each))
        self._drop_nulls_of_derived(section(document, "services"))
        FILE.read(document, document.at, (), self.context)
        for each in included:
            self._import(each, document)
        if "version" in document:
            message = "the attribute `version` is obsolete and ignored"
            self.problems.warn("obsolete", message, document.key_at("version"), ("version",), hint="remove it")
            del document["version"]
        services = document.get("services")
        if isinstance(services, Map):
            for name in list(services):
                services[name] = self._extended(name, services, file)
                enforce_unique(services[name])
        jobs = document.get("jobs")
        if isinstance(jobs, Map):
            for name in list(jobs):
                jobs[name] = self._extended(name, jobs, file)
        return document

    # ---- extends -----------------------------------------------------------------------------------------------------

    def _extended(self, name: str, services: Map, file: str) -> Map:
        """The service with all that it extends. A chain may be long: it is followed to its end, then laid over each other."""
        link = _Link(self, services, file, name)
        chain: dict[tuple[str, str], _Link] = {}
        while isinstance(link.service.get("extends"), Map):
            chain[link.key] = link
            following = link.reader._following(link, chain)
            if following is None:
                break
            link = following
        base = None if link.key in chain else link.service
        for each in reversed(chain.values()):
            made = self._without_extends(each.service)
            if base is not None:
                self._derive(base, made, each)
                at = made.at
                made = merge(base, made, ("services", each.name))
                made.at = at
            each.services[each.name] = base = made
        return link.service if base is None else base

    def _derive(self, base: Map, own: Map, link: _Link) -> None:
        """Count what is taken over from `base`; mappings that both have are copied."""
        both = sum(2 * len(value) for key, value in base.items() if key in own and isinstance(value, Map))
        at = own.value_at("extends")
        self.problems.derive(
            weight(base, DERIVED) + both, "services that extend others", at, ("services", link.name, "extends")
        )

    def _following(self, link: _Link, chain: Mapping[tuple[str, str], _Link]) -> _Link | None:
        """What `link` extends; None when there is no such thing, which is noted."""
        service, name, file = link.service, link.name, link.file
        extends: Map = service["extends"]
        at = service.value_at("extends")
        path = ("services", name, "extends")
        other, wanted = extends.get("file"), extends["service"]
        other = normpath(other) if other else None
        target = (variables.display(other, self.root) if other else file, wanted)
        if target in chain:
            links = list(chain.values())
            circle = links[list(chain).index(target) :]
            shown = " → ".join(each.name for each in (*circle, chain[target]))
            steps = [each.told for each in circle]
            hint = f"one of them has to do without: {', '.join(steps)}"
            self.problems.error("extends-cycle", f"services extend each other in a circle: {shown}", at, path, hint)
            for each in links:
                self.problems.mark(("services", each.name))
            return None
        if other is None:
            if wanted in link.services:
                return replace(link, name=wanted)
            if not self.problems.is_gone("services", wanted):
                hint = did_you_mean(wanted, link.services) or known_here(link.services, "other service")
                message = f'there is no service "{wanted}" to extend in {file}'
                self.problems.error("unknown-service", message, at, path, hint)
            return None
        folder = str(FilePath(other).parent)
        elsewhere = self if folder == self.base else replace(self, base=folder)
        return elsewhere._from_file(other, wanted, at, path)

    def _from_file(self, other: str, wanted: str, at: Position | None, path: tuple[str, ...]) -> _Link | None:
        name = variables.display(other, self.root)
        if other not in self._bases:
            self._bases[other] = self._services_of(other, name, at, path)
        services = self._bases[other]
        if services is None:
            return None
        if wanted not in services:
            hint = did_you_mean(wanted, services) or known_here(services, "service")
            self.problems.error("unknown-service", f'there is no service "{wanted}" in {name}', at, path, hint)
            return None
        return _Link(self, services, name, wanted)

    def _services_of(self, file: str, name: str, at: Position | None, path: tuple[str, ...]) -> _Unread | None:
        self.problems.open(at, path)
        text = variables.read_text(file, self.problems, at, path, what="the file to extend from")
        if text is None:
            return None
        services: Map | None = None
        for document in self._documents(Source(name, text)):
            self._fill(document)
            if isinstance(found := document.get("services"), Map):
                services = found if services is None else merge(services, found)
        if services is None:
            self.problems.error("unknown-service", f"{name} has no services", at, path, "name a file that has them")
            return None
        return _Unread(services)

    def _check(self, name: str, services: _Unread) -> None:
        if name not in services.read:
            services.read.add(name)
            self._drop_nulls_of_derived(services, name)
            at = services.value_at(name)
            read = DROP if services[name] is None else SERVICE.read(services[name], at, ("services", name), self.context)
            services[name] = Map(at) if read is DROP else read

    def _drop_nulls_of_derived(self, services: Map, only: str = "") -> None:
        """In services that extend others, take away keys without a value: what is extended may have one."""
        for service in [services[only]] if only else services.values():
            if isinstance(service, Map) and service.get("extends"):
                for key in [key for key, value in service.items() if value is None and key in SERVICE.fields]:
                    if key not in ("command", "entrypoint"):
                        del service[key]

    def _without_extends(self, service: Map) -> Map:
        made = Map(service.at)
        made.copy_marks(service)
        made.update((key, value) for key, value in service.items() if key != "extends")
        return made

    # ---- include -----------------------------------------------------------------------------------------------------

    def _includes(self, includes: Node, at: Position | None) -> list[Map]:
        if includes is None:
            return []
        if not isinstance(includes, Seq):
            self.problems.error("wrong-type", "include must be a list", at, ("include",), "write `- path/to/compose.yaml`")
            return []
        found: list[Map] = []
        for index, (item, item_at) in enumerate(includes.pairs()):
            path = ("include", index)
            if isinstance(item, str):
                item = fields_of(Map(item_at), item_at, path=Seq.of(item_at, [item]))
            elif item is None:
                item = Map(item_at)
            elif _INCLUDE.read(item, item_at, path, self.context) is DROP:
                continue
            if (model := self._include(item, item_at, path)) is not None:
                found.append(model)
        return found

    def _include(self, item: Map, at: Position, path: tuple[str | int, ...]) -> Map | None:
        files = [normpath(absolute(each, self.base, self.home)) for each in item.get("path", ())]
        if not files:
            if not self.problems.is_broken((*path, "path")):
                message = f"{show(path)} names no file, so it is ignored"
                self.problems.warn("ignored", message, at, path, "write `- path/to/compose.yaml`")
            return None
        if again := next((each for each in files if each in self.including), None):
            shown = variables.display(again, self.root)
            steps = ", ".join(map(str, (*self.included_at, at)))
            hint = f"take one of the includes away: {steps}"
            self.problems.error("include-cycle", f"{shown} includes itself", at, path, hint)
            return None
        if len(self.included_at) >= INCLUDE_DEPTH:
            hint = f"at most {INCLUDE_DEPTH} files may include each other in a row"
            self.problems.error("too-deep", "includes are nested too deep", at, path, hint)
            return None
        given = item.get("project_directory")
        folder = absolute(given, self.base, self.home) if given else str(FilePath(files[0]).parent)
        env_files = [absolute(each, self.base, self.home) for each in item.get("env_file", ())]
        own = variables.of_included(self.variables, folder, env_files, self.problems, at, path, self.root, self.as_compose)
        known = self._included.setdefault((tuple(files), folder), [])
        if (model := next((model for seen, model in known if seen == own), None)) is not None:
            return model
        sources: list[Source] = []
        for file in files:
            self.problems.open(at, path)
            text = variables.read_text(file, self.problems, at, path, what="the file to include")
            if text is None:
                return None
            sources.append(Source(variables.display(file, self.root), text))
        inner = Assembler(
            self.problems,
            own,
            folder,
            self.home,
            self.root,
            self.as_compose,
            self.interpolate,
            (*self.including, *files),
            (*self.included_at, at),
            _included=self._included,
        )
        model = inner.model(inner.read(sources))
        resolve_environment(model, own, self.problems, as_compose=self.as_compose)
        set_build_context(model, folder)
        known.append((own, model))
        return model

    def _import(self, included: Map, document: Map) -> None:
        """Put what is included under what the document has itself."""
        for kind in RESOURCES:
            theirs = included.get(kind)
            if not isinstance(theirs, Map):
                continue
            ours = document.get(kind)
            if not isinstance(ours, Map):
                ours = Map(theirs.at)
                document.put(kind, ours, included)
            for name, value in theirs.items():
                if name not in ours:
                    ours.put(name, value, theirs)
                elif isinstance(over := ours[name], Map) and over != value:
                    self.problems.derive(weight(value, DERIVED), "includes", ours.key_at(name), (kind, name))
                    ours[name] = merge(value, over, (kind, name))


def set_build_context(model: Map, base: str) -> None:
    """A build without a context is in the project's folder."""
    for _, _, service in workloads(model):
        if isinstance(build := service.get("build"), Map) and "context" not in build:
            fields_of(build, build.at, context=base)
