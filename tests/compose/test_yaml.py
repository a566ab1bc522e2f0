"""YAML as the reference reads it, and its errors with line, column and the line itself."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "place", "part", "line"),
    [
        ("services:\n  a:\n\timage: x\n", "compose.yaml:3:1", "cannot start any token", "\timage: x"),
        ("services:\n  a: {image: x\n  b: y\n", "compose.yaml:3:4", "did not find expected", "  b: y"),
        ("services:\n  a:\n    image: x: y\n", "compose.yaml:3:13", "mapping values are not allowed", "    image: x: y"),
        ("services:\n  a: *nothing\n", "compose.yaml:2:6", 'unknown anchor "nothing"', "  a: *nothing"),
        ('services:\n  a:\n    image: "x\n', "compose.yaml:3:12", "unexpected end of stream", '    image: "x'),
        ("a: &a [*a]\n", "compose.yaml:1:8", "contains itself", "a: &a [*a]"),
        ("services: {a: {<<: 1}}\n", "compose.yaml:1:20", "`<<` needs a mapping", "services: {a: {<<: 1}}"),
        ("services: \x01\n", "compose.yaml:1:11", "control characters", "services: \x01"),
    ],
)
def test_syntax_errors(folder, text: str, place: str, part: str, line: str) -> None:
    (found,) = folder.refused(text)
    assert found.code == "yaml-syntax"
    assert part in found.message
    assert (str(found.position), found.excerpt) == (place, line)


def test_a_tab_is_named_as_the_cause(folder) -> None:
    (found,) = folder.refused("services:\n  a:\n\timage: x\n")
    assert "spaces" in found.hint


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1.10", "1.1"), ("1e3", "1000"), ("1e21", "1e+21"), ("017", "15"), ("0o17", "15"), ("0x1F", "31"), ("0b11", "3"),
        ("1_000", "1000"), ("08", "8"), ("yes", "yes"), ("true", "true"), ("22:22", "22:22"), ("+5", "5"), (".5", "0.5"),
        ("'1.10'", "1.10"), ("!!str 017", "017"), ("1.2.3", "1.2.3"), ("-", "-"), ("''", ""), ("1e-7", "1e-07"),
        ("18446744073709551615", "18446744073709551615"),
    ],
)  # fmt: skip
def test_scalars(folder, written: str, read: str) -> None:
    services = folder.services(f"services: {{a: {{image: x, environment: {{K: {written} }}}}}}" if written != "-" else
                               "services:\n  a:\n    image: x\n    environment:\n      K: '-'\n")  # fmt: skip
    assert services["a"]["environment"]["K"] == read


def test_in_list_form_values_stay_as_written(folder) -> None:
    services = folder.services("services: {a: {image: x, environment: [A=1.10, B=017]}}")
    assert services["a"]["environment"] == {"A": "1.10", "B": "017"}


def test_a_duplicate_key_names_both_lines(folder) -> None:
    (found,) = folder.refused("services:\n  a:\n    image: x\n    image: y\n")
    assert (found.code, str(found.position)) == ("duplicate-key", "compose.yaml:4:5")
    assert "first at compose.yaml:3:5" in found.message


def test_a_key_that_is_no_string_is_refused(folder) -> None:
    (found,) = folder.refused("services:\n  a:\n    image: x\n    environment: {1: a}\n")
    assert (found.code, str(found.position)) == ("key-type", "compose.yaml:4:19")


def test_merge_keys(folder) -> None:
    anchors = "x-a: &a {image: x}\nx-b: &b {image: y, hostname: h}\n"
    text = anchors + "services:\n  a: {<<: [*a, *b], tty: true}\n  b: {<<: *b, image: z}\n"
    services = folder.services(text)
    assert (services["a"]["image"], services["a"]["hostname"], services["a"]["tty"]) == ("x", "h", True)
    assert services["b"]["image"] == "z"


def test_aliases_are_copies(folder) -> None:
    text = "x-e: &e {A: 1}\nservices:\n  a: {image: x, environment: *e}\n  b: {image: x, environment: {<<: *e, B: 2}}\n"
    services = folder.services(text)
    assert services["a"]["environment"] == {"A": "1"}
    assert services["b"]["environment"] == {"A": "1", "B": "2"}


def test_a_few_lines_that_expand_to_billions_are_refused(folder) -> None:
    lines = ["x-0: &x0 [" + ", ".join("a" * 10) + "]"]
    lines += [f"x-{n}: &x{n} [" + ", ".join([f"*x{n - 1}"] * 10) + "]" for n in range(1, 10)]
    (found,) = folder.refused("\n".join(lines))
    assert "expand to too much" in found.message


def test_deep_nesting_is_refused(folder) -> None:
    (found,) = folder.refused("x-a: " + "[" * 5000 + "]" * 5000)
    assert "nested deeper" in found.message


def test_byte_order_mark_and_several_documents(folder) -> None:
    services = folder.services("\ufeffservices: {a: {image: x}}\n---\nservices: {a: {image: y}, b: {image: z}}\n")
    assert {name: each["image"] for name, each in services.items()} == {"a": "y", "b": "z"}
