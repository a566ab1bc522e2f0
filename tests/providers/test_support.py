"""The tables of what engines honour: complete, and (for the process engine) true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from defang_nb.compose import Loaded, Source, load
from defang_nb.compose.spec_top import FILE
from defang_nb.model.project import Project
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.providers.local.process.check import check
from defang_nb.providers.support import Support, Verdict, engines, support

EXTENSIONS = ("postgres", "redis", "mongodb", "llm", "static-files", "autoscaling", "policies", "aliases", "dns-role")


def schema(kind: Any = FILE, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every path that a Compose file may have, with its kind."""
    if path:
        yield path, kind
    for key, inner in getattr(kind, "fields", {}).items():
        yield from schema(inner, f"{path}.{key}" if path else key)
    names = {base.__name__ for base in type(kind).__mro__}
    for attribute in ("kind", "struct", "long"):
        if inner := getattr(kind, attribute, None):
            yield from list(schema(inner, path))[1:]
    if inner := getattr(kind, "item", None):
        step = next(step for name, step in (("ListOf", "[*]"), ("MapOf", ".*"), ("Names", "")) if name in names)
        below = list(schema(inner, path + step))
        yield from below if step else below[1:]


PATHS = dict(schema())


def test_the_schema_is_walked() -> None:
    for path in (
        "services.*.build.args", "services.*.networks.*.aliases", "networks.*.driver", "services.*.deploy.update_config.order",
        "services.*.ports", "services.*.build.secrets[*]", "volumes.*.driver_opts.*", "services.*.models.*.endpoint_var",
    ):  # fmt: skip
        assert path in PATHS


@pytest.mark.parametrize("engine", engines())
def test_every_path_is_in_the_table(engine: str) -> None:
    table = support(engine)
    keys = [path for path in PATHS if re.fullmatch(r"services\.\*\.[^.\[]+|[^.]+", path)]
    keys += [f"services.*.x-defang-{name}" for name in EXTENSIONS]
    assert [path for path in keys if path not in table.rows] == []
    assert [path for path in PATHS if table.verdict(path) is None] == []


@pytest.mark.parametrize("engine", engines())
def test_a_table_is_well_formed(engine: str) -> None:
    table = support(engine)
    known = {*PATHS, *(f"services.*.x-defang-{name}" for name in EXTENSIONS), "services.*.volumes[*].bind.propagation"}
    assert sum(map(len, (table.honoured, table.moot, table.ignored, table.refused))) == len(table.rows), "a path is there twice"
    assert [path for path in table.rows if path not in known and "[*]" not in path] == [], "no such path"
    for part in (table.unless, table.hints):
        assert [path for path in part if path not in table.ignored and path not in table.refused] == []
    for part in (table.moot, table.ignored, table.refused):
        assert [path for path, says in part.items() if not says] == [], "without a reason"
    assert len(table.by_code) == len(table.cases)


TABLE = support("process")
NOT_HONOURED = {**dict.fromkeys(TABLE.ignored, Severity.WARNING), **dict.fromkeys(TABLE.refused, Severity.ERROR)}
SAMPLES: Mapping[str, Any] = {
    "jobs": {"a": {"image": "x", "schedule": "@daily"}},
    "services.*.build.additional_contexts": {"lib": "./lib"},
    "services.*.build.extra_hosts": ["a:1.2.3.4"],
    "services.*.build.secrets": ["s"],
    "services.*.configs": ["s"],
    "services.*.cgroup": "private",
    "services.*.deploy.mode": "global",
    "services.*.deploy.resources.limits": {"memory": "1g"},
    "services.*.deploy.update_config": {"parallelism": 2},
    "services.*.deploy.rollback_config": {"parallelism": 2},
    "services.*.deploy.restart_policy": {"condition": "any"},
    "services.*.blkio_config": {"weight": 10},
    "services.*.credential_spec": {"file": "x.json"},
    "services.*.devices": ["/dev/fuse"],
    "services.*.external_links": ["other"],
    "services.*.extra_hosts": ["a:1.2.3.4"],
    "services.*.ipc": "service:b",
    "services.*.models": ["s"],
    "services.*.network_mode": "none",
    "services.*.pid": "service:b",
    "services.*.post_start": [{"command": "x"}],
    "services.*.pre_start": [{"command": "x"}],
    "services.*.pre_stop": [{"command": "x"}],
    "services.*.provider": {"type": "model"},
    "services.*.secrets": ["s"],
    "services.*.sysctls": {"a": "1"},
    "services.*.ulimits": {"nofile": 10},
    "services.*.build.ulimits": {"nofile": 10},
    "services.*.build.ssh": ["default"],
    "services.*.storage_opt": {"size": "1G"},
    "services.*.volumes_from": ["b"],
    "services.*.volumes[*].bind.propagation": "shared",
    "services.*.volumes[*].volume.subpath": "x",
    "services.*.x-defang-mongodb": True,
    "services.*.x-defang-llm": True,
    "volumes.*.driver_opts": {"type": "nfs"},
    "volumes.*.driver": "nfs",
    "volumes.*.external": True,
}


def sample(path: str) -> Any:
    """A valid value for `path`."""
    if path in SAMPLES:
        return SAMPLES[path]
    allows = PATHS[path].allows
    for word, value in (("boolean", True), ("list", ["x"]), ("size", "1m"), ("integer", 1), ("number", 1), ("string", "x")):
        if word in allows:
            return value
    raise AssertionError(f"{path} needs a sample: {allows}")


def document(path: str, value: Any) -> dict[str, Any]:
    """A sound project in which `path` is `value`."""
    model: dict[str, Any] = {
        "services": {"a": {"build": {"context": "."}, "volumes": [{"type": "volume", "target": "/t", "source": "s"}]},
                     "b": {"image": "redis"}},
        "volumes": {"s": {}}, "secrets": {"s": {"file": "x"}}, "configs": {"s": {"file": "x"}}, "models": {"s": {"model": "m"}},
        "networks": {"s": {}},
    }  # fmt: skip
    node: Any = model
    keys = re.findall(r"[^.\[\]]+", path)
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if key == "*":
            key = 0 if isinstance(node, list) else "a" if keys[depth - 1] == "services" else "s"
        if last:
            node[key] = value
        else:
            node = node[key] if isinstance(node, list) else node.setdefault(key, {})
    if path.startswith("services.*.volumes[*].bind"):
        model["services"]["a"]["volumes"][0] |= {"type": "bind", "source": "./x"}
    return model


def written(folder: Path, model: dict[str, Any]) -> Loaded:
    (folder / "requirements.txt").write_text("flask")
    (folder / "main.py").write_text("")
    return load([Source("compose.yaml", json.dumps(model, indent=1))], working_dir=folder, environ={}, all_resources=True)


def of(path: str, found: list[Diagnostic]) -> list[Diagnostic]:
    place = path.replace("services.*", "services.a").replace("[*]", "[0]").replace("*", "s")
    return [each for each in found if each.path == place]


@pytest.mark.parametrize("path", NOT_HONOURED)
def test_what_is_not_honoured_is_said_with_its_place(path: str, tmp_path: Path) -> None:
    loaded = written(tmp_path, document(path, sample(path)))
    (found,) = of(path, check(loaded.project))
    verdict = "unsupported" if path in TABLE.refused else "ignored"
    assert (found.severity, found.code) == (NOT_HONOURED[path], verdict)
    assert found.position is not None
    assert found.hint if path in TABLE.refused else True
    assert (TABLE.refused if path in TABLE.refused else TABLE.ignored)[path] in found.message


@pytest.mark.parametrize("path", list(TABLE.unless))
def test_what_asks_for_nothing_is_not_mentioned(path: str, tmp_path: Path) -> None:
    for value in TABLE.unless[path]:
        assert of(path, check(written(tmp_path, document(path, value)).project)) == []


def test_what_is_honoured_is_not_mentioned(tmp_path: Path) -> None:
    """Keys that are named like something that is not honoured, where they are people's own."""
    model = {
        "services": {
            "a": {
                "build": {"context": ".", "args": {"privileged": "1"}},
                "environment": {"user": "x", "privileged": "1", "dns": "2"},
                "labels": {"cap_add": "x"},
                "privileged": False,
                "cap_add": [],
            }
        }
    }
    assert [each for each in check(written(tmp_path, model).project) if each.code in ("ignored", "unsupported")] == []


def test_names_with_dots_in_them(tmp_path: Path) -> None:
    model = {"services": {"a": {"image": "redis"}, "a.b": {"image": "redis", "privileged": True}}}
    (found,) = [each for each in check(written(tmp_path, model).project) if each.code == "ignored"]
    assert (found.service, found.path) == ("a.b", "services.a.b.privileged")


def test_every_case_of_the_code_is_in_the_table() -> None:
    from defang_nb.providers.local.process import check as module

    used = set(re.findall(r"""_told\((?:"([a-z-]+)")""", Path(module.__file__).read_text()))
    used |= {"redis-fetched", "redis-missing"}
    assert used == set(TABLE.by_code)


def test_without_an_entry_the_path_above_speaks() -> None:
    table = Support(title="t", way_out="w", honoured={"a": ""}, refused={"a.*.b[*]": "no"})
    assert table.verdict("a.*.b[*].c.*") == (Verdict.REFUSED, "no")
    assert table.verdict("a.*.b") == (Verdict.HONOURED, "")
    assert table.verdict("z") is None


def test_a_project_without_places_has_no_findings_of_the_table() -> None:
    assert list(TABLE.findings(Project(name="p", services={}))) == []
