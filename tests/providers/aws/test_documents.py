"""A MongoDB of DocumentDB in the simulated AWS: it comes up, services reach it with a password, it changes, and it goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from defang_nb.model.events import Outcome
from defang_nb.model.value import Json
from defang_nb.providers.aws.compile.documents import completed, version
from tests.aws.handle import Simulation, until
from tests.providers.aws.plans import project
from tests.providers.aws.stage import Stage
from tests.providers.aws.test_stores import fields_with, given, task

APP = """\
services:
  web: {image: nginx, environment: {MONGO_URL: "mongodb://docs:27017/shop", MONGO_HOST: docs}}
  docs: {image: "mongo:7", x-defang-mongodb: true}
"""
SAID = """\
services:
  web: {image: nginx, environment: {MONGO_URL: "mongodb://shop:${PW}@docs/?tls=true&tlsCAFile=/ca.pem"}}
  docs:
    x-defang-mongodb: true
    environment: {MONGO_INITDB_ROOT_USERNAME: shop, MONGO_INITDB_ROOT_PASSWORD: "${PW}"}
"""
CLUSTER, NODE = "shop/aws:docdb/Cluster/docs", "shop/aws:docdb/Instance/docs"
ADDRESS: Json = {"$ref": "docs#address"}


async def url(stage: Stage) -> str:
    [secret] = (await task(stage))["secrets"]
    answer = await stage.account.call("ssm", "get_parameter", Name=secret["valueFrom"], WithDecryption=True)
    return str(answer["Parameter"]["Value"])


async def live(stage: Stage) -> tuple[list[Any], list[Any]]:
    clusters = await stage.account.call("docdb", "describe_db_clusters")
    nodes = await stage.account.call("docdb", "describe_db_instances")
    return clusters["DBClusters"], nodes["DBInstances"]


async def test_it_comes_up_with_a_password_of_its_own_stays_changes_and_goes(stage: Stage, simulation: Simulation) -> None:
    applied = await stage.up(APP)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    made = "/Defang/shop/prod/made-for/docs/MONGO_INITDB_ROOT_PASSWORD"
    answer = await stage.account.call("ssm", "get_parameter", Name=made, WithDecryption=True)
    password = answer["Parameter"]["Value"]
    recorded = await stage.recorded()
    address = recorded[NODE].outputs["address"]
    said = f"mongodb://owner:{password}@{address}:27017/shop?tls=true&tlsInsecure=true&retryWrites=false"
    assert await url(stage) == said
    assert {each["name"]: each["value"] for each in (await task(stage))["environment"]}["MONGO_HOST"] == address
    assert fields_with(simulation, password) == ["rds:CreateDBCluster:MasterUserPassword"]
    assert password not in str(recorded) + str(stage.told) + str(stage.plan)
    [[cluster], [node]] = await live(stage)
    assert (cluster["Engine"], cluster["EngineVersion"], cluster["Endpoint"]) == ("docdb", "5.0.0", address)
    assert cluster["StorageEncrypted"] and node["DBInstanceClass"] == "db.t4g.medium"

    simulation.forget()
    await stage.up(APP)
    assert stage.plan.mutations == ()
    assert simulation.counts().mutations() == {}

    await stage.up(APP.replace("x-defang-mongodb: true", "mem_limit: 10g, x-defang-mongodb: {allow-downtime: true}"))
    [_, [node]] = await live(stage)
    assert node["DBInstanceClass"] == "db.r6g.large"

    applied = await stage.down()
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    assert await stage.recorded() == {}
    assert await live(stage) == ([], [])
    assert simulation.problems() == []


async def test_a_password_that_was_said_is_used_and_nothing_is_put_into_addresses(stage: Stage, simulation: Simulation) -> None:
    await given(stage, "PW", "not-to-be-guessed")
    applied = await stage.up(SAID)
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    address = (await stage.recorded())[NODE].outputs["address"]
    assert await url(stage) == f"mongodb://shop:not-to-be-guessed@{address}/?tls=true&tlsCAFile=/ca.pem&retryWrites=false"
    assert fields_with(simulation, "not-to-be-guessed") == ["rds:CreateDBCluster:MasterUserPassword"]


async def test_a_password_that_it_does_not_take_is_said_before_it_is_made(stage: Stage) -> None:
    await given(stage, "PW", "a/b")
    applied = await stage.up(SAID)
    error = applied.failed[CLUSTER]
    assert "MONGO_INITDB_ROOT_PASSWORD" in error.message and "a/b" not in error.message + error.hint


async def test_one_of_a_snapshot_gets_the_password_of_the_project(stage: Stage, simulation: Simulation) -> None:
    old = {
        "DBClusterIdentifier": "old",
        "Engine": "docdb",
        "EngineVersion": "5.0.0",
        "MasterUsername": "shop",
        "MasterUserPassword": "long-forgotten",
    }
    await stage.account.call("docdb", "create_db_cluster", **old)
    docdb = simulation.client("docdb")
    await asyncio.to_thread(until, lambda: docdb.describe_db_clusters()["DBClusters"][0]["Status"] == "available")
    snapshot = {"DBClusterIdentifier": "old", "DBClusterSnapshotIdentifier": "before"}
    await stage.account.call("docdb", "create_db_cluster_snapshot", **snapshot)
    simulation.forget()
    applied = await stage.up(APP.replace("x-defang-mongodb: true", "x-defang-mongodb: {from-snapshot: before}"))
    assert applied.outcome is Outcome.SUCCEEDED, applied.failed
    made = {call: count for call, count in simulation.counts().mutations().items() if "DBCluster" in call[1]}
    assert made == {("rds", "RestoreDBClusterFromSnapshot"): 1, ("rds", "ModifyDBCluster"): 1}


@pytest.mark.parametrize(
    ("image", "made"),
    [("mongo", "5.0.0"), ("mongo:7", "5.0.0"), ("mongo:4.4-jammy", "4.0.0"), ("mongo:3", "3.6.0"), ("mongo:2.6", "3.6.0")],
)
def test_the_version_is_the_nearest_that_is_not_newer(image: str, made: str) -> None:
    text = f"services: {{docs: {{image: '{image}', x-defang-mongodb: true}}}}"
    assert version(project(text).services["docs"]) == made


@pytest.mark.parametrize(
    ("parts", "made"),
    [
        (["mongodb://", ADDRESS], ["mongodb://", "U", "@", ADDRESS, "/?tls=true&tlsInsecure=true&retryWrites=false"]),
        (["mongodb://a:b@", ADDRESS, "/x"], ["mongodb://a:b@", ADDRESS, "/x?tls=true&tlsInsecure=true&retryWrites=false"]),
        (["mongodb://", ADDRESS, "/x?ssl=false&retryWrites=true"], ["mongodb://U@", ADDRESS, "/x?ssl=false&retryWrites=true"]),
        (["http://", ADDRESS, "/x"], ["http://", ADDRESS, "/x"]),
        (["mongodb+srv://", ADDRESS, "/x"], ["mongodb+srv://", ADDRESS, "/x"]),
        ([ADDRESS, ":27017"], [ADDRESS, ":27017"]),
    ],
)
def test_addresses_are_completed_with_what_they_lack(parts: list[Json], made: list[Json]) -> None:
    def text(found: Json) -> str:
        return "".join(each if isinstance(each, str) else "<address>" for each in found["$join"])

    assert text(completed({"$join": parts}, ADDRESS, ["U"])) == text({"$join": made})
    assert completed("mongodb://elsewhere", ADDRESS, ["U"]) == "mongodb://elsewhere"
