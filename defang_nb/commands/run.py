"""Do what was asked. Each command's code is loaded when it is asked for, so that checking a file never loads the client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation


def run(invocation: Invocation, host: Host) -> Any:
    """The command's result for Python (a `Deployment`, a list, or None). Raises `DefangError`s only."""
    if invocation.help or invocation.command is None:
        from defang_nb.commands.help import help_text

        host.text(help_text(host.face, invocation.command, invocation.prefix))
        return None
    return _action(invocation.command.path)(invocation, host)


def _action(path: tuple[str, ...]) -> Callable[[Invocation, Host], Any]:
    match path:
        case ("compose", "config"):
            from defang_nb.commands.compose import compose_config

            return compose_config
        case ("cd", what):
            from defang_nb.commands import cd

            return {"install": cd.install, "status": cd.status, "teardown": cd.teardown}[what]
        case ("stack", "new" | "ls" | "show" | "default" | "rm") | ("whoami",):
            from defang_nb.commands.stacks import ACTIONS as STACKS

            return STACKS[path]
        case ("estimate",):
            from defang_nb.commands.estimate import estimate

            return estimate
        case ("doctor",):
            from defang_nb.commands.doctor import doctor

            return doctor
        case ("version",):
            from defang_nb.commands.doctor import show_version

            return show_version
        case ("show",):
            from defang_nb.commands.show import show

            return show
    from defang_nb.commands.actions import ACTIONS

    return ACTIONS[path]
