"""The types of resources in the simulated AWS: made, found, read in bulk, changed and unmade, and how many calls that takes."""

from __future__ import annotations

from defang_nb.provision.ports import LIVE_INPUTS
from tests.aws.handle import Simulation, until
from tests.providers.aws.plans import compiled
from tests.providers.aws.types_world import World

SMALL = "services:\n  web:\n    image: nginx\n    ports: ['80']\n  db: {image: redis}\n"


async def test_a_project_is_made_found_read_and_unmade(world: World) -> None:
    await world.make(compiled(SMALL, base=world.base))
    live = await world.read()
    for urn, record in world.recorded.items():
        found = await world.types[record.type].find(urn)
        assert found is not None, urn
        assert found.id == record.id, urn
        assert live[urn] is not None, urn
        seen = live[urn].get(LIVE_INPUTS, {})
        assert {key: record.inputs[key] for key in seen} == dict(seen), urn
    recorded = dict(world.recorded)
    await world.remove()
    for urn, record in recorded.items():
        assert await world.types[record.type].find(urn) is None, urn


def ten_services() -> str:
    """Four that are published, four that are not, a one-off and a cache."""
    lines = ["services:"]
    for number in range(4):
        lines.append(f"  web{number}: {{image: nginx, ports: ['{8000 + number}:80'], depends_on: [cache]}}")
        lines.append(
            f"  worker{number}: {{image: python, command: work, environment: {{CACHE: 'redis://cache:6379', A: null}}}}"
        )
    lines += ["  cache: {image: redis}", "  once: {image: python, command: migrate, restart: 'no'}", ""]
    return "\n".join(lines)


async def test_ten_services_take_few_calls(world: World, simulation: Simulation) -> None:
    await world.make(compiled(ten_services(), base=world.base))
    made = simulation.counts()
    await world.read()
    read = simulation.counts() - made
    assert (made.total, read.total, len(read.changing)) <= (200, 30, 0)
    simulation.forget()
    await world.make(compiled(ten_services().replace("command: work,", "command: more,", 1), base=world.base))
    assert simulation.counts().mutations() == {("ecs", "RegisterTaskDefinition"): 1, ("ecs", "UpdateService"): 1}


async def test_a_service_that_is_still_going_is_waited_for(world: World, simulation: Simulation) -> None:
    simulation.behaviours({"match": "redis", "patience": 0.5})
    text = "services:\n  db: {image: redis}\n"
    await world.make(compiled(text, base=world.base))
    service = next(each for each in compiled(text, base=world.base) if each.main)
    cluster, name = world.base.cluster, "defang-prod-shop-db"
    until(lambda: simulation.tasks(), "a task runs")
    await world.account.call("ecs", "delete_service", cluster=cluster, service=name, force=True)
    made = await world.types[service.type].create(world.operation(service))
    assert made.id == name
