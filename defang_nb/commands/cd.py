"""`cd install | status | teardown`: the preparation of a stack's account, apart from any deployment."""

from __future__ import annotations

from defang_nb.client import account
from defang_nb.client.place import workspace_of
from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation
from defang_nb.errors import UsageError
from defang_nb.providers.base import Bootstrap
from defang_nb.render.tables import Cell, Table
from defang_nb.render.words import Tone


def install(invocation: Invocation, host: Host) -> Bootstrap:
    found = account.install(workspace_of(_stack(invocation, host), None), host.note)
    host.table(table(found), [found])
    return found


def status(invocation: Invocation, host: Host) -> Bootstrap:
    found = account.status(workspace_of(_stack(invocation, host), None))
    host.table(table(found), [found])
    return found


def teardown(invocation: Invocation, host: Host) -> None:
    stack = _stack(invocation, host)
    workspace = workspace_of(stack, None)
    found = account.status(workspace)
    if not found.state:
        host.note(f"account {found.account} is not prepared in {found.region}: there is nothing to take away")
        return
    if not invocation.flag("yes"):
        raise UsageError(
            f"this would take the preparation of account {found.account} in {found.region} away, for every stack there",
            hint="say `--yes` to allow it",
        )
    kept = account.teardown(workspace, host.note)
    host.note(f"taken away; what stays: {kept}")


def table(found: Bootstrap) -> Table:
    """One row."""
    if not found.state:
        state = Cell("– not prepared", Tone.WAIT)
    elif found.current:
        state = Cell(f"✔ ready ({found.state})", Tone.OK)
    else:
        word = "older than this version" if found.revision and "COMPLETE" in found.state else found.reason or "not usable"
        state = Cell(f"▲ {found.state}: {word}", Tone.WARN)
    row = (Cell(found.account), Cell(found.region), state, Cell(str(found.revision or "")), Cell(found.bucket))
    return Table("Account", ("Account", "Region", "State", "Revision", "Bucket"), (row,))


def _stack(invocation: Invocation, host: Host) -> str:
    return invocation.text("stack") or host.stack
