"""A subshell of the kernel (JEP 91) that hears clicks while a cell runs, also from front ends that know of none.

JupyterLab sends what a reader does with a widget on a subshell. VS Code sends it where it sends cells, and so it would wait
for the one that runs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from defang_nb.notebook import frontend

PATIENCE = 5_000
"""Milliseconds that the kernel's control thread may take to answer; it takes a few."""


@cache
def ears() -> str | None:
    """Its id; it is made the first time. None where the kernel has no subshells (or where there is no kernel)."""
    if frontend.kernel() is None:
        return None
    try:
        from ipykernel.connect import get_connection_file
        from jupyter_client.client import KernelClient

        file = get_connection_file()
    except (ImportError, RuntimeError):  # a kernel that is not ipykernel's, or has no connections
        return None
    client = KernelClient()
    client.load_connection_file(file)
    with client.connect_control() as control:
        client.session.send(control, "create_subshell_request", {})
        if not control.poll(PATIENCE):
            return None
        _, reply = client.session.recv(control)
    return reply["content"].get("subshell_id") if reply else None


def answer_while_a_cell_runs(widget: Any) -> Any:
    """Let what a reader does with it be handled beside the cell that runs.

    ipykernel 7.4 sends what arrives on a comm to the shell that last wrote to it. That is the main one, which made the widget
    and is busy with the cell; so another is named, now and after each change, which writes. Where there is none, the front end
    decides. Kernels that have no such memory are left alone.
    """

    def route(_: object = None) -> None:
        if widget.comm is None:
            return
        memory = vars(widget.comm)
        memory.pop("_reply_subshell_id", None)
        if subshell := ears():
            memory["_reply_subshell_id"] = subshell

    widget.observe(route)
    route()
    return widget
