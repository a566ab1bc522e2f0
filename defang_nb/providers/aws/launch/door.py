"""The way in to cd: one port of its security group, open to the addresses of its clients and to nobody else."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import urllib.request
from collections.abc import Mapping

from defang_nb.errors import ProviderError, UsageError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.again import again
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.bootstrap.template import CD_PORT
from defang_nb.providers.aws.refusals import AwsError

SETTING = "DEFANG_CD_ALLOW"
_ASKED = "https://checkip.amazonaws.com"
"""Amazon's own service that tells by which address one is seen."""


async def open_door(account: Account, base: Base, settings: Mapping[str, str], stack: str) -> None:
    """Let this machine in; fine when it is let in already. Raises `ProviderError` when its address can't be told."""
    address = settings.get(SETTING) or os.environ.get(SETTING) or ""
    address = address or await asyncio.to_thread(_own_address)
    try:
        network = str(ipaddress.ip_network(address, strict=False))
    except ValueError:
        raise UsageError(
            f"{SETTING} is {address!r}, no network address", hint=f"for example {SETTING}=203.0.113.7/32"
        ) from None
    rule = {"CidrIp": network, "Description": f"a client of {stack}"}
    if ":" in network:
        permission = {"Ipv6Ranges": [{"CidrIpv6": network, "Description": rule["Description"]}]}
    else:
        permission = {"IpRanges": [rule]}
    opened = [{"IpProtocol": "tcp", "FromPort": CD_PORT, "ToPort": CD_PORT, **permission}]
    try:
        await again(
            lambda: account.call("ec2", "authorize_security_group_ingress", GroupId=base.cd_group, IpPermissions=opened)
        )
    except AwsError as error:
        if error.code != "InvalidPermission.Duplicate":
            raise


async def close_door(account: Account, base: Base) -> None:
    """Nobody is let in any more."""
    found = await account.call("ec2", "describe_security_groups", GroupIds=[base.cd_group])
    if permissions := found["SecurityGroups"][0]["IpPermissions"]:
        await account.call("ec2", "revoke_security_group_ingress", GroupId=base.cd_group, IpPermissions=permissions)


def _own_address() -> str:
    try:
        with urllib.request.urlopen(_ASKED, timeout=5) as answer:
            return str(answer.read(100).decode().strip())
    except OSError as error:
        raise ProviderError(
            f"the address of this machine, which cd is to let in, can't be told: {error}",
            hint=f"say it: {SETTING}=<address or network> in the stack's file",
        ) from None
