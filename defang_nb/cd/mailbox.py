"""cd's side of the mail: requests and cancellations that come as notes in the store (see `providers.mail`)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from defang_nb.errors import DefangError
from defang_nb.model.request import PROTOCOL
from defang_nb.providers.mail import Mail, Refusal, Serving
from defang_nb.version import __version__

if TYPE_CHECKING:
    from defang_nb.cd.server import Service

PACE = 2.0
"""Seconds between two looks."""
_log = logging.getLogger(__name__)


async def read_mail(service: Service, mail: Mail, launch: str, pace: float = PACE) -> None:
    """For ever. A store that can't be reached for a while is asked again."""
    told: Serving | None = None
    while True:
        try:
            now = Serving(
                protocol=PROTOCOL, version=__version__, stack=service.stack, launch=launch, running=tuple(service.running)
            )
            if now != told:
                await mail.serve(now)
                told = now
            asked, cancelled = await mail.waiting()
            for deployment in asked:
                await _begin(service, mail, deployment)
            for deployment in cancelled:
                service.cancel(deployment)
                await mail.cancelled(deployment)
        except DefangError as error:
            _log.warning("the mail could not be read: %s", error.message)
        except Exception:  # noqa: BLE001  # edge: a fault of ours must not leave the mail unread for ever
            _log.exception("the mail could not be read")
        await asyncio.sleep(pace)


async def _begin(service: Service, mail: Mail, deployment: str) -> None:
    request = await mail.take(deployment)
    if request is None:
        await mail.taken(deployment, Refusal(message="the request can't be read", hint="are both sides of one version?"))
        return
    try:
        await service.begin(request)
    except DefangError as error:
        await mail.taken(deployment, Refusal(message=error.message, hint=error.hint))
    else:
        await mail.taken(deployment)
