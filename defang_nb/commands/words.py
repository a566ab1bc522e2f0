"""What commands are made of: options, arguments, and who asks for them where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum


class Face(StrEnum):
    """Who asks: the command line, the notebook's magic, or a cell magic with options of its own."""

    CLI = "defang-nb"
    NOTEBOOK = "%defang"
    CELL = "%%"


BOTH = (Face.CLI, Face.NOTEBOOK)


class Complete(StrEnum):
    """What sort of thing a word is, for completion."""

    NOTHING = "nothing"
    SERVICE = "service"
    DEPLOYMENT = "deployment"
    CONFIG = "config"
    STACK = "stack"
    FILE = "file"
    VARIABLE = "variable"


class Arity(Enum):
    """How often an argument stands on the line."""

    ONE = "one"
    OPTIONAL = "optional"
    MANY = "many"
    SOME = "some"
    REST = "rest"
    """Everything that is left of the line, flags too."""


@dataclass(frozen=True)
class Option:
    """A flag. Without `metavar` it is a switch; `dest` is what the values are called by. Where there are `choices`, only they
    may be said; `offers` are what TAB knows of others."""

    flags: tuple[str, ...]
    help: str
    dest: str
    metavar: str = ""
    repeat: bool = False
    kind: type[str] | type[int] | type[float] = str
    choices: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    completes: Complete = Complete.NOTHING
    faces: tuple[Face, ...] = BOTH


HELP = Option(("-h", "--help"), "show this help", "help")


@dataclass(frozen=True)
class Argument:
    """A word without a flag."""

    name: str
    help: str
    arity: Arity = Arity.ONE
    completes: Complete = Complete.NOTHING


@dataclass(frozen=True)
class Command:
    """`path` are the words that call it; `examples` are written without the program's name."""

    path: tuple[str, ...]
    summary: str
    description: str = ""
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    examples: tuple[str, ...] = ()
    faces: tuple[Face, ...] = BOTH

    @property
    def name(self) -> str:
        return " ".join(self.path)

    def called(self, face: Face) -> str:
        """As it is typed: `defang-nb up`, `%%app`."""
        return f"{face.value}{'' if face is Face.CELL else ' '}{self.name}"

    def options_for(self, face: Face) -> tuple[Option, ...]:
        return (*(option for option in self.options if face in option.faces), HELP)
