"""Images built by Kaniko tasks: what runs, what is told of it, and what becomes of it when something goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from defang_nb.build import archive, manifest
from defang_nb.errors import BuildError, ProviderError
from defang_nb.model.events import BuildLine, Payload
from defang_nb.model.image import ImageSource
from defang_nb.model.resource import Resource, urn
from defang_nb.model.value import ConfigRef, Json, config
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.builds.image import ImageType
from defang_nb.providers.aws.config import ParameterConfigStore
from defang_nb.providers.aws.names import repository
from defang_nb.providers.aws.store import BucketStore
from defang_nb.provision.ports import Operation
from tests.aws.account import Yard
from tests.aws.handle import ACCOUNT, REGION, until

DOCKERFILE = "FROM python:3.13-slim\nCOPY . .\nRUN pip install flask\n"
SOURCE = ImageSource(reference="shop/web:abc", digest="d", context_key="contexts/d.tar.gz", services=("web",))
SECRET = "hunter2-hunter2"
FAILED = (
    '{"level":"info","msg":"Retrieving image manifest python:3.13-slim","time":"2026-01-01T00:00:00Z"}',
    '{"level":"info","msg":"RUN pip install flask","time":"2026-01-01T00:00:01Z"}',
    "ERROR: No matching distribution found for flask",
    "error building image: error building stage: failed to execute command: waiting for process to exit: exit status 1",
)


class Builder:
    """An image type with a context, a repository and a configuration value."""

    def __init__(self, yard: Yard, folder: Path) -> None:
        self.yard = yard
        self.heard: list[str] = []
        account = Account({"AWS_REGION": REGION})
        yard.client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
        made = yard.client("ecr").create_repository(repositoryName=repository("s", "shop"))
        self.address = made["repository"]["repositoryUri"]
        roles = {}
        for name in ("execution", "kaniko"):
            made = yard.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
            roles[name] = made["Role"]["Arn"]
        base = Base(
            account=ACCOUNT, region=REGION, bucket="bucket", cluster=yard.cluster, vpc=yard.vpc, subnets=tuple(yard.subnets),
            services_group=yard.group, public_group=yard.group, cd_group=yard.group, log_group="yard",
            execution_role=roles["execution"], cd_role="", kaniko_role=roles["kaniko"], cd_image_role="", boundary="",
            cd_task="", cd_repository="", revision=1,
        )  # fmt: skip
        self.store = BucketStore(account, "bucket", "s")
        self.config = ParameterConfigStore(account, "s")
        self.type = ImageType(account, lambda: base, "s", self.store, self.config.values, pace=0.05)
        (folder / "context").mkdir()
        (folder / "context" / "Dockerfile").write_text(DOCKERFILE)
        archive(manifest(folder / "context"), folder / "archive", for_kaniko=True)
        self.archive = folder / "archive"

    async def prepare(self) -> Builder:
        await self.store.upload(SOURCE.context_key, self.archive)
        await self.config.set("shop", "TOKEN", SECRET)
        return self

    def operation(self, args: Mapping[str, Json] | None = None) -> Operation:
        source = msgspec.structs.replace(SOURCE, args={"TOKEN": (ConfigRef("TOKEN"),)} if args else {})
        inputs = {
            "reference": source.reference, "source": msgspec.to_builtins(source), "args": dict(args or {}),
            "repository": self.address, "cache": f"{self.address}/cache",
        }  # fmt: skip
        resource = Resource(urn=urn("shop", ImageType.name, "web"), type=ImageType.name, inputs=inputs)
        return Operation(resource=resource, token="t", deployment="d", emit=self.hear)

    def hear(self, payload: Payload) -> None:
        assert isinstance(payload, BuildLine)
        self.heard.append(payload.line)

    def tasks(self) -> list[str]:
        return list(self.yard.client("ecs").list_tasks(cluster=self.yard.cluster)["taskArns"])


@pytest.fixture
async def builder(yard: Yard, tmp_path: Path) -> Builder:
    return await Builder(yard, tmp_path).prepare()


async def test_an_image_is_built_once_and_found_afterwards(builder: Builder) -> None:
    made = await builder.type.create(builder.operation())
    assert made.id == f"{builder.address}:web-abc"
    assert made.outputs["reference"].startswith(f"{builder.address}@sha256:")
    before = builder.yard.simulation.counts()
    again = await builder.type.create(builder.operation())
    assert again == made == await builder.type.find(builder.operation().resource.urn)
    assert builder.heard[-1] == "built already"
    assert (builder.yard.simulation.counts() - before).mutations() == {}
    definitions = builder.yard.client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    assert definitions == []


async def test_a_failed_build_says_why_with_the_dockerfile_s_line(builder: Builder) -> None:
    builder.yard.simulation.behaviours({"match": "build", "exit_code": 1, "lines": FAILED})
    with pytest.raises(BuildError, match="exit code: 1") as caught:
        await builder.type.create(builder.operation())
    [found] = caught.value.diagnostics
    assert found.position is not None
    assert found.position.line == 3
    assert "ERROR: No matching distribution found for flask" in builder.heard


async def test_a_secret_argument_is_handed_over_by_aws_and_hidden_in_the_log(builder: Builder) -> None:
    builder.yard.simulation.behaviours({"match": "build", "exit_code": 1, "lines": [f"it is {SECRET}!"]})
    with pytest.raises(BuildError) as caught:
        await builder.type.create(builder.operation({"TOKEN": config("TOKEN")}))
    assert "it is ***!" in builder.heard
    assert SECRET not in f"{caught.value.message}{caught.value.hint}{caught.value.diagnostics}{builder.heard}"
    assert builder.yard.simulation.search(SECRET) == []


async def test_a_build_that_runs_out_of_memory_gets_more(builder: Builder) -> None:
    builder.yard.simulation.behaviours({"match": "build", "start_failure": "OutOfMemoryError: container killed"})
    with pytest.raises(ProviderError, match="more memory than the largest task has"):
        await builder.type.create(builder.operation())
    assert [each for each in builder.heard if "did not suffice" in each] == [
        f"{small} GB of memory did not suffice; once more with {large} GB" for small, large in ((4, 8), (8, 16), (16, 32))
    ]


async def test_the_next_build_begins_with_the_memory_that_the_last_one_needed(builder: Builder) -> None:
    operation = builder.operation()

    def enough(line: BuildLine) -> None:
        builder.hear(line)
        if "once more with 8 GB" in line.line:
            builder.yard.simulation.behaviours()

    builder.yard.simulation.behaviours({"match": "build", "start_failure": "OutOfMemoryError: container killed"})
    await builder.type.create(msgspec.structs.replace(operation, emit=enough))
    ecs = builder.yard.client("ecs")
    await builder.type.update(msgspec.structs.replace(operation, token="another"))
    made = [ecs.describe_task_definition(taskDefinition=each)["taskDefinition"]["memory"] for each in ecs.list_task_definitions(
        familyPrefix="defang-build-s-shop-web", status="INACTIVE"
    )["taskDefinitionArns"]]  # fmt: skip
    assert made == ["4096", "8192", "8192"]


async def test_a_cancelled_build_s_task_is_stopped(builder: Builder) -> None:
    builder.yard.simulation.behaviours({"match": "build"})
    building = asyncio.ensure_future(builder.type.create(builder.operation()))
    await asyncio.to_thread(until, builder.tasks, "a task runs")
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    ecs, cluster = builder.yard.client("ecs"), builder.yard.cluster
    stopped = await asyncio.to_thread(until, lambda: ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"])
    found = builder.yard.task(stopped[0])
    assert (found["desiredStatus"], found["stoppedReason"]) == ("STOPPED", "the deployment was cancelled")


async def test_a_build_that_a_dead_cd_began_is_followed_to_its_end(builder: Builder) -> None:
    builder.yard.simulation.behaviours({"match": "build"})
    first = asyncio.ensure_future(builder.type.create(builder.operation()))
    await asyncio.to_thread(until, builder.tasks, "a task runs")
    second = asyncio.ensure_future(builder.type.create(builder.operation()))
    followed = "a build that an earlier deployment began goes on"
    await asyncio.to_thread(until, lambda: followed in builder.heard, "the second follows the first one's task")
    builder.yard.simulation.finish("build")
    assert await second == await first
    assert len(builder.yard.simulation.tasks()) == 1


async def test_a_builder_that_can_not_be_had_is_told(builder: Builder) -> None:
    builder.yard.simulation.behaviours({"match": "build", "start_failure": "CannotPullContainerError: no such manifest"})
    with pytest.raises(ProviderError, match="CannotPullContainerError") as caught:
        await builder.type.create(builder.operation())
    assert "DEFANG_KANIKO_IMAGE" in caught.value.hint
