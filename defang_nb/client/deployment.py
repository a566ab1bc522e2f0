"""`Deployment`: one run of up, down or preview, as its looker holds it.

The engine's thread folds the events as they come; every property here is a snapshot that any thread may read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from defang_nb.model.events import Event, Outcome
    from defang_nb.model.status import LogRecord
    from defang_nb.model.view import DeploymentView, ServiceView

Subscriber = Callable[["DeploymentView", "Event"], None]
"""Called on the engine's thread, in order, with the view after the event. Events with sequence 0 are the workspace's own
(uploads, a cd being launched, or why it could not be): they show in the view and are part of no stored story."""


class Deployment:
    """A deployment that goes on or is over.

    `view` is everything that there is to see; `status` is it in a few words; `services`, `events`, `endpoints` (the URLs of each
    service, public ones first) are parts of it.
    """

    id: str
    project: str
    stack: str

    @property
    def view(self) -> DeploymentView: ...

    @property
    def status(self) -> str:
        """`queued`, `planning`, `provisioning`, `settling`, or once done `succeeded`, `failed`, `cancelled`."""

    @property
    def services(self) -> Mapping[str, ServiceView]: ...

    @property
    def events(self) -> list[Event]:
        """All that has been told so far, in order."""

    @property
    def endpoints(self) -> Mapping[str, str]:
        """service → its first URL (public ones first). All of them are in `services[name].endpoints`."""

    @property
    def done(self) -> bool: ...

    @property
    def outcome(self) -> Outcome | None: ...

    @property
    def accepted(self) -> bool:
        """Whether cd has taken it over, so that it goes on without this process."""

    def wait(self, timeout: float | None = None, *, check: bool = True) -> Deployment:
        """Block until it is over. `timeout` in seconds: raises `TimeoutError`, and the deployment goes on.

        With `check`, raises what it ended with: `DeploymentFailedError` or `DeploymentCancelledError` (message, hint and error
        diagnostics as in the view), or the error that kept it from starting.
        """

    def wait_accepted(self, timeout: float | None = None) -> Deployment:
        """Block until cd has taken it over: from then on this process may end."""

    def logs(
        self, service: str | None = None, *, follow: bool = False, since: float | str | None = None, tail: int | None = None
    ) -> Iterator[LogRecord]:
        """What its services wrote; see `api.logs`."""

    def cancel(self) -> None:
        """Ask cd to end it; returns when cd has heard. Does nothing when it is over."""

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Have `callback` called for everything that is told from now on; the returned function ends that.

        It is called once at once with the present view and the latest event, if there is one.
        """
