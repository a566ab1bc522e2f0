"""The types of resources that a project is made of on AWS."""

from __future__ import annotations

from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.provision.ports import ResourceType


def resource_types(account: Account, base: Base, stack: str) -> list[ResourceType]:
    """All of them but the image, which is the builder's."""
    return []
