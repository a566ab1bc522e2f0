"""`%load_ext defang_nb` and `%unload_ext defang_nb`: registers on the shell's own lists, and takes everything off again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from defang_nb.notebook.cells import Cells
from defang_nb.notebook.completion import matcher
from defang_nb.notebook.echo import Echo
from defang_nb.notebook.magics import DefangMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_QUESTION = re.compile(r"^(\s*%defang\b[^?]*?)\s*\?{1,2}\s*$")
_MAGICS = (("line", "defang"), ("cell", "compose"), ("line", "app"), ("cell", "app"))


def question_to_help(lines: list[str]) -> list[str]:
    """`%defang up?` → `%defang up --help`. (IPython itself would look for an object called `up`.)"""
    return [_asked(line) for line in lines]


def _asked(line: str) -> str:
    found = _QUESTION.match(line)
    if not found or found[1].strip() == "%defang":
        return line
    return f"{found[1]} --help\n"


class _Loaded:
    """What one shell got, so that unloading takes back exactly that."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._echo = Echo(shell)
        self._magics = DefangMagics(shell, Cells(), self._echo.was_shown)
        self._matcher = matcher(shell.Completer, self._magics.cells, lambda: self._magics.place, self._magics.variables)

    def register(self) -> None:
        self._shell.register_magics(self._magics)
        self._shell.input_transformers_cleanup.append(question_to_help)
        self._shell.Completer.custom_matchers.append(self._matcher)
        self._echo.register("defang_nb.client.deployment", "Deployment", self._draw_deployment)
        self._echo.register("defang_nb.notebook.echo", "Listing", self._draw_listing)

    def unregister(self) -> None:
        for kind, name in _MAGICS:
            self._shell.magics_manager.magics[kind].pop(name, None)
        self._shell.magics_manager.registry.pop(DefangMagics.__name__, None)
        for registered, mine in (
            (self._shell.input_transformers_cleanup, question_to_help),
            (self._shell.Completer.custom_matchers, self._matcher),
            (self._shell.configurables, self._magics),
        ):
            if mine in registered:
                registered.remove(mine)
        self._echo.unregister()

    def _draw_deployment(self, deployment: Any) -> dict[str, str]:
        from defang_nb.notebook.host import deployment_bundle

        return deployment_bundle(deployment, self._magics.link)

    def _draw_listing(self, listing: Any) -> dict[str, str]:
        from defang_nb.notebook.host import table_bundle

        return table_bundle(listing.table, self._magics.link)


_KEY = "_defang_nb_loaded"


def load(shell: InteractiveShell) -> None:
    """Loading twice is loading once."""
    unload(shell)
    loaded = _Loaded(shell)
    loaded.register()
    shell.meta[_KEY] = loaded


def unload(shell: InteractiveShell) -> None:
    """Deployments and services go on; only the shell forgets about this package."""
    loaded = shell.meta.pop(_KEY, None)
    if isinstance(loaded, _Loaded):
        loaded.unregister()
