"""The command tree: parsing, help and completion, which are all made from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest

from defang_nb.commands.complete import complete
from defang_nb.commands.help import help_text
from defang_nb.commands.parse import parse, split
from defang_nb.commands.tree import TREE, tree
from defang_nb.commands.words import BOTH, Command, Complete, Face
from defang_nb.errors import UsageError

NAMES = {
    Complete.SERVICE: ["web", "worker", "db"],
    Complete.DEPLOYMENT: ["7f3k2", "9aa01"],
    Complete.CONFIG: ["SECRET_KEY"],
    Complete.STACK: ["local", "prod"],
}


def lookup(kind: Complete) -> Iterable[str]:
    return NAMES.get(kind, [])


def candidates(line: str, face: Face = Face.NOTEBOOK) -> list[str]:
    words = line.split()
    current = "" if not line or line.endswith(" ") else words.pop()
    return complete(words, current, lookup, face)


def test_options_and_words_may_stand_in_any_order() -> None:
    found = parse(["up", "web", "-d", "api", "--file=a.yaml", "-f", "b.yaml", "--wait-timeout", "2.5"], Face.CLI)
    assert found.command is not None
    assert found.command.name == "up"
    assert found.words == ("web", "api")
    assert found.many("files") == ["a.yaml", "b.yaml"]
    assert found.flag("detach")
    assert not found.flag("build")
    assert found.number("wait_timeout") == 2.5
    assert found.text("stack") is None


def test_after_two_dashes_everything_is_a_word() -> None:
    assert parse(["config", "set", "A", "--", "-x"], Face.CLI).words == ("A", "-x")


def test_a_commands_own_words_are_never_ours() -> None:
    found = parse(["exec", "-e", "A=1", "--index", "2", "web", "ls", "-e", "--help", "--", "x"], Face.CLI)
    assert found.words == ("web", "ls", "-e", "--help", "--", "x")
    assert (found.many("env"), found.number("index"), found.help) == (["A=1"], 2, False)
    assert parse(["exec", "-T", "--", "web", "--", "ls", "-l"], Face.CLI).words == ("web", "ls", "-l")
    assert parse(["exec", "--help"], Face.CLI).help
    for words, said in (
        (["exec"], "needs SERVICE"),
        (["exec", "web"], "needs COMMAND"),
        (["exec", "--nope", "web", "ls"], "--nope"),
    ):
        with pytest.raises(UsageError, match=said):
            parse(words, Face.CLI)
    assert candidates("exec w") == ["web", "worker"]
    assert candidates("exec web l") == []


def test_a_lone_dash_is_a_word() -> None:
    assert parse(["config", "set", "A", "-"], Face.CLI).words == ("A", "-")


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("upp", "no command 'upp'", "did you mean up?"),
        ("config st", "no command 'st'", "did you mean set?"),
        ("frobnicate", "no command", "commands: up, preview"),
        ("up --bild", "no option --bild", "did you mean --build?"),
        ("up --det", "no option --det", "did you mean --detach?"),
        ("up --file", "expected one argument", "up --help"),
        ("--json up", "the command comes first", "--help"),
        ("up --wait-timeout soon", "invalid float value: 'soon'", "up --help"),
        ("compose config --format xml", "--format can't be 'xml'", "one of: yaml, json"),
        ("attach a b", "no further word 'b'", "--help"),
        ("ps web", "no further word 'web'", "--help"),
        ("config rm", "needs NAME", "--help"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_nearest_right_thing(line: str, said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split(), Face.CLI)
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_each_face_has_its_own_options() -> None:
    assert parse(["up", "--json"], Face.CLI).flag("json")
    assert parse(["up", "-o", "dep"], Face.NOTEBOOK).text("output") == "dep"
    with pytest.raises(UsageError, match="no option --json"):
        parse(["up", "--json"], Face.NOTEBOOK)
    with pytest.raises(UsageError, match="no option -o"):
        parse(["up", "-o", "dep"], Face.CLI)


def test_quotes_are_a_shells() -> None:
    assert split("config set 'A=b c' \"D=e\"") == ["config", "set", "A=b c", "D=e"]
    with pytest.raises(UsageError, match="can't read the line"):
        split("logs 'web")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["config"], ["config", "--help"]])
def test_help_is_asked_for_in_many_ways(words: list[str]) -> None:
    assert parse(words, Face.CLI).help


@pytest.mark.parametrize(
    ("face", "command"),
    [(face, command) for face in BOTH for command in tree(face)],
    ids=lambda each: getattr(each, "name", each),
)
def test_every_command_has_help_that_names_everything_it_takes(face: Face, command: Command) -> None:
    text = help_text(face, command)
    assert text.startswith(f"usage: {face.value} {command.name} [options]")
    for option in command.options_for(face):
        assert all(flag in text for flag in option.flags)
        assert option.help in text
    for example in command.examples:
        assert parse(split(example), face).command is command
        assert f"{face.value} {example}" in text
    assert parse([*command.path, "--help"], face).help


def test_the_overview_names_every_command_and_every_exit_code() -> None:
    text = help_text(Face.CLI)
    assert all(command.name in text and command.summary in text for command in tree(Face.CLI))
    for code in (0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 130):
        assert f"\n  {code:>3}  " in text
    assert "%%compose" in help_text(Face.NOTEBOOK)


def test_names_and_flags_are_unique() -> None:
    assert len({command.path for command in TREE}) == len(TREE)
    for command in TREE:
        flags = [flag for option in command.options_for(Face.CLI) for flag in option.flags]
        assert len(flags) == len(set(flags))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "",
            [
                "up",
                "preview",
                "refresh",
                "down",
                "ps",
                "logs",
                "tail",
                "exec",
                "restart",
                "scale",
                "dashboard",
                "stats",
                "config",
                "deployments",
                "attach",
                "cancel",
                "rollback",
                "stack",
                "estimate",
                "whoami",
                "cd",
                "compose",
                "show",
                "doctor",
                "version",
            ],
        ),
        ("d", ["down", "dashboard", "deployments", "doctor"]),
        ("config ", ["set", "ls", "rm"]),
        ("up --d", ["--detach", "--dry-run"]),
        ("up --detach --d", ["--dry-run"]),
        ("up -f x --fi", ["--file"]),
        ("up -s ", ["local", "prod"]),
        ("up --stack=p", ["--stack=prod"]),
        ("up w", ["web", "worker"]),
        ("up web w", ["worker"]),
        ("up -p web w", ["web", "worker"]),
        ("logs d", ["db"]),
        ("attach ", ["7f3k2", "9aa01"]),
        ("attach 7f3k2 9", []),
        ("config rm S", ["SECRET_KEY"]),
        ("compose config --format ", ["yaml", "json"]),
        ("nonsense ", []),
        ("version ", ["--help"]),
    ],
)
def test_completion(line: str, expected: list[str]) -> None:
    assert candidates(line) == expected


def test_completion_offers_a_face_only_its_own_flags() -> None:
    assert candidates("up --json", Face.NOTEBOOK) == []
    assert candidates("up --json", Face.CLI) == ["--json"]
    assert "show" not in candidates("", Face.CLI)


def test_the_tree_loads_next_to_nothing() -> None:
    code = (
        "import sys, defang_nb.commands.help, defang_nb.commands.parse, defang_nb.commands.complete\n"
        "print([m for m in ('grpc', 'msgspec', 'IPython', 'google.protobuf', 'rich', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
