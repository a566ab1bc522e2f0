"""`aws:elb/Listener` and `aws:elb/Rule`: the load balancer's ports, and which requests are for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from defang_nb.errors import ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.types.base import ignoring
from defang_nb.providers.aws.types.elb import GONE, ElbType, first, read
from defang_nb.providers.aws.types.inventory import Known
from defang_nb.provision.ports import Made, Operation

_NOTHING: Final = {
    "Type": "fixed-response",
    "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "nothing is deployed here"},
}
_TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"


class ListenerType(ElbType):
    """Inputs: `balancer` (ARN), `port`, `protocol`; of HTTPS `certificates` (ARNs), or `redirect`: the port of HTTPS.

    Outputs: `arn`. What no rule is for is told that nothing is there.
    """

    name = kinds.LISTENER
    idempotent = True
    resource = "elasticloadbalancing:listener/"
    of_service = False
    replace_on = frozenset({"balancer", "port"})

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs

        async def make() -> Answer:
            return await self.account.call(
                "elbv2", "create_listener", LoadBalancerArn=inputs["balancer"], **_listener(inputs), Tags=self.pairs(urn)
            )

        made = await self.claimed(urn, ("DuplicateListener",), make, f"listener on port {inputs['port']}")
        await self._certify(made.id, inputs, ())
        return made

    async def update(self, operation: Operation) -> Made:
        inputs, previous = operation.resource.inputs, operation.previous
        if previous is None:
            return await self.create(operation)
        await self.account.call("elbv2", "modify_listener", ListenerArn=previous.id, **_listener(inputs))
        await self._certify(previous.id, inputs, self.known(operation).get("certificates") or ())
        return Made(id=previous.id, outputs=previous.outputs)

    async def find(self, urn: str) -> Made | None:
        project, port = names.parts(urn)
        found = [each for each in await self.listeners(project) if str(each["Port"]) == port]
        arn = await self.ours(urn, [each["ListenerArn"] for each in found])
        return _made(arn) if arn else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        arns = [each.id for each in recorded]
        found = await read(self.account, "describe_listeners", "ListenerArns", "Listeners", arns)
        there = {each["ListenerArn"] for each in found}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        """A listener's ARN has its load balancer's in it."""
        return {
            urn: Known(
                id=arn,
                outputs={"arn": arn},
                inputs={
                    "balancer": arn.replace(":listener/", ":loadbalancer/").rpartition("/")[0],
                    "port": int(names.parts(urn)[1]),
                },
            )
            for urn, arn in arns.items()
        }

    async def delete(self, recorded: Recorded) -> None:
        await ignoring(GONE, self.account.call("elbv2", "delete_listener", ListenerArn=recorded.id))

    def made(self, urn: str, answer: Answer) -> Made:
        return _made(first(answer, "Listeners")["ListenerArn"])

    async def _certify(self, arn: str, inputs: Mapping[str, Json], before: Sequence[str]) -> None:
        """All but the first, which is the listener's own."""
        wanted = (inputs.get("certificates") or ())[1:]
        verbs = {
            "remove": [each for each in before[1:] if each not in wanted],
            "add": [each for each in wanted if each not in before],
        }
        for verb, certificates in verbs.items():
            if certificates:
                said = [{"CertificateArn": each} for each in certificates]
                await self.account.call("elbv2", f"{verb}_listener_certificates", ListenerArn=arn, Certificates=said)


class RuleType(ElbType):
    """Inputs: `listener` (ARN), `priority`, `hosts`, `paths`, `targets` (a target group's ARN), or `redirect`: the port
    of HTTPS. Outputs: `arn`."""

    name = kinds.RULE
    resource = "elasticloadbalancing:listener-rule"
    replace_on = frozenset({"listener"})
    create_before_delete = True

    async def create(self, operation: Operation) -> Made:
        urn, inputs = operation.resource.urn, operation.resource.inputs

        async def make() -> Answer:
            return await self.account.call(
                "elbv2",
                "create_rule",
                ListenerArn=inputs["listener"],
                Priority=inputs["priority"],
                **_rule(inputs),
                Tags=self.pairs(urn),
            )

        return await self.claimed(urn, ("PriorityInUse",), make, f"rule with priority {inputs['priority']}")

    async def update(self, operation: Operation) -> Made:
        inputs, previous = operation.resource.inputs, operation.previous
        if previous is None:
            return await self.create(operation)
        await self.account.call("elbv2", "modify_rule", RuleArn=previous.id, **_rule(inputs))
        if inputs["priority"] != previous.inputs.get("priority"):
            priorities = [{"RuleArn": previous.id, "Priority": inputs["priority"]}]
            await self.account.call("elbv2", "set_rule_priorities", RulePriorities=priorities)
        return Made(id=previous.id, outputs=previous.outputs)

    async def find(self, urn: str) -> Made | None:
        for listener in await self.listeners(self.project(urn)):
            answer = await ignoring(GONE, self.account.call("elbv2", "describe_rules", ListenerArn=listener["ListenerArn"]))
            arns = [each["RuleArn"] for each in (answer["Rules"] if answer else ()) if not each.get("IsDefault")]
            if arn := await self.ours(urn, arns):
                return _made(arn)
        return None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        found = await read(self.account, "describe_rules", "RuleArns", "Rules", [each.id for each in recorded])
        there = {each["RuleArn"] for each in found}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    def by_arn(self, arn: str) -> Known:
        """A rule's ARN has its listener's in it."""
        listener = arn.replace(":listener-rule/", ":listener/").rpartition("/")[0]
        return Known(id=arn, outputs={"arn": arn}, inputs={"listener": listener})

    async def delete(self, recorded: Recorded) -> None:
        await ignoring(GONE, self.account.call("elbv2", "delete_rule", RuleArn=recorded.id))

    def made(self, urn: str, answer: Answer) -> Made:
        return _made(first(answer, "Rules")["RuleArn"])


def _made(arn: str) -> Made:
    return Made(id=arn, outputs={"arn": arn})


def _listener(inputs: Mapping[str, Json]) -> dict[str, Any]:
    made: dict[str, Any] = {"Port": inputs["port"], "Protocol": inputs["protocol"], "DefaultActions": [_NOTHING]}
    if inputs["protocol"] == "HTTPS":
        certificates = inputs.get("certificates") or ()
        if not certificates:
            raise ProviderError(f"port {inputs['port']} is HTTPS and has no certificate")
        made |= {"Certificates": [{"CertificateArn": certificates[0]}], "SslPolicy": _TLS}
    if to := inputs.get("redirect"):
        made["DefaultActions"] = [_to_https(to)]
    return made


def _rule(inputs: Mapping[str, Json]) -> dict[str, Any]:
    said = {"host-header": ("HostHeaderConfig", inputs["hosts"]), "path-pattern": ("PathPatternConfig", inputs["paths"])}
    conditions = [{"Field": field, key: {"Values": list(values)}} for field, (key, values) in said.items() if values]
    to = inputs.get("redirect")
    action = _to_https(to) if to else {"Type": "forward", "TargetGroupArn": inputs["targets"]}
    return {"Conditions": conditions, "Actions": [action]}


def _to_https(port: int) -> dict[str, Any]:
    return {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": str(port), "StatusCode": "HTTP_301"}}
