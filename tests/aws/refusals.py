"""What AWS refuses and moto does not: to delete what is in use, and to make a second load balancer of the same name.

And load balancers take their time to become active.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend
from moto.elbv2.exceptions import DuplicateLoadBalancerName
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer, elbv2_backends

from tests.aws.ecs import names

BALANCER_PACES = 10
"""Paces until a load balancer is active."""


def refuse(pace: Callable[[], float]) -> None:
    """Wrap moto's methods. `pace`: seconds, asked anew each time."""
    names.refuse()
    delete_group, delete_subnet = EC2Backend.delete_security_group, EC2Backend.delete_subnet
    create_balancer, delete_balancer = ELBv2Backend.create_load_balancer, ELBv2Backend.delete_load_balancer

    def group(backend: Any, name: str | None = None, group_id: str | None = None) -> None:
        """moto deletes a security group that interfaces, load balancers or other groups' rules use."""
        found = backend.get_security_group_by_name_or_id(group_id or name)
        if found is not None and any(_users_of_group(backend, found.id)):
            raise DependencyViolationError(f"resource {found.id} has a dependent object")
        delete_group(backend, name, group_id)

    def subnet(backend: Any, subnet_id: str) -> Any:
        """moto deletes a subnet that interfaces or load balancers are in."""
        inside = [each for each in backend.enis.values() if each.subnet.id == subnet_id]
        inside += [each for each in _balancers(backend) if any(it.id == subnet_id for it in each.subnets)]
        if inside:
            raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        return delete_subnet(backend, subnet_id)

    def balancer(backend: Any, name: str, security_groups: list[str], *rest: Any, **more: Any) -> Any:
        """moto makes a second one; AWS gives the first where it is the same, and refuses otherwise."""
        for each in backend.load_balancers.values():
            if each.name == name:
                subnets = more.get("subnet_ids") or (rest[0] if rest else [])
                if sorted(it.id for it in each.subnets) == sorted(subnets) and sorted(each.security_groups) == sorted(
                    security_groups
                ):
                    return each
                raise DuplicateLoadBalancerName
        made = create_balancer(backend, name, security_groups, *rest, **more)
        made.due = time.monotonic() + BALANCER_PACES * pace()
        return made

    def activate(own: Any) -> None:
        """moto's are active at the first look."""
        if time.monotonic() >= own.due:
            own.state = "active"

    def unprotected(backend: Any, arn: str) -> None:
        """moto deletes a load balancer that is protected."""
        found = backend.load_balancers.get(arn)
        if found is not None and found.attrs.get("deletion_protection.enabled") == "true":
            raise ServiceException(
                "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            )
        delete_balancer(backend, arn)

    FakeLoadBalancer.activate = activate
    EC2Backend.delete_security_group = group
    EC2Backend.delete_subnet = subnet
    ELBv2Backend.create_load_balancer = balancer
    ELBv2Backend.delete_load_balancer = unprotected


def _balancers(backend: Any) -> list[Any]:
    return list(elbv2_backends[backend.account_id][backend.region_name].load_balancers.values())


def _users_of_group(backend: Any, group: str) -> Iterator[object]:
    yield from (each for each in backend.enis.values() if any(it.id == group for it in each.group_set))
    yield from (each for each in _balancers(backend) if group in each.security_groups)
    for groups in backend.groups.values():
        for other in groups.values():
            rules = [*other.ingress_rules, *other.egress_rules]
            if other.id != group and any((rule.source_group or {}).get("GroupId") == group for rule in rules):
                yield other
