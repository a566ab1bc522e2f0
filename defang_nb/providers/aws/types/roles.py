"""`aws:iam/Role`: what a service may do in the account, which is what its policies say and the stack's boundary allows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from defang_nb.errors import DefangError
from defang_nb.model.resource import Recorded
from defang_nb.model.resource import urn as urn_of
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.bootstrap.template import tasks_of
from defang_nb.providers.aws.types.base import AwsType, ignoring, is_ours
from defang_nb.provision.ports import Live, Made, Operation, Waiting

_GONE = ("NoSuchEntity",)
_EXISTS = ("EntityAlreadyExists",)
_OWN = "own"
_ABOUT = "service "
"""What a role's description begins with; the rest of it is the service's name."""
_LONGEST = 64
_KNOWN = 10.0
"""Seconds until a new role is known to all that it concerns, nearly always. ECS tries again for a service, not for a task."""
_SESSIONS: Final = [f"ssmmessages:{verb}{what}Channel" for verb in ("Create", "Open") for what in ("Control", "Data")]
"""What a command in a running task needs (ECS Exec)."""


class RoleType(AwsType):
    """Inputs: `boundary` (ARN), `policies` (ARNs, or names of AWS's own), `statements` (of IAM). Outputs: `arn`."""

    name = kinds.ROLE
    idempotent = True
    replace_on = frozenset({"boundary"})

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs
        name = self._name(urn)

        async def make() -> Answer:
            return await self.account.call(
                "iam",
                "create_role",
                RoleName=name,
                Path=names.role_path(self.base.region, self.stack, names.parts(urn)[0]),
                AssumeRolePolicyDocument=json.dumps(tasks_of(self.base.account)),
                PermissionsBoundary=inputs["boundary"],
                Description=f"{_ABOUT}{names.parts(urn)[1]}",
                Tags=self.pairs(urn),
            )

        made = await self.claimed(urn, _EXISTS, make, f"role {name}")
        await self._allow(name, inputs)
        return made

    async def update(self, operation: Operation) -> Made:
        name, inputs = self._name(operation.resource.urn), operation.resource.inputs
        before = operation.previous.inputs if operation.previous else {}
        for policy in set(before.get("policies") or ()) - set(inputs["policies"]):
            await self._detach(name, policy)
        await self._allow(name, inputs)
        return Made(id=name, outputs=operation.previous.outputs if operation.previous else {})

    async def poll_many(self, waiting: Sequence[Waiting]) -> Mapping[str, Mapping[str, Json] | DefangError]:
        """A new role may be unknown elsewhere for some seconds; nothing but time tells that it is known."""
        return {
            each.operation.resource.urn: each.made.outputs
            for each in waiting
            if each.operation.previous is not None or each.seconds >= _KNOWN
        }

    async def find(self, urn: str) -> Made | None:
        name = self._name(urn)
        answer = await ignoring(_GONE, self.account.call("iam", "get_role", RoleName=name))
        if answer is None or not is_ours(self.tags(urn), answer["Role"].get("Tags", ())):
            return None
        return self.made(urn, answer)

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        paths = {names.role_path(self.base.region, self.stack, names.parts(each.urn)[0]) for each in recorded}
        pages = [page for path in sorted(paths) for page in await self.account.pages("iam", "list_roles", PathPrefix=path)]
        there = {role["RoleName"] for page in pages for role in page["Roles"]}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def owned(self, project: str = "") -> Sequence[Live]:
        """By their path and name: the tagging API knows no roles."""
        pages = await self.account.pages("iam", "list_roles", PathPrefix=names.role_path(self.base.region, self.stack, project))
        return [
            Live(
                urn=urn_of(role["Path"].split("/")[4], self.name, service),
                type=self.name,
                id=role["RoleName"],
                title=f"role of {service}",
                service=service,
                outputs={"arn": role["Arn"]},
                inputs={"boundary": self.base.boundary},
            )
            for page in pages
            for role in page["Roles"]
            if (service := role.get("Description", "").removeprefix(_ABOUT)) != role.get("Description", "")
        ]

    async def delete(self, recorded: Recorded) -> None:
        name = recorded.id
        attached = await ignoring(_GONE, self.account.call("iam", "list_attached_role_policies", RoleName=name))
        for each in attached["AttachedPolicies"] if attached else ():
            await self._detach(name, each["PolicyArn"])
        await ignoring(_GONE, self.account.call("iam", "delete_role_policy", RoleName=name, PolicyName=_OWN))
        await ignoring(_GONE, self.account.call("iam", "delete_role", RoleName=name))

    def made(self, urn: str, answer: Answer) -> Made:
        return Made(id=answer["Role"]["RoleName"], outputs={"arn": answer["Role"]["Arn"]})

    def _name(self, urn: str) -> str:
        """With the region in it: roles know none."""
        return names.physical(self.called(urn), self.base.region, longest=_LONGEST)

    async def _allow(self, name: str, inputs: Mapping[str, Json]) -> None:
        statements = [{"Effect": "Allow", "Action": _SESSIONS, "Resource": "*"}, *(inputs.get("statements") or ())]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        await self.account.call("iam", "put_role_policy", RoleName=name, PolicyName=_OWN, PolicyDocument=document)
        for policy in inputs["policies"]:
            await self.account.call("iam", "attach_role_policy", RoleName=name, PolicyArn=_arn(policy))

    async def _detach(self, name: str, policy: str) -> None:
        await ignoring(_GONE, self.account.call("iam", "detach_role_policy", RoleName=name, PolicyArn=_arn(policy)))


def _arn(policy: str) -> str:
    """A policy by its ARN, or one of AWS's own by its name."""
    return policy if policy.startswith("arn:") else f"arn:aws:iam::aws:policy/{policy}"
