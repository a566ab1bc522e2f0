"""What the types of load balancing share: reading many at once, and how they say what is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defang_nb.model.resource import urn as urn_of
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Account, Answer
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.types.base import chunks, ignoring, is_ours
from defang_nb.providers.aws.types.inventory import Known, TaggedType

_MANY = 20
"""So many ARNs in one call."""
GONE = ("LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound", "RuleNotFound")
LONGEST_NAME = 32


async def read(account: Account, operation: str, argument: str, key: str, arns: Sequence[str]) -> list[Mapping[str, Any]]:
    """Those of `arns` that are there. AWS refuses a question about several of which one is gone: then each is asked about."""
    found: list[Mapping[str, Any]] = []
    for some in chunks(list(arns), _MANY):
        try:
            found += (await account.call("elbv2", operation, **{argument: list(some)}))[key]
        except AwsError as error:
            if error.code not in GONE:
                raise
            for arn in some if len(some) > 1 else ():
                found += await read(account, operation, argument, key, [arn])
    return found


class ElbType(TaggedType):
    """One that is known by its ARN."""

    async def balancer(self, project: str) -> str:
        """The ARN of the project's load balancer; "" when there is none."""
        name = self.called(urn_of(project, kinds.BALANCER, kinds.FRONT), longest=LONGEST_NAME)
        answer = await ignoring(GONE, self.account.call("elbv2", "describe_load_balancers", Names=[name]))
        return str(answer["LoadBalancers"][0]["LoadBalancerArn"]) if answer and answer["LoadBalancers"] else ""

    async def listeners(self, project: str) -> list[Mapping[str, Any]]:
        """Of the project's load balancer."""
        arn = await self.balancer(project)
        answer = await self.account.call("elbv2", "describe_listeners", LoadBalancerArn=arn) if arn else {"Listeners": []}
        found: list[Mapping[str, Any]] = answer["Listeners"]
        return found

    async def ours(self, urn: str, arns: Sequence[str]) -> str:
        """The one of `arns` whose tags say that it was made for `urn`; "" for none."""
        for some in chunks(list(arns), _MANY):
            answer = await ignoring(GONE, self.account.call("elbv2", "describe_tags", ResourceArns=list(some)))
            for each in answer["TagDescriptions"] if answer else ():
                if is_ours(self.tags(urn), each["Tags"]):
                    return str(each["ResourceArn"])
        return ""

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn, outputs={"arn": arn})

    def project(self, urn: str) -> str:
        return names.parts(urn)[0]


def first(answer: Answer, key: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer[key][0]
    return found
