"""Secrets in build arguments: never in a log, nor in an error."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from defang_nb.build.log import Tell
from defang_nb.errors import BuildError, DefangError, ProviderError
from defang_nb.model.value import ConfigRef, Text

MASK = "***"


class Hidden:
    """The values that are to be hidden, in texts that a builder writes."""

    def __init__(self, values: Collection[str]) -> None:
        pieces = {line for value in values for line in (value, *value.splitlines()) if line.strip()}
        self._values = sorted(pieces, key=len, reverse=True)

    def text(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, MASK)
        return text

    def tell(self, emit: Tell) -> Tell:
        """`emit`, which hears lines without the values."""

        def told(line: str, *, step: int = 0, steps: int = 0, cached: bool = False, seconds: float = 0.0) -> None:
            emit(self.text(line), step=step, steps=steps, cached=cached, seconds=seconds)

        return told

    def error(self, error: DefangError) -> DefangError:
        """The same error without the values."""
        if not isinstance(error, BuildError | ProviderError) or not self._values:
            return error
        error.message = self.text(error.message)
        error.args = (error.message,)
        error.hint = self.text(error.hint)
        error.diagnostics = tuple(
            msgspec.structs.replace(each, message=self.text(each.message), hint=self.text(each.hint))
            for each in error.diagnostics
        )
        return error


def held(texts: Mapping[str, Text], args: Mapping[str, str], values: Mapping[str, str]) -> Hidden:
    """What is to be hidden: configuration `values`, and build arguments that hold any."""
    holding = [args[key] for key, text in texts.items() if key in args and any(isinstance(part, ConfigRef) for part in text)]
    return Hidden({*holding, *values.values()})
