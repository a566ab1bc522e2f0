"""For every command that the tree has: help by `?`, TAB for its flags, and no flag that it does not know."""

from __future__ import annotations

from defang_nb.commands.options import MODES
from defang_nb.commands.parse import parse
from defang_nb.commands.tree import tree
from defang_nb.commands.words import Face
from defang_nb.providers.aws import modes
from tests.notebook.conftest import Notebook

COMMANDS = tree(Face.NOTEBOOK)
FLAGS = [(command, option) for command in COMMANDS for option in command.options_for(Face.NOTEBOOK)]


def test_help_and_tab_of_every_command(notebook: Notebook) -> None:
    for command in COMMANDS:
        name = " ".join(command.path)
        notebook.run(f"%defang {name}?")
        assert notebook.error is None
        assert notebook.text.startswith(f"usage: %defang {name} [options]"), name
        flags = {option.flags[-1] for option in command.options_for(Face.NOTEBOOK)}
        assert set(notebook.complete(f"%defang {name} --")) == flags, name
        assert set(notebook.complete(f"x = %defang {name} --he")) == {"--help"}, name
        *group, last = command.path
        assert last in notebook.complete(f"%defang {' '.join([*group, last[:-1]])}"), name


def test_tab_of_every_value_that_is_one_of_some(notebook: Notebook) -> None:
    for command, option in FLAGS:
        if option.choices:
            offered = notebook.complete(f"%defang {' '.join(command.path)} {option.flags[-1]} ")
            assert set(offered) == set(map(str, option.choices)), (command.path, option.flags)


def test_tab_knows_the_modes_engines_and_stacks(notebook: Notebook) -> None:
    assert set(MODES) == {each.lower() for each in modes.modes()}
    assert notebook.complete("%defang estimate --mode b") == ["balanced"]
    assert notebook.complete("%defang stack new prod --provider=a") == ["--provider=aws"]
    assert notebook.complete("%defang up --engine d") == ["docker"]
    for line in ("whoami --stack ", "cd status --stack ", "stack show ", "stack rm ", "stack default ", "estimate -s "):
        assert "local" in notebook.complete(f"%defang {line}"), line


def test_every_flag_is_taken_in_all_its_spellings() -> None:
    for command, option in FLAGS:
        operands = [argument.name for argument in command.arguments]
        for flag in option.flags:
            value = [str(option.choices[0]) if option.choices else "7"] if option.metavar else []
            found = parse([*command.path, flag, *value, *operands], Face.NOTEBOOK)
            assert found.help or found.command is command, (command.path, flag)
