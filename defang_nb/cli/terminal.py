"""The command line's host: a live view on a terminal, plain lines elsewhere, JSON lines when asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from defang_nb.commands.host import Source, goes_on
from defang_nb.commands.words import Face
from defang_nb.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from defang_nb.client.deployment import Deployment
    from defang_nb.client.session import RunningCommand
    from defang_nb.model.execution import TerminalSize
    from defang_nb.model.overview import Overview
    from defang_nb.model.status import LogRecord, Usage
    from defang_nb.render.tables import Table
    from defang_nb.scaffold.app import App

_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")


class TerminalHost:
    """Results go to stdout, notes to stderr. With `json`, results are JSON, one object a line.

    What only some outputs need is loaded for those: a command that changes nothing ends well within a second.
    """

    face = Face.CLI

    def __init__(self, *, json: bool = False) -> None:
        self._json = json
        self.detached = False
        self.exit_code = 0

    @cached_property
    def out(self) -> Console:
        from rich.console import Console

        return Console(file=sys.stdout, highlight=False, soft_wrap=True)

    @property
    def stack(self) -> str:
        from defang_nb.client.stacks import default_stack

        return default_stack(Path.cwd())

    def source(self, project: str | None) -> Source | None:
        return None

    def note(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def text(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")

    def table(self, table: Table, records: Sequence[object]) -> None:
        if self._json:
            import msgspec

            for record in records:
                self.text(msgspec.json.encode(record).decode())
        else:
            from defang_nb.render.tables import table_text

            self.text(table_text(table))

    def apps(self, project: str | None) -> Mapping[str, App]:
        return {}

    def stdin(self) -> str:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("nothing is piped in", hint="for example: pass show token | defang-nb config set TOKEN -")
        return sys.stdin.read()

    def typed(self, word: str) -> bool:
        return False

    def variable(self, name: str) -> str:
        raise UsageError("variables are a notebook's; there are none on a command line")

    def watch(self, deployment: Deployment, *, detach: bool) -> bool:
        try:
            if not (self._json or detach) and self._draws():
                from defang_nb.cli.live import watch_live

                watch_live(deployment, self.out)
            else:
                self._tell(deployment, detach=detach)
        except KeyboardInterrupt:
            self._detach(deployment)
            return False
        if not deployment.done:
            self.note(goes_on(deployment, Face.CLI))
        return deployment.done

    def _detach(self, deployment: Deployment) -> None:
        self.detached = True
        if deployment.accepted or deployment.done:
            self.note(f"\n{goes_on(deployment, Face.CLI)}")
        elif deployment.begun:
            self.note("\ninterrupted before all was uploaded: what needs that is not built; run `up` again")
            deployment.leave()
        else:
            self.note("\ninterrupted before the deployment began")

    def _draws(self) -> bool:
        """Whether a live view can be drawn; rich decides for terminals, and where it was told to take it for one."""
        told = any(name in os.environ for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))
        return (told or sys.stdout.isatty()) and self.out.is_terminal

    def _tell(self, deployment: Deployment, *, detach: bool) -> None:
        from defang_nb.commands.follow import told
        from defang_nb.render.progress import progress_line
        from defang_nb.wire import event_to_json

        for view, event in told(deployment, detach=detach):
            line = event_to_json(event) if self._json else progress_line(view, event)
            if line:
                self.text(line)
                sys.stdout.flush()

    def logs(self, records: Iterable[LogRecord], *, follow: bool) -> None:
        import msgspec
        from rich.markup import escape

        from defang_nb.render.words import clean

        colours: dict[str, str] = {}
        try:
            for record in records:
                if self._json:
                    self.text(msgspec.json.encode(record).decode())
                else:
                    colour = colours.setdefault(record.service, _COLOURS[len(colours) % len(_COLOURS)])
                    self.out.print(f"[{colour}]{escape(record.source)}[/] | {escape(clean(record.line))}")
                sys.stdout.flush()
        except KeyboardInterrupt:
            if not follow:
                raise

    def usage(self, samples: Iterable[Sequence[Usage]], *, title: str, most: int | None) -> None:
        from contextlib import suppress

        from defang_nb.cli.usage import write_usage

        live = not self._json and self._draws()
        if most is None and not (live or self._json):
            most = 1
        with suppress(KeyboardInterrupt):
            write_usage(samples, title=title, most=most, json=self._json, console=self.out if live and most != 1 else None)

    def dashboard(self, look: Callable[[], Overview]) -> object:
        found = look()
        if self._json:
            import msgspec

            self.text(msgspec.json.encode(found).decode())
        else:
            from defang_nb.render.overview import overview_text

            self.text(overview_text(found))
        return found

    def terminal(self) -> TerminalSize | None:
        from defang_nb.cli.attached import terminal_size

        return terminal_size()

    def running(self, command: RunningCommand, name: str) -> None:
        from defang_nb.cli.attached import attach

        self.exit_code = attach(command)
