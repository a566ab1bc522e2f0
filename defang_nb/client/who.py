"""Who a stack deploys as."""

from __future__ import annotations

import getpass
import platform
from pathlib import Path

import msgspec

from defang_nb.client import loop
from defang_nb.client.stacks import load_stack


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """`identity` is an ARN, or a user of this machine; `source` is where the credentials were found, in boto3's words."""

    stack: str
    provider: str
    identity: str
    account: str = ""
    region: str = ""
    profile: str = ""
    source: str = ""
    machine: str = ""


def whoami(*, stack: str | None = None, working_dir: str | Path | None = None) -> Who:
    """Asks AWS once, for a stack of AWS. Raises `ProviderError` for credentials that are missing, expired or refused,
    `UsageError` for a profile or a region that does not exist."""
    found = load_stack(stack, Path(working_dir or ".").absolute())
    if found.provider != "aws":
        return Who(stack=found.name, provider=found.provider, identity=_user(), machine=platform.node())
    from defang_nb.providers.aws.account import Account, check_region

    account = Account(found.settings)
    # The profile first: it may be what names the region.
    profile = account.profile
    check_region(account.region)
    identity = loop.run(account.identity())
    return Who(
        stack=found.name, provider=found.provider, identity=identity.arn, account=identity.account, region=account.region,
        profile=profile if account.source not in ("env", "") else "", source=account.source,
    )  # fmt: skip


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"  # a container's user without a name
