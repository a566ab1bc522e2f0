"""IAM, where it is enforced: what a role's session may do, by its policies within its boundary.

moto's own enforcement takes each call to be about `*`, which a policy with resources never allows. A resource or a condition's
value that can't be known is taken to fit, so this tells what a policy lacks, and not all that it gives too much.
Source: AWS IAM user guide, "Policy evaluation logic".
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from tests.aws.calls import Call
from tests.aws.iam.asked import Asked, asked

_ALWAYS = ("sts:GetCallerIdentity",)
_KNOWABLE = (
    "aws:RequestTag/",
    "aws:TagKeys",
    "iam:PermissionsBoundary",
    "iam:PassedToService",
    "ecs:cluster",
    "ec2:CreateAction",
    "ecs:CreateAction",
    "elasticfilesystem:CreateAction",
)


class Guard:
    """Off until a test turns it on. Only sessions of roles are held to their policies: the test itself may do all."""

    def __init__(self) -> None:
        self.on = False
        self.denied: list[str] = []

    def clear(self) -> None:
        self.on, self.denied = False, []

    def refusal(self, call: Call, environ: Mapping[str, Any], body: bytes) -> str:
        """AWS's words for what is not allowed; "" for what is."""
        if not self.on or not call.key.startswith("ASIA"):
            return ""
        session = next(
            (
                it
                for _, _, sts in list(sts_backends.iter_backends())
                for it in sts.assumed_roles
                if it.access_key_id == call.key
            ),
            None,
        )
        role = self._role(session.role_arn) if session else None
        if role is None:
            return ""
        for each in asked(call, environ, body, role.account_id):
            if each.action not in _ALWAYS and (why := _refused(each, role)):
                about = f" on resource: {', '.join(sorted(each.resources))}" if each.resources else ""
                who = f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{session.session_name}"
                self.denied.append(f"{role.name}: {each.action}{about} ({why})")
                return f"User: {who} is not authorized to perform: {each.action}{about} because {why}"
        return ""

    def _role(self, arn: str) -> Any:
        return next(
            (it for _, _, iam in list(iam_backends.iter_backends()) for it in iam.roles.values() if it.arn == arn), None
        )


def _refused(it: Asked, role: Any) -> str:
    own = [statement for document in _documents(role) for statement in _statements(document)]
    boundary = None
    if role.permissions_boundary_arn:
        policy = iam_backends[role.account_id]["aws"].managed_policies.get(role.permissions_boundary_arn)
        boundary = list(_statements(_default(policy))) if policy else []
    for statements, name in ((own, "identity-based policy"), (boundary, "permissions boundary")):
        if statements is None:
            continue
        if any(each["Effect"] == "Deny" and _fits(each, it, sure=True) for each in statements):
            return f"of an explicit deny in its {name}"
        if not any(each["Effect"] == "Allow" and _fits(each, it, sure=False) for each in statements):
            return f"no {name} allows the {it.action} action"
    return ""


def _documents(role: Any) -> Iterator[Any]:
    yield from role.policies.values()
    for policy in role.managed_policies.values():
        yield _default(policy)


def _default(policy: Any) -> Any:
    return next(each.document for each in policy.versions if each.is_default)


def _statements(document: Any) -> list[dict[str, Any]]:
    read = json.loads(document) if isinstance(document, str) else document
    return _list(read["Statement"])


def _fits(statement: dict[str, Any], it: Asked, *, sure: bool) -> bool:
    """`sure`: what can't be known does not fit (for denials)."""
    if "Action" in statement:
        if not any(fnmatch.fnmatchcase(it.action.lower(), each.lower()) for each in _list(statement["Action"])):
            return False
    elif any(fnmatch.fnmatchcase(it.action.lower(), each.lower()) for each in _list(statement["NotAction"])):
        return False
    patterns = _list(statement.get("Resource", "*"))
    if it.resources and not any(fnmatch.fnmatchcase(_plain(arn), pattern) for arn in it.resources for pattern in patterns):
        return False
    if not it.resources and sure and "*" not in patterns:
        return False
    return all(
        _holds(operator, key, _list(values), it.known, sure)
        for operator, tests in (statement.get("Condition") or {}).items()
        for key, values in tests.items()
    )


def _plain(arn: str) -> str:
    return arn.removesuffix(":*")


def _holds(operator: str, key: str, wanted: list[str], known: Mapping[str, list[str]], sure: bool) -> bool:
    found = known.get(key)
    if found is None and key.startswith("aws:ResourceTag/") and "aws:ResourceTag" in known:
        found = []
    if found is None and key.startswith(_KNOWABLE):
        found = []
    if found is None:
        return not sure
    name = operator.rpartition(":")[2].removesuffix("IfExists")
    if operator.endswith("IfExists") and not found:
        return True
    if name == "Null":
        return (not found) == (str(wanted[0]).lower() == "true")
    negative = "Not" in name
    fitting = [any(fnmatch.fnmatchcase(each, str(pattern)) for pattern in wanted) for each in found]
    if negative:
        return not any(fitting)
    return all(fitting) if operator.startswith("ForAllValues:") else any(fitting)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
