"""What moto's CloudFormation can't make or delete of what our template has, and what its S3 takes too literally."""

from __future__ import annotations

import json
from typing import Any


def mend() -> None:
    """Route tables and policies are deleted (moto keeps them, and the network with them); buckets can have a policy.

    moto does not look at a policy's conditions: a statement with one is left to who is asked about it (`edge.py`).
    """
    from moto.cloudformation.parsing import ResourceMap
    from moto.core.common_models import CloudFormationModel
    from moto.ec2.models.route_tables import RouteTable
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.iam.models import ManagedPolicy, iam_backends
    from moto.s3.models import FakeBucket

    def delete(self: Any, account_id: str, region: str) -> None:
        self._associations.clear()
        self.ec2_backend.delete_route_table(self.id)

    def delete_policy(self: Any, account_id: str, region: str) -> None:
        backend = iam_backends[account_id]["aws"]
        backend.managed_policies.pop(self.arn, None)
        for role in backend.roles.values():
            role.managed_policies.pop(self.arn, None)

    class BucketPolicy(CloudFormationModel):
        """moto finds it by its base class. A bucket's policy is the bucket's."""

        def __init__(self, name: str) -> None:
            self.name = name

        @property
        def physical_resource_id(self) -> str:
            return self.name

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return "AWS::S3::BucketPolicy"

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
        ) -> Any:
            """It is not put in force: ours denies what comes without TLS, as all does here."""
            return cls(f"{resource_name}-{cloudformation_json['Properties']['Bucket']}")

    def permission(self: Any, action: str, resource: str) -> Any:
        document = json.loads(self.policy.decode()) if self.policy else {"Statement": []}
        plain = [each for each in document["Statement"] if not each.get("Condition")]
        if not plain:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps({**document, "Statement": plain})).is_action_permitted(action, resource)

    FakeBucket.get_permission = permission
    remove = ResourceMap._delete_resource

    def remove_unless_kept(self: Any, resource: Any, said: Any) -> Any:
        """What a new template has no more is kept where its policy says so; and it is made anew when it is said again."""
        if said.get("DeletionPolicy") != "Retain":
            return remove(self, resource, said)
        for name in [key for key, each in self._parsed_resources.items() if each is resource]:
            del self._parsed_resources[name]
        return None

    ResourceMap._delete_resource = remove_unless_kept
    RouteTable.delete = delete
    ManagedPolicy.delete = delete_policy
    _KEPT.append(BucketPolicy)


_KEPT: list[type] = []
"""So that the class, which moto finds among the sub-classes of its own, is not collected."""
