"""Which files, which name, which services."""

from __future__ import annotations

from pathlib import Path

import pytest

from defang_nb.compose import discover, load
from defang_nb.errors import ComposeError, NotFoundError

PROFILES = """\
services:
  a: {image: x}
  b: {image: x, profiles: [dbg]}
  c: {image: x, profiles: [dbg, t], depends_on: [b]}
  d: {image: x, profiles: [t]}
"""


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["a"]),
        ({"profiles": ["dbg"]}, ["a", "b", "c"]),
        ({"profiles": ["*"]}, ["a", "b", "c", "d"]),
        ({"services": ["c"]}, ["b", "c"]),
        ({"environ": {"COMPOSE_PROFILES": "dbg"}}, ["a", "b", "c"]),
    ],
)
def test_profiles_and_selection(folder, options, names) -> None:
    assert list(folder.load(PROFILES, **options).project.services) == names


def test_a_dependency_that_is_not_active_says_which_profile_it_needs(folder) -> None:
    (found,) = folder.refused(PROFILES, profiles=["t"])
    assert (found.code, str(found.position)) == ("inactive-service", "compose.yaml:4:50")
    assert "dbg" in found.hint


def test_discovery_walks_up_and_takes_the_override_along(folder) -> None:
    base = folder.write("compose.yaml", "services: {a: {image: x}}")
    folder.write("docker-compose.yml", "services: {z: {image: z}}")
    over = folder.write("compose.override.yaml", "services: {a: {tty: true}}")
    (folder.path / "deep" / "er").mkdir(parents=True)
    assert discover(folder.path / "deep" / "er") == [base, over]
    loaded = load(None, working_dir=folder.path / "deep", environ={})
    assert loaded.canonical["services"]["a"]["tty"] is True
    assert loaded.project.working_dir == str(folder.path)


def test_no_compose_file_says_what_to_do(folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    with pytest.raises(NotFoundError) as caught:
        discover(folder.path)
    assert "compose.yaml" in caught.value.hint


def test_a_missing_file_is_named(folder) -> None:
    with pytest.raises(ComposeError, match=r"nope\.yaml"):
        load([folder.path / "nope.yaml"], working_dir=folder.path, environ={})


@pytest.mark.parametrize(
    ("text", "options", "name"),
    [
        ("", {}, "proj"),
        ("name: My.App_1\n", {}, "myapp_1"),
        ("name: '${N:-n}'\n", {}, "n"),
        ("name: inyaml\n", {"environ": {"COMPOSE_PROJECT_NAME": "fromenv"}}, "fromenv"),
        ("name: inyaml\n", {"environ": {"COMPOSE_PROJECT_NAME": "fromenv"}, "project_name": "flag"}, "flag"),
    ],
)
def test_project_name(folder, text: str, options, name: str) -> None:
    loaded = folder.load(text + "services: {a: {image: 'x:${COMPOSE_PROJECT_NAME}'}}", **options)
    assert loaded.project.name == name
    assert loaded.project.services["a"].image == f"x:{name}"


def test_a_wrong_project_name_is_refused(folder) -> None:
    (found,) = folder.refused("services: {a: {image: x}}", project_name="Bad.Name")
    assert found.code == "project-name"
