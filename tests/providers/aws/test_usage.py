"""What services use, as CloudWatch has it of ECS: in cores and bytes, of what their tasks have."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from defang_nb.errors import NotFoundError
from defang_nb.providers.aws.operate.usage import usage
from tests.aws.handle import Simulation
from tests.providers.aws.stage import APP, Stage


async def test_the_newest_of_each_service(stage: Stage, simulation: Simulation) -> None:
    await stage.up(APP)
    recorded = list((await stage.recorded()).values())
    now = time.time() // 60 * 60
    for service, when, cpu, memory in (("web", 120, 10.0, 5.0), ("web", 60, 50.0, 25.0), ("api", 600, 90.0, 90.0)):
        dimensions = [
            {"Name": "ClusterName", "Value": "defang"},
            {"Name": "ServiceName", "Value": f"defang-prod-shop-{service}"},
        ]
        at = datetime.fromtimestamp(now - when, UTC)
        data = [
            {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}
            for name, value in (("CPUUtilization", cpu), ("MemoryUtilization", memory))
        ]
        simulation.client("cloudwatch").put_metric_data(Namespace="AWS/ECS", MetricData=data)
    simulation.forget()
    samples = usage(stage.account, stage.base.cluster, recorded, (), pace=0.01)
    [web] = await anext(samples)
    assert (web.service, web.cpu, web.memory, web.limit) == ("web", 0.125, 128 * 2**20, 512 * 2**20)
    assert web.time == pytest.approx(now - 60)
    assert simulation.counts().total == 1
    assert [each.service for each in await anext(samples)] == ["web"]
    with pytest.raises(NotFoundError, match="no service migrate runs"):
        await anext(usage(stage.account, stage.base.cluster, recorded, ("migrate",)))
