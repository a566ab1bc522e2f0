"""`show`: the files that were made for apps, on the screen or in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation
from defang_nb.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from defang_nb.scaffold.app import App


def show(invocation: Invocation, host: Host) -> None:
    """Raises `NotFoundError` where there are no such apps, `UsageError` where files can't be written."""
    apps = _chosen(host.apps(invocation.text("project")), invocation.words)
    if folder := invocation.text("write"):
        _write(apps, Path(folder).expanduser(), host)
    else:
        host.text("\n".join(line for app in apps.values() for line in _shown(app)))


def _chosen(apps: Mapping[str, App], names: tuple[str, ...]) -> Mapping[str, App]:
    if not apps:
        raise NotFoundError("no cell has made an app of this project", hint="%%app NAME makes one of its cell's code")
    for name in names:
        if name not in apps:
            close = get_close_matches(name, apps, n=1)
            raise NotFoundError(
                f"there is no app {name!r}", hint=f"did you mean {close[0]}?" if close else f"apps: {', '.join(apps)}"
            )
    return {name: apps[name] for name in names} if names else apps


def _shown(app: App) -> Iterator[str]:
    """Text as it is; what was taken along, by name and size."""
    for name, content in {**app.files, "compose.yaml": app.compose(f"./{app.name}")}.items():
        match content:
            case str():
                yield f"── {app.name}/{name}" if name != "compose.yaml" else f"── {name}"
                yield content
            case bytes():
                yield f"── {app.name}/{name} ({len(content):,} bytes)\n"
            case _:
                yield f"── {app.name}/{name} ({content.stat().st_size:,} bytes, a copy of {content.name})\n"


def _write(apps: Mapping[str, App], folder: Path, host: Host) -> None:
    from defang_nb.scaffold.app import write_app

    # Compose merges an override by itself, so that it stands beside a Compose file of one's own.
    compose = folder / ("compose.override.yaml" if (folder / "compose.yaml").exists() else "compose.yaml")
    taken = [place.name for place in (compose, *(folder / name for name in apps)) if place.exists()]
    if taken:
        raise UsageError(f"{folder} has {', '.join(taken)} already", hint="nothing was written; take another folder")
    try:
        for name, app in apps.items():
            write_app(app, folder / name)
        compose.write_text("---\n".join(app.compose(f"./{name}") for name, app in apps.items()), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} can't be written: {error.strerror}") from None
    host.note(f"written: {compose} and {', '.join(f'{name}/' for name in apps)}; `defang-nb up` runs it there")
