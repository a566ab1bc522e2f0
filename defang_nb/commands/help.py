"""Help texts, made from the tree, so that both faces say the same."""

from __future__ import annotations

from collections.abc import Iterator

from defang_nb.commands.tree import tree
from defang_nb.commands.words import Arity, Command, Face, Option
from defang_nb.errors import DefangError

_INTRO = "Put a Compose application on a cloud, or live on this machine."


def help_text(face: Face, command: Command | None = None, prefix: tuple[str, ...] = ()) -> str:
    """The help of `command`, or of all commands below `prefix`."""
    return _command_help(command, face) if command else _overview(face, prefix)


def _overview(face: Face, prefix: tuple[str, ...]) -> str:
    commands = [command for command in tree(face) if command.path[: len(prefix)] == prefix]
    wide = max(len(command.name) for command in commands)
    prog = " ".join([face.value, *prefix])
    lines = [_INTRO, "", f"usage: {prog} COMMAND [options]", "", "commands:"]
    lines += [f"  {command.name:<{wide}}  {command.summary}" for command in commands]
    if face is Face.NOTEBOOK and not prefix:
        lines += ["", "%%compose [name] as a cell's first line keeps the cell's text as the project and checks it at once."]
        lines += ["%%app NAME makes a cell's code (Streamlit, Gradio, FastAPI, …) a service of it; %%app --help tells more."]
        lines += [
            "dep = %defang up gives the deployment to Python: dep.status, dep.services, dep.endpoints, dep.wait(), dep.logs()"
        ]
    if face is Face.CLI and not prefix:
        lines += ["", "exit codes:", *_exit_codes()]
    return "\n".join([*lines, "", f"{prog} COMMAND --help tells more of one."])


def _exit_codes() -> list[str]:
    meaning: dict[int, str] = {0: "all went well", 1: "a defect of this program (please report it)"}
    for error in _family(DefangError):
        meaning.setdefault(error.exit_code, (error.__doc__ or "").partition(".")[0])
    meaning[130] = "interrupted; a deployment that had begun goes on"
    return [f"  {code:>3}  {text}" for code, text in sorted(meaning.items())]


def _family(error: type[DefangError]) -> Iterator[type[DefangError]]:
    for each in error.__subclasses__():
        yield each
        yield from _family(each)


def usage(command: Command, face: Face) -> str:
    """`defang-nb up [options] [SERVICE ...]`."""
    words = [command.called(face), "[options]"]
    for argument in command.arguments:
        match argument.arity:
            case Arity.ONE:
                words.append(argument.name)
            case Arity.OPTIONAL:
                words.append(f"[{argument.name}]")
            case Arity.MANY:
                words.append(f"[{argument.name} …]")
            case Arity.SOME | Arity.REST:
                words.append(f"{argument.name} …")
    return " ".join(words)


def _command_help(command: Command, face: Face) -> str:
    lines = [f"usage: {usage(command, face)}", "", f"{command.summary[0].upper()}{command.summary[1:]}."]
    if command.description:
        lines += ["", *command.description.splitlines()]
    rows = [(argument.name, argument.help) for argument in command.arguments]
    rows += [(_spelled(option), option.help) for option in command.options_for(face)]
    wide = max(len(name) for name, _ in rows)
    split = len(command.arguments)
    if split:
        lines += ["", "arguments:", *(f"  {name:<{wide}}  {text}" for name, text in rows[:split])]
    lines += ["", "options:", *(f"  {name:<{wide}}  {text}" for name, text in rows[split:])]
    if command.examples:
        lines += [
            "",
            "examples:",
            *(f"  {face.value}{'' if face is Face.CELL else ' '}{example}" for example in command.examples),
        ]
    return "\n".join(lines)


def _spelled(option: Option) -> str:
    flags = ", ".join(option.flags)
    indent = "" if len(option.flags[0]) == 2 else "    "
    return f"{indent}{flags} {option.metavar}".rstrip()
