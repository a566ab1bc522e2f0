"""What it means when an account has no more room: which quota is reached, how much it is now, and where to ask for more."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

import msgspec

from defang_nb.errors import DefangError
from defang_nb.providers.aws.refusals import AwsError

_SIGNS = re.compile(r"LimitExceeded|QuotaExceeded|^TooMany(?!Requests)|QuotaForCustomerExceeded")
_CPUS = re.compile(r"limit on the number of vCPUs")
_FARGATE = {"service": "fargate", "name": "Fargate On-Demand vCPU resource count"}


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As Service Quotas calls it."""

    service: str
    name: str


class Paging(Protocol):
    """What is asked for a quota's value: an `Account`."""

    @property
    def region(self) -> str: ...

    async def pages(self, service: str, operation: str, /, **arguments: Any) -> Sequence[Mapping[str, Any]]: ...


async def explained(account: Paging, error: AwsError) -> AwsError:
    """`error`, in words about the quota where it is one that is reached. What AWS does not tell of it is left out."""
    reached = quota(error)
    if reached is None and not _SIGNS.search(error.code):
        return error
    value = await _value(account, reached) if reached else None
    what = (
        f"{reached.name}, {value:g} now" if reached and value is not None else reached.name if reached else "see what AWS says"
    )
    where = f"https://{account.region}.console.aws.amazon.com/servicequotas/home/services"
    return AwsError(
        f"a quota of the AWS account is reached: {what} ({error.message})",
        code=error.code,
        call=error.call,
        hint=f"remove what is not needed any more, or ask for more: {where}/{reached.service if reached else ''}",
    )


def quota(error: AwsError) -> Quota | None:
    """The quota that a refusal is about; None where it is about none, or about one that we don't know."""
    if _CPUS.search(error.message):
        return Quota(**_FARGATE)
    return _table().get(error.call.partition(".")[0], {}).get(error.code)


@cache
def _table() -> Mapping[str, Mapping[str, Quota]]:
    text = files(__package__).joinpath("quotas.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, dict[str, Quota]])


async def _value(account: Paging, of: Quota) -> float | None:
    """What the account has; else what AWS gives to every account; None where it tells neither."""
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        with contextlib.suppress(DefangError):  # who may not look at quotas is told which one it is all the same
            for page in await account.pages("service-quotas", operation, ServiceCode=of.service):
                for each in page["Quotas"]:
                    if each["QuotaName"] == of.name:
                        return float(each["Value"])
    return None
