"""cd's own side of its launch, in its task: the keys that were made for it, and what it leaves behind: nothing."""

from __future__ import annotations

import logging
import os

from defang_nb.errors import CdError, DefangError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.bootstrap.stack import BootstrapStack, store_of
from defang_nb.providers.aws.bootstrap.template import CD_PORT as PORT
from defang_nb.providers.aws.launch.door import close_door
from defang_nb.providers.aws.launch.record import LAUNCH_VARIABLE, Launches
from defang_nb.providers.base import TlsKeys
from defang_nb.providers.mail import Mail

__all__ = ["PORT", "Serving"]
_log = logging.getLogger(__name__)


class Serving:
    """Of one stack's cd. Credentials are those of the task's role."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._account = Account({})
        self.launch = os.environ.get(LAUNCH_VARIABLE, "")
        self._base: Base | None = None

    async def begin(self) -> TlsKeys | None:
        """The keys to serve with; None when this launch is not the latest one any more. Raises `CdError`."""
        self._base = await BootstrapStack(self._account).base()
        if self._base is None:
            raise CdError("the account's bootstrap is not there, or is older than this cd", hint="defang-nb cd install")
        latest, _ = await self._launches(self._base).latest()
        if latest is None or latest.id != self.launch:
            return None
        keys = await self._launches(self._base).take(self.launch, "cd")
        if keys is None:
            raise CdError("the keys of this launch are gone")
        return keys

    async def end(self) -> None:
        """Delete the keys, and close the door behind the last one."""
        if self._base is None:
            return
        try:
            await self._launches(self._base).forget(self.launch)
            await self.mail.withdraw()
            running = await self._account.call(
                "ecs", "list_tasks", cluster=self._base.cluster, family=self._base.cd_task, desiredStatus="RUNNING"
            )
            if len(running["taskArns"]) <= 1:
                await close_door(self._account, self._base)
        except DefangError as error:
            _log.warning("what this launch leaves behind could not be removed: %s", error.message)

    @property
    def mail(self) -> Mail:
        if self._base is None:
            raise CdError("this launch has not begun to serve")
        return Mail(store_of(self._account, self._base.bucket, self._stack))

    def _launches(self, base: Base) -> Launches:
        return Launches(self._account, store_of(self._account, base.bucket, self._stack), self._stack)
