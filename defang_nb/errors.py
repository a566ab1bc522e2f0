"""One tree of errors. Whatever goes wrong on the user's side or the cloud's side is one of these, never a transport error.

DefangError                        exit code
 ├─ UsageError                     2    the command line or the arguments of a call are wrong
 ├─ ComposeError                   3    the Compose text can't be loaded (holds every problem found)
 ├─ UnsupportedError               3    the provider can't run this project (holds every problem found)
 ├─ ConfigMissingError             4    configuration values that services need are not set
 ├─ BuildError                     5    an image could not be built
 ├─ DeploymentFailedError          6    a deployment ended, and not well
 │   └─ DeploymentCancelledError   7    … since somebody cancelled it
 ├─ LeaseHeldError                 8    another deployment holds the stack
 ├─ ProviderError                  9    the place to deploy to refused or broke
 │   └─ StateDamagedError          9    … what is recorded of a project was changed or cut short
 ├─ CdError                        10   the cd service can't be started or reached
 │   └─ VersionMismatchError       10   … or speaks another protocol version
 ├─ NotFoundError                  11   no such deployment, service, stack or config
 └─ CommandFailedError             12   a command that a cell ran in a service ended, and not well

A `DeploymentFailedError` has the exit code of what made it fail, where that is one of these (a build, the lease, the provider).
An error says what happened (`message`), where (`diagnostics`, each with file, line and column), and what to do (`hint`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from defang_nb.model.source import Diagnostic


TOLD = 20
"""So many findings are told in full where an error ends a cell; of more, the number."""


class DefangError(Exception):
    """The root. `str(error)` is one line; `hint` is what to do about it; `exit_code` is the command line's."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        self._noted: list[str] = []

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        """What Python writes below the message in a traceback, and marimo after it in a cell: findings and hints, as far as it
        has not said them. Without excerpts, since marimo makes one line of it all."""
        found = [each for each in self.diagnostics if each.severity == "error"][:TOLD]
        notes = filter(None, map(self._note, found))
        hint = self.hint and not any(self.hint == each.hint for each in found)
        return [*notes, *([f"hint: {self.hint}"] if hint else []), *self._noted]

    def _note(self, finding: Diagnostic) -> str:
        """Where, what and what to do, as far as the message does not say so."""
        known = (str(finding.position or ""), finding.message)
        new = ": ".join(each for each in known if each not in self.message)
        return " · ".join(filter(None, (new, f"hint: {finding.hint}" if finding.hint else "")))

    def add_note(self, note: str, /) -> None:
        self._noted.append(note)

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback (an IPython protocol; nothing of IPython is imported)."""
        from defang_nb.model.source import format_diagnostic

        told = [format_diagnostic(each) for each in self.diagnostics[:TOLD]]
        if len(self.diagnostics) > TOLD:
            told.append(f"… and {len(self.diagnostics) - TOLD} more")
        if len(told) == 1 and self.diagnostics[0].message in self.message:
            # One finding, which the message is: its place goes before the message, its excerpt and hint after it.
            position = self.diagnostics[0].position
            where = f"{position}: " if position and str(position) not in self.message else ""
            lines = [f"{type(self).__name__}: {where}{self.message}", *told[0].split("\n")[1:]]
        else:
            lines = [f"{type(self).__name__}: {self.message}", *told]
        if self.hint and not any(self.hint == each.hint for each in self.diagnostics):
            lines.append(f"hint: {self.hint}")
        return lines


class UsageError(DefangError):
    """The command line, or the arguments of a call, are wrong."""

    exit_code = 2


class ComposeError(DefangError):
    """The Compose text can't be loaded. `diagnostics` holds all of its problems, with positions."""

    exit_code = 3


class UnsupportedError(DefangError):
    """The provider can't run this project. `diagnostics` holds every reason, with positions and the way out."""

    exit_code = 3


class ConfigMissingError(DefangError):
    """Services need configuration values that are not set."""

    exit_code = 4


class BuildError(DefangError):
    """An image could not be built. `hint` or `diagnostics` hold the Dockerfile line and the last lines of the log."""

    exit_code = 5


class DeploymentFailedError(DefangError):
    """A deployment ended, and not well."""

    exit_code = 6


class DeploymentCancelledError(DeploymentFailedError):
    """A deployment ended since somebody cancelled it."""

    exit_code = 7


class LeaseHeldError(DefangError):
    """Another deployment holds the project's lease."""

    exit_code = 8


class ProviderError(DefangError):
    """The place to deploy to refused, or broke."""

    exit_code = 9


class StateDamagedError(ProviderError):
    """What is recorded of a project can't be trusted: it was cut short, changed or lost in part. `hint` names the way out."""


class CdError(DefangError):
    """The cd service can't be started or reached."""

    exit_code = 10


class VersionMismatchError(CdError):
    """The running cd service speaks another protocol version than this client."""


class NotFoundError(DefangError):
    """No such deployment, service, stack, config or file."""

    exit_code = 11


class CommandFailedError(DefangError):
    """A command that was run in a service ended with another exit code than 0. On a command line that code is the program's."""

    exit_code = 12
