"""`stack new | ls | show | default | rm`, and `whoami`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from defang_nb.client import stack_files
from defang_nb.client.stack_files import StackInfo
from defang_nb.client.who import Who, whoami
from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation
from defang_nb.render.tables import Cell, Table


def _new(invocation: Invocation, host: Host) -> StackInfo:
    made = stack_files.stack_new(
        invocation.words[0],
        provider=invocation.text("provider"),
        region=invocation.text("region"),
        profile=invocation.text("profile"),
        mode=invocation.text("mode"),
        change=invocation.flag("change"),
    )
    if invocation.flag("default"):
        stack_files.stack_default(made.name)
        made = stack_files.stack_show(made.name)
    host.note(f"{'changed' if invocation.flag('change') else 'written'}: {made.file}")
    host.table(_list([made]), [made])
    return made


def _ls(invocation: Invocation, host: Host) -> list[StackInfo]:
    found = stack_files.stack_ls()
    host.table(_list(found), found)
    return found


def _show(invocation: Invocation, host: Host) -> StackInfo:
    found = stack_files.stack_show(invocation.words[0] if invocation.words else host.stack)
    rows = [
        *((name, getattr(found, name), "") for name in ("provider", "region", "profile", "mode")),
        *((name, "set", "its value is not shown") for name in found.others),
    ]
    if found.provider == "aws":
        from defang_nb.providers.aws.modes import meanings, mode_of

        rows += [(each.name, each.value, each.means) for each in meanings(mode_of({"DEFANG_MODE": found.mode}))]
    title = f"{found.name}{' (default)' if found.default else ''} · {found.file or 'built in'}"
    table = Table(title, ("Setting", "Value", "Meaning"), tuple(tuple(map(Cell, row)) for row in rows if row[1]))
    host.table(table, [found])
    return found


def _default(invocation: Invocation, host: Host) -> str:
    name = stack_files.stack_default(invocation.words[0]) if invocation.words else host.stack
    table = Table("Default stack", ("Stack",), ((Cell(name),),))
    host.table(table, [{"default": name}])
    if invocation.words and name != host.stack:
        host.note(f"here another one goes before it: {host.stack} (DEFANG_STACK, or the notebook's setting)")
    return name


def _rm(invocation: Invocation, host: Host) -> None:
    stack_files.stack_rm(invocation.words[0], force=invocation.flag("force"))
    host.note(f"the stack {invocation.words[0]} is removed")


def _whoami(invocation: Invocation, host: Host) -> Who:
    found = whoami(stack=invocation.text("stack") or host.stack)
    columns = ("Stack", "Provider", "Account", "Region", "Identity", "Profile", "Credentials", "Machine")
    row = (found.stack, found.provider, found.account, found.region, found.identity, found.profile, found.source, found.machine)
    host.table(Table("Who deploys", columns, (tuple(map(Cell, row)),)), [found])
    return found


def _list(found: Sequence[StackInfo]) -> Table:
    rows = tuple(
        tuple(
            map(
                Cell,
                (("* " if each.default else "") + each.name, each.provider, each.region, each.mode, each.profile, each.file),
            )
        )
        for each in found
    )
    return Table("Stacks", ("Stack", "Provider", "Region", "Mode", "Profile", "File"), rows, notes=("* the default",))


ACTIONS: Mapping[tuple[str, ...], Callable[[Invocation, Host], Any]] = {
    ("stack", "new"): _new,
    ("stack", "ls"): _ls,
    ("stack", "show"): _show,
    ("stack", "default"): _default,
    ("stack", "rm"): _rm,
    ("whoami",): _whoami,
}
