"""What a face does for a command: show things its own way, and give what only it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from defang_nb.commands.words import Face

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment
    from defang_nb.client.session import RunningCommand
    from defang_nb.model.execution import TerminalSize
    from defang_nb.model.overview import Overview
    from defang_nb.model.status import LogRecord, Usage
    from defang_nb.render.tables import Table
    from defang_nb.scaffold.app import App


class Source(NamedTuple):
    """Compose text that a face keeps: `label` is what diagnostics call it, `project` the name it was given ("" for none)."""

    text: str
    label: str
    project: str = ""


class Host(Protocol):
    @property
    def face(self) -> Face: ...

    @property
    def stack(self) -> str:
        """The stack where a command names none."""
        ...

    def source(self, project: str | None) -> Source | None:
        """The kept Compose text called `project` (None: the current one)."""
        ...

    def note(self, text: str) -> None:
        """Tell in passing; never part of a command's result."""
        ...

    def text(self, text: str) -> None:
        """Show a command's result that is text (help, a Compose file)."""
        ...

    def table(self, table: Table, records: Sequence[object]) -> None:
        """Show a command's result; `records` are what its rows were made from, for readers that are programs."""
        ...

    def watch(self, deployment: Deployment, *, detach: bool) -> bool:
        """Show a deployment until it is over (or, to `detach`, until it goes on by itself). Whether it is over."""
        ...

    def logs(self, records: Iterable[LogRecord], *, follow: bool) -> None:
        """Show lines as they come, until they end or the user has seen enough."""
        ...

    def usage(self, samples: Iterable[Sequence[Usage]], *, title: str, most: int | None) -> None:
        """Show what services use: `most` samples, or (None) as many as suit this face, or until the user has seen enough."""
        ...

    def dashboard(self, look: Callable[[], Overview]) -> object:
        """Show what `look` gives, again and again where that suits this face. What it was shown with, or as."""
        ...

    def terminal(self) -> TerminalSize | None:
        """The user's terminal, where a command that is run elsewhere can be given it."""
        ...

    def running(self, command: RunningCommand, name: str) -> None:
        """Let the user have a command, called `name`, as if it ran here, until it has ended, and tell its exit code."""
        ...

    def apps(self, project: str | None) -> Mapping[str, App]:
        """The apps that cells of this face made for `project` (None: the current one), by name."""
        ...

    def stdin(self) -> str:
        """All of standard input. Raises `UsageError` where there is none."""
        ...

    def typed(self, word: str) -> bool:
        """Whether `word` was typed where it will be saved (a notebook's cell)."""
        ...

    def variable(self, name: str) -> str:
        """The text of a variable of the user's. Raises `UsageError` when there is none, or it is no text."""
        ...


def goes_on(deployment: Deployment, face: Face) -> str:
    """What a looker is told who looks away."""
    name, program = deployment.id, face.value
    return f"deployment {name} goes on; `{program} attach {name}` shows it, `{program} cancel {name}` ends it"
