"""The widget of a dashboard: what to do to which project, and below what that gave. The tables stand under it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

import ipywidgets

from defang_nb.client import api
from defang_nb.errors import DefangError
from defang_nb.model.view import Log
from defang_nb.notebook.buttons import button, close_all, controls, flow, refusal, status
from defang_nb.notebook.place import place, put
from defang_nb.notebook.slot import Slot
from defang_nb.notebook.subshell import answer_while_a_cell_runs
from defang_nb.render.logs import log_pre
from defang_nb.render.markup import Link, card

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment
    from defang_nb.model.overview import Overview
    from defang_nb.notebook.painted import Painted

LOG_LINES = 200
ALL = "all services"


class Board:
    """`renew` asks for a new look. `paint` is called from one thread; clicks may come on any."""

    def __init__(self, link: Link, *, renew: Callable[[], None]) -> None:
        self._link = link
        self._renew = renew
        self._busy = threading.Lock()
        self._painted: Painted | None = None
        self._slot = Slot()
        self._said, self._logs_shown = place(), place()
        self._say("")
        self._result = ipywidgets.VBox([self._logs_shown], layout=ipywidgets.Layout(width="auto"))
        self._project, self._service, self._running = map(_dropdown, ("Project", "Service", "Deployment"))
        look = {"style": _close_by(), "layout": ipywidgets.Layout(width="130px")}
        self._replicas = answer_while_a_cell_runs(ipywidgets.BoundedIntText(1, min=0, max=100, description="Replicas", **look))
        self._buttons = [
            self._button("Up", "Deploy what was deployed last again", self._up),
            self._button("Down", "Stop all services of the project; their data stays", self._down),
            self._button("Restart", "Stop the service (or all) and start it again", self._restart),
            self._button("Logs", "Show the last lines of the service (or of all)", self._logs),
        ]
        self._scale_button = self._button("Scale", "Run so many replicas of the service", self._scale)
        self._ends = [
            self._button("Attach", "Show this deployment here", self._attach),
            self._button("Cancel", "End this deployment; what is done so far stays", self._cancel),
        ]
        self._rows = [
            flow(self._project, self._service, *self._buttons, self._replicas, self._scale_button),
            flow(self._running, *self._ends),
        ]
        self._project.observe(lambda _: self._offer_services(), "value")
        self._services: dict[tuple[str, str], list[str]] = {}
        self._box = controls([*self._rows, self._said, self._result])

    def show(self) -> None:
        self._slot.show(self._box)

    def paint(self, it: Overview) -> None:
        self._services = {
            (stack.name, project.name): [each.service for each in project.services]
            for stack in it.stacks
            for project in stack.projects
        }
        _choices(self._project, [(f"{project} on {stack}", (stack, project)) for stack, project in self._services])
        self._offer_services()
        going = [(stack.name, each.deployment) for stack in it.stacks for each in stack.unfinished if each.alive]
        _choices(self._running, [(f"{each.id} · {each.kind} {each.project}", (name, each.id)) for name, each in going])
        self._rows[1].layout.display = None if going else "none"

    def trouble(self, text: str) -> None:
        if text:
            self._say(f"▲ {text}")

    def close(self) -> None:
        self._clear()
        inner = (self._said, self._logs_shown, self._result, self._project, self._service, self._replicas, self._running)
        close_all((*inner, *self._buttons, self._scale_button, *self._ends, *self._rows, self._box))
        self._slot.replace({"text/plain": ""})

    def _offer_services(self) -> None:
        _choices(self._service, [(name, name) for name in (ALL, *self._services.get(self._project.value or ("", ""), ()))])

    def _button(self, name: str, tip: str, do: Callable[[], str]) -> Any:
        return button(name, tip, lambda: self._begin(name, do), layout=ipywidgets.Layout(width="auto"))

    def _begin(self, name: str, do: Callable[[], str]) -> None:
        """One at a time, on a thread of its own, so that a click never blocks."""
        if self._busy.acquire(blocking=False):
            self._say(f"{name} …")
            threading.Thread(target=self._run, args=(do,), name="defang-nb-board", daemon=True).start()
        else:
            self._say("something goes on still: one at a time")

    def _run(self, do: Callable[[], str]) -> None:
        try:
            self._say(do())
        except DefangError as error:
            self._say(refusal(error))
        finally:
            self._busy.release()
            self._renew()

    def _say(self, text: str) -> None:
        put(self._said, status(text))

    def _where(self) -> dict[str, Any]:
        if self._project.value is None:
            raise DefangError("there is no project yet", hint="%defang up makes one")
        stack, project = self._project.value
        return {"stack": stack, "project": project}

    def _named(self) -> list[str]:
        return [] if self._service.value in (None, ALL) else [self._service.value]

    def _up(self) -> str:
        where = self._where()
        latest = api.deployments(**where, kind="up", limit=1)
        if not latest:
            raise DefangError("no deployment of it is kept", hint="%defang up deploys what the project says")
        return self._watch(api.start_rollback(latest[0].id, **where))

    def _down(self) -> str:
        return self._watch(api.start_down(**self._where()))

    def _scale(self) -> str:
        if not self._named():
            raise DefangError("which service?", hint="choose one beside the project")
        return self._watch(api.start_scale({self._named()[0]: self._replicas.value}, **self._where()))

    def _restart(self) -> str:
        return f"✔ restarted {', '.join(each.service for each in api.restart(self._named(), **self._where()))}"

    def _logs(self) -> str:
        records = islice(api.logs(self._named(), **self._where(), tail=LOG_LINES), 100 * LOG_LINES)
        self._clear()
        log = Log()
        for each in records:
            log = log.append(f"{each.service}.{each.replica} | {each.line}")
        put(self._logs_shown, card(log_pre(log, "Service logs"), "Service logs") if log.lines else "")
        return f"the last {len(log.lines)} lines" if log.lines else "no lines"

    def _attach(self) -> str:
        stack, found = self._chosen()
        return self._watch(api.attach(found, stack=stack))

    def _cancel(self) -> str:
        stack, found = self._chosen()
        return f"deployment {found}: {api.cancel(found, stack=stack).wait(check=False).status}"

    def _chosen(self) -> tuple[str, str]:
        if self._running.value is None:
            raise DefangError("no deployment goes on")
        stack, found = self._running.value
        return stack, found

    def _watch(self, deployment: Deployment) -> str:
        """Show it under the buttons, as it goes on, which keeps nobody from the next click; that it ended is told there too."""
        from defang_nb.notebook.painted import Painted

        def over() -> None:
            self._say(f"deployment {deployment.id}: {deployment.status}")
            self._renew()

        self._clear()
        self._painted = Painted(deployment, self._link, over)
        self._result.children = (self._painted.widget,)
        return f"deployment {deployment.id} goes on below"

    def _clear(self) -> None:
        """Make room for what is shown next."""
        put(self._logs_shown, "")
        if self._painted is not None:
            self._result.children = (self._logs_shown,)
            self._painted.leave()
            self._painted = None


def _dropdown(description: str) -> Any:
    made = ipywidgets.Dropdown(description=description, style=_close_by(), layout=ipywidgets.Layout(width="auto"))
    return answer_while_a_cell_runs(made)


def _close_by() -> dict[str, str]:
    """A description no wider than its words."""
    return {"description_width": "initial"}


def _choices(dropdown: Any, options: list[tuple[str, Any]]) -> None:
    """New options, with what was chosen still chosen where it is still there."""
    if list(dropdown.options) == options:
        return
    kept = dropdown.value
    dropdown.options = options
    values = [value for _, value in options]
    dropdown.value = kept if kept in values else values[0] if values else None
