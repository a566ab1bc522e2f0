"""What is known of a project before anything is touched: what its provider makes of it, and what keeps it from being begun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from defang_nb.client import loop
from defang_nb.client.workspace import Workspace
from defang_nb.errors import ConfigMissingError, UnsupportedError
from defang_nb.model.project import Project
from defang_nb.model.source import Diagnostic, Severity
from defang_nb.model.value import ConfigRef

Quote = Callable[[Iterable[Diagnostic]], tuple[Diagnostic, ...]]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded project. `canonical` is it with everything resolved, as plain values; `missing` are the unset configuration
    values, each with the services that need it; `diagnostics` are the loader's and the provider's findings.
    """

    project: Project
    canonical: Mapping[str, Any]
    diagnostics: tuple[Diagnostic, ...] = ()
    missing: Mapping[str, tuple[str, ...]] = {}

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(each for each in self.diagnostics if each.severity is Severity.ERROR)


def refuse(checked: Checked, quoted: Quote = tuple) -> None:
    """Raises what keeps a checked project from being deployed: `UnsupportedError`, `ConfigMissingError`.

    `quoted` puts the lines of the project's texts to findings about them, where those are at hand.
    """
    if checked.errors:
        first, more = checked.errors[0], len(checked.errors) - 1
        message = first.message + (f" (and {more} more)" if more else "")
        raise UnsupportedError(message, hint=first.hint, diagnostics=checked.errors)
    if checked.missing:
        raise _missing(checked, quoted)


def examine(workspace: Workspace, project: Project, canonical: Mapping[str, Any], found: Sequence[Diagnostic] = ()) -> Checked:
    """What the provider makes of a project, beside what was `found` before."""
    findings = (*found, *workspace.provider.check(project))
    needed = project.config_keys()
    names = set(loop.run(workspace.provider.config.names(project.name))) if needed else set()
    missing = {key: services for key, services in needed.items() if key not in names}
    return Checked(project=project, canonical=canonical, diagnostics=findings, missing=missing)


def _missing(checked: Checked, quoted: Quote) -> ConfigMissingError:
    lines = [f"{key} (needed by {', '.join(services)})" for key, services in checked.missing.items()]
    first = next(iter(checked.missing))
    hint = f"`config set {first}` sets it" + (", and so on for the others" if len(lines) > 1 else "")
    found = quoted(_unset(checked.project, key) for key in checked.missing)
    return ConfigMissingError(f"configuration is not set: {'; '.join(lines)}", hint=hint, diagnostics=found)


def _unset(project: Project, key: str) -> Diagnostic:
    """Where a configuration value that isn't set is asked for first."""
    places = [
        (service.name, f"services.{service.name}.{part}.{name}")
        for service in project.services.values()
        for part, texts in (("environment", service.environment), ("build.args", service.build.args if service.build else {}))
        for name, text in texts.items()
        if ConfigRef(key) in text
    ]
    service, path = places[0] if places else ("", "")
    return Diagnostic(
        severity=Severity.ERROR,
        code="config-missing",
        message=f"{key} is not set",
        hint=f"`config set {key}` sets it, or give it a value in .env or an env file",
        position=project.position(path),
        path=path,
        service=service,
    )
