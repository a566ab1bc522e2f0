"""Services started anew, as they were deployed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from defang_nb.errors import NotFoundError, ProviderError, UsageError
from defang_nb.model.resource import Recorded
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account

_FIRST, _LONGEST = 1.0, 5.0
_PATIENCE = 900.0


async def restart(account: Account, cluster: str, mains: Sequence[Recorded], services: Sequence[str]) -> None:
    """ECS rolls them: by the mode's rules, and back where the new tasks do not get well. Raises `ProviderError`."""
    known = {each.service: each for each in mains}
    if missing := [each for each in services if each not in known]:
        raise NotFoundError(f"there is no service {missing[0]}", hint=f"services: {', '.join(sorted(known)) or 'none'}")
    chosen = [known[each] for each in services] if services else [each for each in mains if each.type == kinds.SERVICE]
    for each in chosen:
        if each.type != kinds.SERVICE:
            raise UsageError(f"{each.service} is nothing that ECS keeps running", hint="deploy it again: up --force")
    for each in chosen:
        await account.call("ecs", "update_service", cluster=cluster, service=each.id, forceNewDeployment=True)
    await _settled(account, cluster, {each.id: each.service for each in chosen})


async def _settled(account: Account, cluster: str, names: dict[str, str]) -> None:
    pause, waited = _FIRST, 0.0
    while names:
        await asyncio.sleep(pause)
        waited, pause = waited + pause, min(_LONGEST, pause * 1.3)
        some = list(names)[:10]
        answer = await account.call("ecs", "describe_services", cluster=cluster, services=some)
        for each in answer["services"]:
            states = [it.get("rolloutState") for it in each["deployments"] if it["status"] == "PRIMARY"]
            if states == ["FAILED"]:
                raise ProviderError(f"{names[each['serviceName']]} did not get well again", hint="`logs` shows what it wrote")
            if states == ["COMPLETED"] and len(each["deployments"]) == 1:
                names.pop(each["serviceName"])
        if waited > _PATIENCE:
            raise ProviderError(f"{', '.join(names.values())}: not restarted after {_PATIENCE / 60:g} minutes")
