"""A command that runs elsewhere, given this process's standard streams: its terminal where both ends are one, else pipes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from defang_nb.errors import DefangError
from defang_nb.model.execution import TerminalSize

if TYPE_CHECKING:
    from defang_nb.client.session import RunningCommand

_CHUNK = 64 * 1024


def terminal_size() -> TerminalSize | None:
    """The terminal's that is read from and written to; None where there is none, or none that can be handed on."""
    if sys.platform == "win32" or not (os.isatty(0) and os.isatty(1)):
        return None
    size = os.get_terminal_size(1)
    return TerminalSize(size.lines, size.columns)


def attach(command: RunningCommand) -> int:
    """Until it has ended; its exit code. An interrupt passes through; on a terminal it is the command's own."""
    reading = threading.Thread(target=_feed, args=(command,), daemon=True, name="defang-nb-stdin")
    with _raw(command):
        reading.start()
        for each in command.output():
            _write(2 if each.error else 1, each.data)
        return command.wait()


def _feed(command: RunningCommand) -> None:
    """What is read here, to there, and that it ended."""
    with contextlib.suppress(OSError, DefangError, RuntimeError):
        while data := os.read(0, _CHUNK):
            command.write(data)
        command.write(b"")


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


@contextlib.contextmanager
def _raw(command: RunningCommand) -> Iterator[None]:
    """Every key goes to the command as it is pressed, and it learns of the window's size."""
    if terminal_size() is None:
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(0)

    def resized(*_: object) -> None:
        if size := terminal_size():
            command.resize(size)

    handler = signal.signal(signal.SIGWINCH, resized)
    try:
        tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead stays
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)
