"""What must hold between the parts of a model: names that are used exist, nothing contradicts, nothing goes in circles."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from defang_nb.compose.finish import section, services_of
from defang_nb.compose.kinds import said
from defang_nb.compose.nodes import Map, Path, Seq, show
from defang_nb.compose.problems import Problems, beside, did_you_mean, known_here
from defang_nb.model.project import ManagedKind
from defang_nb.model.source import Position

_CONTAINER_NAME: Final = r"[a-zA-Z0-9][a-zA-Z0-9_.-]+"
_RESTART: Final = r"no|always|unless-stopped|on-failure(:\d+)?"
_RESTARTS: Final = ("no", "always", "unless-stopped", "on-failure")
_DECLARED: Final = {
    "secrets": "{{file: ./{}.txt}}",
    "configs": "{{file: ./{}}}",
    "models": "{{model: …}}",
    "services": "{{build: .}}",
}
"""The shortest form in which what is missing may be declared, where that is not an empty mapping."""
_LAST_PORT: Final = 65535
_ONCE: Final = ("group_add", "security_opt", "external_links", "volumes_from", "device_cgroup_rules")


_LIMITS: Final = (
    ("cpus", "limits", "cpus"),
    ("mem_limit", "limits", "memory"),
    ("mem_reservation", "reservations", "memory"),
    ("pids_limit", "limits", "pids"),
)


class Checker:
    """Checks the `active` services of `model` (those that profiles leave on).

    `strict` also refuses what the reference lets pass and its engine then refuses, or nobody would carry out.
    """

    def __init__(self, model: Map, active: Mapping[str, Map], problems: Problems, *, strict: bool) -> None:
        self.model = model
        self.strict = strict
        self.active = active
        self.problems = problems

    def check(self) -> None:
        """Note everything that does not fit together."""
        self._resources()
        for name, service in self.active.items():
            self._service(name, service)
            self._references(name, service)
            self._dependencies(name, service)
        for name, job in section(self.model, "jobs").items():
            if not job.get("image") and "build" not in job:
                at = section(self.model, "jobs").key_at(name)
                self._error("no-image", f'job "{name}" has neither an image nor a build', at, ("jobs", name), "add `image:`")
            self._references(name, job, "jobs")
            self._dependencies(name, job, "jobs")
        self._container_names()
        self._cycles()

    def check_dependencies(self, names: Iterable[str]) -> None:
        """Note what those services depend on that is not there."""
        for name in names:
            self._dependencies(name, self.active[name])

    def _error(self, code: str, message: str, at: Position | None, path: Path, hint: str = "") -> None:
        if not self.problems.is_broken(path):
            self.problems.error(code, message, at, path, hint)

    def _service(self, name: str, service: Map) -> None:
        path: Path = ("services", name)
        at = section(self.model, "services").key_at(name)
        made = any(key in service for key in ("build", "provider")) or (self.strict and _managed(service))
        if not service.get("image") and not made:
            self._error("no-image", f'service "{name}" has neither an image nor a build', at, path, "add `image:` or `build:`")
        build = section(service, "build")
        if "dockerfile" in build and "dockerfile_inline" in build:
            self._exclusive(build, ("dockerfile", "dockerfile_inline"), (*path, "build"))
        platforms = build.get("platforms")
        if platforms and service.get("platform") and service["platform"] not in platforms:
            message = f"build.platforms must include the service's platform {service['platform']}"
            hint = f"add {service['platform']} to it, or take `platform` away"
            self._error("platform", message, build.value_at("platforms"), (*path, "build", "platforms"), hint)
        if "network_mode" in service and "networks" in service:
            self._exclusive(service, ("network_mode", "networks"), path)
        self._scale(name, service, path)
        self._limits(service, path)
        self._mounted(service, path)
        for index, port, _ in _items(service.get("ports")) if self.strict else ():
            if not 1 <= port["target"] <= _LAST_PORT:
                here: Path = (*path, "ports", index, "target")
                message = f"{show(here)} must be a port (1 to {_LAST_PORT}), but it is {port['target']}"
                self._error(
                    "wrong-value", message, port.value_at("target"), here, "write the port that the container listens at"
                )
        self._watched(service, path)
        for key in _ONCE:
            self._repeated(service, key, path)
        if "pid" in service and service["pid"] is None:
            hint = "give it a value, or remove the key"
            self._error("wrong-type", f"{show(path)}.pid is empty", service.value_at("pid"), (*path, "pid"), hint)
        restart = service.get("restart", "")
        if self.strict and restart and not re.fullmatch(_RESTART, restart):
            hint = did_you_mean(restart, _RESTARTS) or f"known here: {', '.join(_RESTARTS)}"
            message = f'services.{name}.restart is "{restart}", which is no restart policy'
            self._error("wrong-value", message, service.value_at("restart"), (*path, "restart"), hint)

    def _scale(self, name: str, service: Map, path: Path) -> None:
        replicas = section(service, "deploy").get("replicas")
        scale = service.get("scale")
        if scale is not None and replicas is not None and scale != replicas:
            at = service.key_at("scale")
            other = beside(at, section(service, "deploy").key_at("replicas"))
            message = f"`scale` ({scale}) and `deploy.replicas` ({replicas}) differ{other}"
            self._error("exclusive-keys", message, at, (*path, "scale"), "keep one of them")
        if "container_name" not in service:
            return
        if (scale or replicas or 1) > 1:
            message = f'service "{name}" runs several times, so it can\'t have a container_name'
            self._error("exclusive-keys", message, service.key_at("container_name"), (*path, "container_name"), "remove it")
        matches = re.fullmatch if self.strict else re.search
        if not matches(_CONTAINER_NAME, service["container_name"]):
            hint = "at least two of: letters, digits, dots, dashes and underscores, beginning with a letter or digit"
            at = service.value_at("container_name")
            message = f"{show(path)}.container_name is {said(service['container_name'])}, which is no container's name"
            self._error("wrong-value", message, at, (*path, "container_name"), hint)

    def _limits(self, service: Map, path: Path) -> None:
        """What a service says itself must be what its `deploy` says, as soon as that has the section."""
        resources = section(section(service, "deploy"), "resources")
        for key, where, inner in _LIMITS:
            own, other = service.get(key), resources.get(where)
            if isinstance(other, Map) and float(own or 0) not in (0, float(other.get(inner) or 0)):
                message = f"`{key}` and `deploy.resources.{where}.{inner}` differ"
                self._error("exclusive-keys", message, service.key_at(key), (*path, key), "keep one of them")

    def _mounted(self, service: Map, path: Path) -> None:
        mounts = [(item.partition(":")[0], at) for item, at in _pairs(service.get("tmpfs"))]
        mounts += [(mount.get("target", ""), at) for _, mount, at in _items(service.get("volumes"))]
        seen: dict[str, Position] = {}
        for target, at in mounts:
            if target in seen:
                message = f"{target} is mounted twice (first at {seen[target]})"
                self._error("repeated", message, at, (*path, "volumes"), "give each a target of its own")
            seen[target] = at

    def _watched(self, service: Map, path: Path) -> None:
        for index, watch, at in _items(section(service, "develop").get("watch")):
            here: Path = (*path, "develop", "watch", index)
            if not watch.get("target") and watch.get("action") not in ("rebuild", "restart"):
                self._error("missing-key", f'{show(here)} needs "target"', at, (*here, "target"), "add `target:`")

    def _exclusive(self, values: Map, keys: tuple[str, ...], path: Path) -> None:
        at = values.key_at(keys[-1])
        message = f"{show(path)} has both {' and '.join(keys)}{beside(at, values.key_at(keys[0]))}"
        hint = "keep one of them; an override file takes a key away by `key: !reset null`"
        self._error("exclusive-keys", message, at, (*path, keys[-1]), hint)

    def _repeated(self, service: Map, key: str, path: Path) -> None:
        items = service.get(key)
        if not isinstance(items, Seq):
            return
        seen: dict[object, Position] = {}
        for index, (item, at) in enumerate(items.pairs()):
            if item in seen:
                message = f"{show((*path, key, index))} is given twice{beside(at, seen[item])}"
                self._error("repeated", message, at, (*path, key, index), "keep one")
            seen.setdefault(item, at)

    def _references(self, name: str, service: Map, kind: str = "services") -> None:
        for key, what in (("networks", "network"), ("models", "model")):
            used = section(service, key)
            for each in used:
                if each != "default" or key != "networks":
                    self._known(key, what, each, used.key_at(each), (kind, name, key, each))
        for key, what in (("secrets", "secret"), ("configs", "config")):
            for owner, path in (
                (service, (kind, name, key)),
                (section(service, "build"), (kind, name, "build", key)),
            ):
                for index, source, at in _sources(owner.get(key)):
                    self._known(key, what, source, at, (*path, index))
        self._network_of(name, service, kind)
        contexts = section(section(service, "build"), "additional_contexts")
        for key, place in contexts.items():
            if isinstance(place, str) and place.startswith("service:"):
                place_path: Path = (kind, name, "build", "additional_contexts", key)
                other, place_at = place.removeprefix("service:"), contexts.value_at(key)
                self._known("services", "service", other, place_at, place_path)
                if other not in self.active and other in services_of(self.model):
                    message = f'{show(place_path)} is the service "{other}", which is not active'
                    self._error("inactive-service", message, place_at, place_path, "turn on one of its profiles")
                if other in self.active and "build" not in self.active[other]:
                    message = f'{show(place_path)} is the service "{other}", which is not built'
                    self._error("wrong-value", message, place_at, place_path, "name a service with a `build:`")
        for index, mount, at in _items(service.get("volumes")):
            if mount.get("type") == "volume" and mount.get("source"):
                self._known("volumes", "volume", mount["source"], at, (kind, name, "volumes", index))

    def _network_of(self, name: str, service: Map, kind: str) -> None:
        other = service.get("network_mode", "").removeprefix("service:")
        if service.get("network_mode") != other and other not in self.active and other in services_of(self.model):
            message = f'{kind[:-1]} "{name}" uses the network of "{other}", which is not active'
            at = service.value_at("network_mode")
            self._error("inactive-service", message, at, (kind, name, "network_mode"), "turn on one of its profiles")

    def _known(self, key: str, what: str, name: str, at: Position | None, path: Path) -> None:
        known = section(self.model, key)
        if name in known or self.problems.is_gone(key, name):
            return
        form = _DECLARED.get(key, "{{}}").format(name)
        hint = did_you_mean(name, known) or f"declare it at the top level: `{key}: {{{name}: {form}}}`"
        if what == "volume" and "/" in name:
            hint = f"for a folder write ./{name}"
        self._error(
            f"unknown-{what}",
            f'{str(path[0])[:-1]} "{path[1]}" uses the {what} "{name}", which is not declared',
            at,
            path,
            hint,
        )

    def _dependencies(self, name: str, service: Map, kind: str = "services") -> None:
        every = services_of(self.model)
        depends = section(service, "depends_on")
        for other, dependency in depends.items():
            path: Path = (kind, name, "depends_on", other)
            at = depends.key_at(other)
            if isinstance(dependency, Map) and "condition" not in dependency:
                hint = "add `condition: service_started`"
                self._error("missing-key", f'{show(path)} needs "condition"', at, path, hint)
            if other in self.active or self.problems.is_gone("services", other):
                continue
            if other not in every:
                others = [each for each in every if each != name]
                hint = did_you_mean(other, others) or known_here(others, "another service")
                self._error(
                    "unknown-service", f'{kind[:-1]} "{name}" depends on "{other}", which does not exist', at, path, hint
                )
            elif dependency.get("required", True):
                profiles = ", ".join(every[other].get("profiles", ()))
                hint = f"turn on one of its profiles ({profiles}), or set `required: false`"
                self._error(
                    "inactive-service", f'{kind[:-1]} "{name}" depends on "{other}", which is not active', at, path, hint
                )

    def _container_names(self) -> None:
        owners: dict[str, str] = {}
        for name, service in self.active.items():
            container = service.get("container_name")
            if isinstance(container, str) and owners.setdefault(container, name) != name:
                at, first = service.value_at("container_name"), self.active[owners[container]].value_at("container_name")
                message = f'container_name "{container}" is also that of service "{owners[container]}"{beside(at, first)}'
                path = ("services", name, "container_name")
                self._error("repeated", message, at, path, "give each its own, or none")

    def _resources(self) -> None:
        for key in ("secrets", "configs"):
            ways = ("file", "environment", "content") if key == "configs" else ("file", "environment")
            for name, resource in section(self.model, key).items():
                given = tuple(way for way in ways if way in resource)
                if len(given) > 1:
                    self._exclusive(resource, given, (key, name))
                elif not any(resource[way] for way in given) and not resource.get("external"):
                    if key == "configs" and (given or "external" in resource):
                        continue
                    at = section(self.model, key).key_at(name)
                    hint = f"add `{ways[0]}: ./path`, or `external: true`"
                    self._error("missing-key", f"{key}.{name} needs one of {', '.join(ways)}", at, (key, name), hint)

        for name, volume in section(self.model, "volumes").items():
            for key in volume if volume.get("external") else ():
                if key not in ("name", "external") and not key.startswith("x-"):
                    self._exclusive(volume, ("external", key), ("volumes", name))

    def _cycles(self) -> None:
        done: set[str] = set()
        for start in self.active:
            trail = {} if start in done else {start: iter(section(self.active[start], "depends_on"))}
            while trail:
                name = next(reversed(trail))
                other = next(trail[name], None)
                if other is None:
                    done.add(name)
                    del trail[name]
                elif other in trail:
                    names = list(trail)
                    self._cycle([*names[names.index(other) :], other])
                elif other in self.active and other not in done:
                    trail[other] = iter(section(self.active[other], "depends_on"))

    def _cycle(self, names: list[str]) -> None:
        depends = section(self.active[names[-2]], "depends_on")
        path = ("services", names[-2], "depends_on", names[-1])
        steps = [
            f"{name} needs {other} ({section(self.active[name], 'depends_on').key_at(other)})"
            for name, other in itertools.pairwise(names)
        ]
        hint = f"one of them has to start without the others: {', '.join(steps)}"
        shown = " → ".join(names)
        self._error(
            "dependency-cycle", f"services depend on each other in a circle: {shown}", depends.key_at(names[-1]), path, hint
        )


def _managed(service: Map) -> bool:
    return any(key in service for key in _STANDS_ALONE)


_STANDS_ALONE: Final = ("x-defang-static-files", *(f"x-defang-{kind.value}" for kind in ManagedKind))
"""Extensions by which a service needs neither an image nor a build."""


def _pairs(items: object) -> Iterator[tuple[str, Position]]:
    return items.pairs() if isinstance(items, Seq) else iter(())


def _items(items: object) -> Iterator[tuple[int, Map, Position]]:
    for index, (item, at) in enumerate(items.pairs() if isinstance(items, Seq) else ()):
        if isinstance(item, Map):
            yield index, item, at


def _sources(items: object) -> Iterator[tuple[int, str, Position]]:
    for index, item, at in _items(items):
        if isinstance(source := item.get("source"), str):
            yield index, source, at
