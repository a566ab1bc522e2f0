"""The project's name. Source: the reference: `-p`, COMPOSE_PROJECT_NAME, `name:`, the folder's name, in this order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from defang_nb.compose.interpolate import Interpolation
from defang_nb.compose.nodes import Map
from defang_nb.compose.problems import Problems

_VALID = re.compile(r"[a-z0-9][a-z0-9_-]*")


def project_name(
    given: str | None,
    variables: Mapping[str, str],
    documents: Sequence[Map],
    folder: str,
    problems: Problems,
    filler: Interpolation | None,
    *,
    as_compose: bool,
) -> str:
    """The project's name. The first two sources must be valid as they are, the others are made so.

    A folder whose name has none of a name's letters gives `default`, but with `as_compose` none.
    """
    for name, where in (
        (given, "the project name that was given"),
        (variables.get("COMPOSE_PROJECT_NAME"), "COMPOSE_PROJECT_NAME"),
    ):
        if name:
            if not _VALID.fullmatch(name):
                hint = "lower-case letters, digits, dashes and underscores, beginning with a letter or digit"
                problems.error("project-name", f'{where}, "{name}", is not valid', None, ("name",), hint)
            return name
    for document in reversed(documents):
        written = document.get("name")
        if isinstance(written, str) and written:
            filled = filler.text(written, document.value_at("name"), ("name",)) if filler else written
            if filled is None:
                return ""
            if name := normalised(filled):
                return name
            hint = "lower-case letters, digits, dashes and underscores, beginning with a letter or digit"
            at = document.value_at("name")
            problems.error("project-name", f'the project\'s name "{filled}" has no letter or digit', at, ("name",), hint)
            return ""
    name = normalised(Path(folder).name)
    if not name and as_compose:
        hint = "give it one: -p NAME, COMPOSE_PROJECT_NAME, or `name:` at the top of the file"
        problems.error(
            "project-name", "the folder's name has no letter or digit that a project's name may have", None, ("name",), hint
        )
    return name or "default"


def normalised(name: str) -> str:
    """`My.App_1` → `myapp_1`."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")
