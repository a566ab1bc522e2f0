"""What the bootstrap made in one account and region: all that later steps need to know of it."""

from __future__ import annotations

import msgspec


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """Roles, the cluster and the boundary (a managed policy) are ARNs; `cd_task` is a family.

    `cd_image_role` is that of the build of cd's own image, `kaniko_role` of all others.

    `services_group` is the security group of services and of the load balancer's inner side, `public_group` that of load
    balancers (80 and 443 from anywhere), `cd_group` cd's own. `log_group` has the logs of cd and builds. `revision` is the
    template's.
    """

    account: str
    region: str
    bucket: str
    cluster: str
    vpc: str
    subnets: tuple[str, ...]
    services_group: str
    public_group: str
    cd_group: str
    log_group: str
    execution_role: str
    cd_role: str
    kaniko_role: str
    cd_image_role: str
    boundary: str
    cd_task: str
    cd_repository: str
    revision: int
