"""`defang-nb`: parse, run, and turn how it ended into an exit code. Never a traceback for what the user can mend.

Exit codes are those of `errors`, as `defang-nb --help` lists them; 130 is an interrupt.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from defang_nb.commands.parse import parse
from defang_nb.commands.words import Face
from defang_nb.errors import DefangError, UsageError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. `arguments` default to the process's own."""
    try:
        return _main(sys.argv[1:] if arguments is None else arguments)
    except DefangError as error:
        _tell("\n".join(error._render_traceback_()))
        return error.exit_code
    except KeyboardInterrupt:
        _tell("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough (`defang-nb logs | head`); keep Python from complaining at its end.
        sys.stdout = None
        return 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1


def _main(arguments: Sequence[str]) -> int:
    words = ["version"] if list(arguments) in (["--version"], ["-V"]) else list(arguments)
    invocation = parse(words, Face.CLI)
    if invocation.help or invocation.command is None:
        from defang_nb.commands.help import help_text

        sys.stdout.write(help_text(Face.CLI, invocation.command, invocation.prefix) + "\n")
        if not words:
            raise UsageError("defang-nb needs a command", hint="see above")
        return 0
    from defang_nb.cli.terminal import TerminalHost
    from defang_nb.commands.run import run

    host = TerminalHost(json=invocation.flag("json"))
    run(invocation, host)
    sys.stdout.flush()
    return INTERRUPTED if host.detached else host.exit_code


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
