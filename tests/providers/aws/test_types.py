"""The types of resources in the simulated AWS: made, found, read in bulk, changed and unmade, and how many calls that takes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from defang_nb.model.resource import Resource, urn
from defang_nb.model.value import ref
from defang_nb.providers.aws import kinds
from defang_nb.provision.ports import LIVE_INPUTS
from defang_nb.provision.strays import owned
from tests.aws.handle import Simulation, until
from tests.providers.aws.plans import STACK, compiled
from tests.providers.aws.sites import keep, written
from tests.providers.aws.types_world import World

WIDE = """\
services:
  web:
    build: {context: .}
    ports: ["80", "8080"]
    x-defang-autoscaling: true
    x-defang-policies: [AmazonS3ReadOnlyAccess]
    environment: {TOKEN: null, URL: "postgres://app:${PASSWORD}@db:5432/app"}
  My_Other.Web: {image: nginx, domainname: shop.example.org, ports: ["80"]}
  db: {image: mysql, environment: {MYSQL_PASSWORD: "${PASSWORD}"}}
  once: {image: python, restart: "no"}
  store: {x-defang-postgres: true}
  cache: {x-defang-redis: true}
  docs: {x-defang-mongodb: true}
  site: {x-defang-static-files: {folder: site, redirects: [/old=/new]}, domainname: site.example.org}
  files: {image: nginx, volumes: ["data:/data"], x-defang-llm: true}
volumes: {data: {}}
"""
SECRETS = {"TOKEN": "hunter2-token", "PASSWORD": "correct-horse"}


async def wide(world: World, folder: Path) -> list[Resource]:
    """Everything at once; its image is there already."""
    for key, value in SECRETS.items():
        said = {"Name": f"/Defang/shop/{STACK}/{key}", "Value": value, "Type": "SecureString"}
        await world.account.call("ssm", "put_parameter", **said)
    await world.account.call("route53", "create_hosted_zone", Name="example.org", CallerReference="1")
    await keep(world.account, world.base, "contexts/site-site.tar.gz", written(folder))
    image = urn("shop", kinds.IMAGE, "web")
    return [
        msgspec.structs.replace(each, inputs={**each.inputs, "image": "built@sha256:1"})
        if each.inputs.get("image") == ref(image, "reference")
        else each
        for each in compiled(WIDE, base=world.base)
        if each.urn != image
    ]


async def test_everything_is_made_found_read_and_unmade(world: World, simulation: Simulation, tmp_path: Path) -> None:
    await world.make(await wide(world, tmp_path / "site"))
    live = await world.read()
    for key, record in world.recorded.items():
        found = await world.types[record.type].find(key)
        assert found is not None, key
        assert found.id == record.id, key
        assert live[key] is not None, key
        seen = live[key].get(LIVE_INPUTS, {})
        assert {name: record.inputs[name] for name in seen} == dict(seen), key
    made = {record.type for record in world.recorded.values()}
    assert made == {each.name for each in world.types.values()}
    parameter = world.recorded["shop/aws:ssm/Text/web/URL"].id
    text = await world.account.call("ssm", "get_parameters", Names=[parameter], WithDecryption=True)
    assert text["Parameters"][0]["Value"] == "postgres://app:correct-horse@db.shop.prod.internal:5432/app"
    for secret in SECRETS.values():
        assert simulation.search(secret) == []
        assert secret not in str(world.recorded) + str(world.told)
    recorded = dict(world.recorded)
    await world.remove()
    for key, record in recorded.items():
        if record.type != kinds.JOB:
            assert await world.types[record.type].find(key) is None, key
    assert simulation.problems() == []


@pytest.mark.e2e
async def test_all_that_is_tagged_is_told(world: World, tmp_path: Path) -> None:
    await world.make(await wide(world, tmp_path / "site"))
    told = {each.urn: each for each in await owned(world.types, "shop")}
    # Of all but the first two the simulation does not tell the tags.
    untold = {kinds.JOB, kinds.SCALING, kinds.LISTENER, kinds.RULE, kinds.REPOSITORY}
    untold |= {kinds.SUBNETS, kinds.PARAMETERS, kinds.RECORD, kinds.BUCKET_POLICY, kinds.SITE}
    assert {each.urn for each in world.recorded.values() if each.type not in untold} == set(told)
    for key, live in told.items():
        record = world.recorded[key]
        assert (live.type, live.id) == (record.type, record.id)
        assert {name: record.outputs.get(name) for name in live.outputs} == dict(live.outputs)
        replacing = world.types[live.type].replace_on
        assert {name: record.inputs[name] for name in replacing} == {name: (live.inputs or {})[name] for name in replacing}
    assert await owned(world.types, "elsewhere") == []


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


@pytest.mark.e2e
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
