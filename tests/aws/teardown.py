"""What moto can't delete with a CloudFormation stack."""

from __future__ import annotations

from typing import Any


def mend() -> None:
    """moto knows no way to delete route tables (and then keeps the network that they belong to) and policies."""
    from moto.ec2.models.route_tables import RouteTable
    from moto.iam.models import ManagedPolicy, iam_backends

    def delete(self: Any, account_id: str, region: str) -> None:
        self._associations.clear()
        self.ec2_backend.delete_route_table(self.id)

    def delete_policy(self: Any, account_id: str, region: str) -> None:
        iam_backends[account_id]["aws"].managed_policies.pop(self.arn, None)

    RouteTable.delete = delete
    ManagedPolicy.delete = delete_policy
