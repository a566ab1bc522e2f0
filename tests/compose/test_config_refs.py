"""Variables: filled in from env files, left symbolic where they are configuration, refused elsewhere."""

from __future__ import annotations

import pytest

from defang_nb.compose import load
from defang_nb.model.value import ConfigRef


def _environment(folder, text: str, **options):
    return folder.load(text, **options).project.services["a"].environment


def test_keys_without_a_value_and_unset_variables_are_configuration(folder) -> None:
    text = "services: {a: {image: x, environment: {KEY: , URL: 'postgres://u:${PW}@db/$DB', PLAIN: '1', EMPTY: ''}}}"
    assert _environment(folder, text) == {
        "KEY": (ConfigRef("KEY"),),
        "URL": ("postgres://u:", ConfigRef("PW"), "@db/", ConfigRef("DB")),
        "PLAIN": ("1",),
        "EMPTY": (),
    }


def test_the_list_form_does_the_same(folder) -> None:
    text = "services: {a: {image: x, environment: [KEY, 'URL=u:${PW}=z', 'ALL=${PW}']}}"
    assert _environment(folder, text) == {
        "KEY": (ConfigRef("KEY"),),
        "URL": ("u:", ConfigRef("PW"), "=z"),
        "ALL": (ConfigRef("PW"),),
    }


def test_build_arguments_may_be_configuration(folder) -> None:
    project = folder.load("services: {a: {build: {context: ., args: {A: , B: '${B}', C: '1'}}}}").project
    build = project.services["a"].build
    assert build is not None
    assert build.args == {"A": (ConfigRef("A"),), "B": (ConfigRef("B"),), "C": ("1",)}
    assert project.config_keys() == {"A": ("a",), "B": ("a",)}


def test_defaults_and_doubled_dollars_are_no_configuration(folder) -> None:
    text = "services: {a: {image: x, environment: {A: '${A:-one}', B: '$${B}', C: 'x$$', D: '${D-${E}}', F: '${F:+yes}'}}}"
    assert _environment(folder, text) == {"A": ("one",), "B": ("${B}",), "C": ("x$",), "D": (ConfigRef("E"),), "F": ()}


def test_the_canonical_form_is_a_compose_file_again(folder) -> None:
    text = "services: {a: {image: x, environment: {A: 'p$$q-${PW}', K: }}}"
    assert folder.services(text)["a"]["environment"] == {"A": "p$$q-${PW}", "K": "${K}"}


def test_symbolic_values_survive_merging_and_extending(folder) -> None:
    base = "services: {b: {image: x, environment: {URL: 'u:${PW}'}}, a: {extends: b}}"
    assert _environment(
        folder,
        base,
    )["URL"] == ("u:", ConfigRef("PW"))
    over = folder.load(base, "services: {a: {environment: [X=1]}}").project.services["a"]
    assert over.environment == {"URL": ("u:", ConfigRef("PW")), "X": ("1",)}


def test_anchored_environments_keep_their_configuration(folder) -> None:
    text = "x-env: &env {URL: 'u:${PW}'}\nservices: {a: {image: x, environment: *env}}"
    assert _environment(folder, text) == {"URL": ("u:", ConfigRef("PW"))}


def test_an_unset_variable_elsewhere_is_an_error_with_a_way_out(folder) -> None:
    found = folder.refused("services:\n  a:\n    image: x:${TAG}\n    command: [echo, $HOST]\n")
    assert [(each.code, str(each.position), each.path) for each in found] == [
        ("variable-unset", "compose.yaml:3:14", "services.a.image"),
        ("variable-unset", "compose.yaml:4:21", "services.a.command[1]"),
    ]
    assert "set TAG in .env, or give a default: ${TAG:-value}" in found[0].hint
    assert "$$HOST" in found[1].hint


def test_a_variable_with_a_similar_name_is_pointed_out(folder) -> None:
    folder.write(".env", "IMAGE_TAG=1\n")
    (found,) = folder.refused("services: {a: {image: 'x:${IMAGETAG}'}}")
    assert found.hint.startswith('did you mean "IMAGE_TAG"?')


def test_with_a_project_name_in_the_file_it_is_the_same(folder) -> None:
    assert _environment(folder, "name: n\nservices: {a: {image: x, environment: {A: '${A}'}}}")["A"] == (ConfigRef("A"),)


def test_the_process_environment_is_not_seen(folder) -> None:
    text = "services: {a: {image: x, environment: {A: '${A}', B: }}}"
    assert _environment(folder, text, environ={"A": "1", "B": "2"}) == {"A": (ConfigRef("A"),), "B": (ConfigRef("B"),)}
    assert _environment(folder, text, environ={"A": "1", "B": "2"}, as_compose=True) == {"A": ("1",), "B": ("2",)}


def test_unset_is_blank_with_a_warning_as_compose_does_it(folder) -> None:
    loaded = folder.load("services: {a: {image: 'x:1${TAG}'}}", as_compose=True)
    assert loaded.project.services["a"].image == "x:1"
    assert [each.code for each in loaded.diagnostics] == ["variable-unset"]


def test_conventional_env_files_the_later_over_the_earlier(folder) -> None:
    folder.write(".env", "A=env\nB=env\nC=env\n")
    folder.write(".env.aws", "B=provider\nC=provider\n")
    folder.write(".env.prod", "C=stack\n")
    text = "services: {a: {image: x, environment: {A: , B: '${B}', C: '${C}', D: '${D:-no}'}}}"
    found = _environment(folder, text, stack="prod", provider="aws")
    assert found == {"A": ("env",), "B": ("provider",), "C": ("stack",), "D": ("no",)}
    extra = folder.write("extra.env", "C=given\n")
    assert _environment(folder, text, stack="prod", provider="aws", env_files=[extra])["C"] == ("given",)


@pytest.mark.parametrize("template", ["${", "${}", "${A.B}", "${V!}", "${1}"])
def test_wrong_templates(folder, template: str) -> None:
    (found,) = folder.refused(f"services:\n  a:\n    image: x\n    environment:\n      K: '{template}'\n")
    assert (found.code, str(found.position)) == ("interpolation-syntax", "compose.yaml:5:11")
    assert "$$" in found.hint


def test_a_required_variable_says_why(folder) -> None:
    (found,) = folder.refused("services: {a: {image: '${IMAGE:?which one}'}}")
    assert (found.code, found.message) == ("variable-required", "required variable IMAGE is missing a value: which one")


def test_keys_that_are_no_config_names_are_refused(folder) -> None:
    long = "K" * 65
    found = folder.refused(
        f"services:\n  a:\n    image: x\n    environment:\n      a-b:\n      {long}:\n      OK: ${{{long}}}\n"
    )
    assert [(each.code, each.position.line) for each in found] == [("config-name", 5), ("config-name", 6), ("config-name", 7)]


def test_env_files_of_a_service(folder) -> None:
    folder.write("one.env", "A=1\nB=1\nURL=u:${PW}\nBARE\n")
    folder.write("two.env", "B=2\nC=$A\n")
    files = "[one.env, two.env, {path: no.env, required: false}]"
    text = f"services: {{a: {{image: x, env_file: {files}, environment: {{A: own, BARE: }}}}}}"
    assert _environment(folder, text) == {
        "A": ("own",),
        "B": ("2",),
        "C": ("own",),
        "URL": ("u:", ConfigRef("PW")),
        "BARE": (ConfigRef("BARE"),),
    }


def test_a_wrong_line_in_an_env_file_is_placed_and_its_value_hidden(folder) -> None:
    folder.write("e.env", "A=1\nB C=hunter2\n")
    (found,) = folder.refused("services: {a: {image: x, env_file: e.env}}")
    assert str(found.position) == "e.env:2:1"
    assert "hunter2" not in str(found)


def test_variables_are_left_alone_when_asked(folder) -> None:
    text = "services: {a: {image: 'x:${TAG}', environment: {A: '$$'}}}"
    file = folder.write("compose.yaml", text)
    loaded = load([file], working_dir=folder.path, environ={}, interpolate=False)
    assert loaded.canonical["services"]["a"]["image"] == "x:${TAG}"
    assert loaded.canonical["services"]["a"]["environment"] == {"A": "$$"}
