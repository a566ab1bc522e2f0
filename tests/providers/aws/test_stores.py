"""Managed stores in the simulated AWS: they come up before who uses them, are found by address, change, and go."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import pytest

from defang_nb.model.events import Outcome
from defang_nb.model.plan import Action
from defang_nb.providers.aws import again
from tests.aws.handle import Simulation, until
from tests.providers.aws.stage import Stage

APP = """\
services:
  web:
    image: nginx
    environment:
      DATABASE_URL: postgres://app:${DB_PASSWORD}@db:5432/shop
      REDIS_URL: redis://cache:6379/0
      PLAIN: cache:6379
    depends_on: [db, cache]
  db:
    image: postgres:16
    environment: {POSTGRES_USER: app, POSTGRES_DB: shop, POSTGRES_PASSWORD: "${DB_PASSWORD}"}
    x-defang-postgres: true
  cache: {image: redis, x-defang-redis: true}
"""
DB, CACHE = "shop/aws:rds/Instance/db", "shop/aws:elasticache/ReplicationGroup/cache"


async def given(stage: Stage, name: str, value: str) -> None:
    await stage.account.call("ssm", "put_parameter", Name=f"/Defang/shop/prod/{name}", Value=value, Type="SecureString")


async def task(stage: Stage) -> Any:
    arn = (await stage.recorded())["shop/aws:ecs/TaskDefinition/web"].outputs["arn"]
    answer = await stage.account.call("ecs", "describe_task_definition", taskDefinition=arn)
    return answer["taskDefinition"]["containerDefinitions"][0]


def fields_with(simulation: Simulation, secret: str) -> list[str]:
    """service:operation:field of each request outside the parameter store that holds `secret`, in whatever form."""
    bodies = simulation.bodies()
    named = [
        f"{each['service']}:{each['operation']}:{key}"
        for each in bodies
        for key, value in parse_qsl(each["body"])
        if secret in value
    ]
    # As it is, in a URL's form, in base64 or compressed: no request but those, and none of those more than once.
    assert sorted(simulation.search(secret)) == sorted(each.rpartition(":")[0] for each in named)
    return named


async def test_stores_come_up_are_found_stay_change_and_go(stage: Stage, simulation: Simulation) -> None:
    await given(stage, "DB_PASSWORD", "not-to-be-guessed")
    applied = await stage.up(APP)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    recorded = await stage.recorded()
    assert fields_with(simulation, "not-to-be-guessed") == ["rds:CreateDBInstance:MasterUserPassword"]
    assert "not-to-be-guessed" not in str(recorded) + str(stage.told) + str(stage.plan)
    db, cache = recorded[DB].outputs, recorded[CACHE].outputs
    environment = {each["name"]: each["value"] for each in (await task(stage))["environment"]}
    assert environment["REDIS_URL"] == f"rediss://{cache['address']}:6379/0"
    assert environment["PLAIN"] == f"{cache['address']}:6379"
    [secret] = (await task(stage))["secrets"]
    text = await stage.account.call("ssm", "get_parameter", Name=secret["valueFrom"], WithDecryption=True)
    assert text["Parameter"]["Value"] == f"postgres://app:not-to-be-guessed@{db['address']}:5432/shop"
    [live] = (await stage.account.call("rds", "describe_db_instances"))["DBInstances"]
    assert (live["MasterUsername"], live["DBName"], live["DBInstanceClass"]) == ("app", "shop", "db.t4g.micro")
    assert live["StorageEncrypted"] and not live["PubliclyAccessible"]
    simulation.forget()
    await stage.up(APP)
    assert stage.plan.mutations == ()
    assert simulation.counts().mutations() == {}
    larger = APP.replace("x-defang-redis: true", "x-defang-redis: true, mem_limit: 3g")
    applied = await stage.up(larger.replace("x-defang-postgres: true", "x-defang-postgres: true\n    mem_limit: 4g"))
    assert {(each.action, each.urn) for each in stage.plan.mutations if each.urn in (DB, CACHE)} == {
        (Action.UPDATE, DB),
        (Action.UPDATE, CACHE),
    }
    applied = await stage.down()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await stage.recorded() == {}
    for service, operation, key in (
        ("rds", "describe_db_instances", "DBInstances"),
        ("rds", "describe_db_subnet_groups", "DBSubnetGroups"),
        ("elasticache", "describe_replication_groups", "ReplicationGroups"),
    ):
        assert (await stage.account.call(service, operation))[key] == []
    assert simulation.problems() == []


async def test_a_password_that_nobody_gave_is_made_and_handed_on(stage: Stage, simulation: Simulation) -> None:
    text = "services:\n  web: {image: nginx, environment: {PGHOST: db}}\n  db: {x-defang-postgres: true}\n"
    applied = await stage.up(text)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    [secret] = (await task(stage))["secrets"]
    assert secret == {"name": "PGPASSWORD", "valueFrom": "/Defang/shop/prod/made-for/db/POSTGRES_PASSWORD"}
    before = await stage.account.call("ssm", "get_parameter", Name=secret["valueFrom"], WithDecryption=True)
    await stage.up(text.replace("nginx", "nginx:2"))
    made = before["Parameter"]["Value"]
    assert len(made) >= 32
    assert fields_with(simulation, made) == ["rds:CreateDBInstance:MasterUserPassword"]
    assert made not in str(await stage.recorded()) + str(stage.told)
    again = await stage.account.call("ssm", "get_parameter", Name=secret["valueFrom"], WithDecryption=True)
    assert again["Parameter"]["Value"] == before["Parameter"]["Value"]


async def test_a_password_that_rds_refuses_is_said_before_anything_is_made(stage: Stage) -> None:
    await given(stage, "DB_PASSWORD", "a/b")
    applied = await stage.up(APP)
    error = applied.failed[DB]
    assert "POSTGRES_PASSWORD" in error.message and "a/b" not in error.message + error.hint
    assert "shop/aws:ecs/Service/web" in applied.skipped


async def test_a_database_of_a_snapshot_gets_the_password_of_the_project(stage: Stage, simulation: Simulation) -> None:
    said = {"DBInstanceIdentifier": "old", "Engine": "postgres", "DBInstanceClass": "db.t4g.micro", "AllocatedStorage": 20}
    await stage.account.call("rds", "create_db_instance", **said, MasterUsername="app", MasterUserPassword="long-forgotten")
    rds = simulation.client("rds")
    await asyncio.to_thread(until, lambda: rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "available")
    await stage.account.call("rds", "create_db_snapshot", DBInstanceIdentifier="old", DBSnapshotIdentifier="before")
    await given(stage, "DB_PASSWORD", "not-to-be-guessed")
    simulation.forget()
    applied = await stage.up(APP.replace("x-defang-postgres: true", "x-defang-postgres: {from-snapshot: before}"))
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    made = {call: count for call, count in simulation.counts().mutations().items() if "DBInstance" in call[1]}
    assert made == {("rds", "RestoreDBInstanceFromDBSnapshot"): 1, ("rds", "ModifyDBInstance"): 1}
    assert fields_with(simulation, "not-to-be-guessed") == ["rds:ModifyDBInstance:MasterUserPassword"]


FILES = """\
services:
  web: {image: nginx, volumes: ["data:/data"]}
volumes: {data: {}}
"""


async def test_a_named_volume_is_mounted_and_outlives_the_service(stage: Stage, simulation: Simulation) -> None:
    applied = await stage.up(FILES)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    [system] = (await stage.account.call("efs", "describe_file_systems"))["FileSystems"]
    assert system["Encrypted"] and system["NumberOfMountTargets"] == 2
    arn = (await stage.recorded())["shop/aws:ecs/TaskDefinition/web"].outputs["arn"]
    answer = await stage.account.call("ecs", "describe_task_definition", taskDefinition=arn)
    [volume] = answer["taskDefinition"]["volumes"]
    assert volume["efsVolumeConfiguration"]["fileSystemId"] == system["FileSystemId"]
    assert (await stage.recorded())["shop/aws:efs/FileSystem/data"].protect
    simulation.forget()
    await stage.up(FILES)
    assert stage.plan.mutations == () and simulation.counts().mutations() == {}
    applied = await stage.down()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert (await stage.account.call("efs", "describe_file_systems"))["FileSystems"] == []
    assert simulation.problems() == []


@pytest.mark.e2e
@pytest.mark.parametrize("kinds", [("throttle", "error"), ("lost", "lost-error")])
async def test_a_bad_day_makes_no_second_store(
    stage: Stage, simulation: Simulation, kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(again, "_PAUSE", 0.01)
    await given(stage, "DB_PASSWORD", "not-to-be-guessed")
    text = APP.replace("image: nginx\n", "image: nginx\n    volumes: ['data:/data']\n", 1) + "volumes: {data: {}}\n"
    for wanted, count in ((text, 1), ("", 0)):
        simulation.faults(*({"kind": kind, "share": 0.1} for kind in kinds), seed=count)
        for _ in range(4):
            if (applied := await stage.up(wanted)).outcome is Outcome.SUCCEEDED:
                break
        simulation.faults()
        assert applied.outcome is Outcome.SUCCEEDED, applied.failed
        for service, operation, key in (
            ("rds", "describe_db_instances", "DBInstances"),
            ("rds", "describe_db_subnet_groups", "DBSubnetGroups"),
            ("elasticache", "describe_replication_groups", "ReplicationGroups"),
            ("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups"),
            ("efs", "describe_file_systems", "FileSystems"),
            ("efs", "describe_access_points", "AccessPoints"),
        ):
            assert len((await stage.account.call(service, operation))[key]) == count, operation
