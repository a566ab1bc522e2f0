"""Images: each in the project's repository, built there by Kaniko unless it is there."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from defang_nb.build.dockerfile import Dockerfile
from defang_nb.build.hidden import Hidden
from defang_nb.build.kaniko import IMAGE, Job, Story, arguments
from defang_nb.build.log import read_dockerfile
from defang_nb.errors import DefangError, NotFoundError, ProviderError
from defang_nb.model.events import BuildLine
from defang_nb.model.image import ImageSource
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json, config_keys
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.builds.task import PACE, SIZES, Ended, KanikoTask, Wanted
from defang_nb.providers.aws.config import parameter
from defang_nb.providers.aws.names import build_logs, repository, tags
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.store import BucketStore
from defang_nb.provision.ports import ApiClass, Made, OnCancel, Operation, TransientError

IMAGE_SETTING = "DEFANG_KANIKO_IMAGE"
_ABSENT = frozenset({"RepositoryNotFoundException", "ImageNotFoundException"})
_BATCH = 100
"""Images that one call of ECR answers about."""

Values = Callable[[str, Sequence[str]], Awaitable[Mapping[str, str]]]
"""A project's configuration values by name, to be hidden in logs."""


class ImageType:
    """Inputs: `source` (an `ImageSource`), `args` (its own, as inputs), `repository` and `cache` (addresses in ECR).

    Outputs: `reference` (`<repository>@sha256:…`, what task definitions name) and `tag`.
    """

    name = kinds.IMAGE
    replace_on = frozenset({"reference", "repository"})
    create_before_delete = True
    on_cancel = OnCancel.ABANDON
    api = ApiClass("builds", 10)
    lag = 0.0
    idempotent = True

    def __init__(
        self,
        account: Account,
        base: Callable[[], Base],
        stack: str,
        store: BucketStore,
        values: Values,
        *,
        kaniko: str = "",
        pace: float = PACE,
    ) -> None:
        self._account = account
        self._base = base
        self._stack = stack
        self._store = store
        self._values = values
        self._kaniko = kaniko or IMAGE
        self._pace = pace

    async def create(self, operation: Operation) -> Made:
        """Nothing is built where the registry has it: the tag is a pure function of what an image is made from."""
        source, address = _source(operation), operation.resource.inputs["repository"]
        if found := await self._look(address, [{"imageTag": _tag(source)}]):
            operation.emit(BuildLine(urn=operation.resource.urn, line="built already", cached=True))
            return _made(address, _tag(source), found[0])
        return await self._build(operation, source)

    async def update(self, operation: Operation) -> Made:
        return await self._build(operation, _source(operation))

    async def find(self, urn: str) -> Made | None:
        """The newest that was pushed under this image's name."""
        project = urn.partition("/")[0]
        name = urn.removeprefix(f"{project}/{self.name}/")
        try:
            pages = await self._account.pages("ecr", "describe_images", repositoryName=repository(self._stack, project))
        except AwsError as error:
            if error.code in _ABSENT:
                return None
            raise
        named = [
            (each["imagePushedAt"], tag, each) for page in pages for each in page["imageDetails"]
            for tag in each.get("imageTags", ()) if tag.rpartition("-")[0] == name
        ]  # fmt: skip
        if not named:
            return None
        _, tag, newest = max(named, key=lambda each: each[0])
        address = f"{newest['registryId']}.dkr.ecr.{self._account.region}.amazonaws.com/{newest['repositoryName']}"
        return _made(address, tag, newest["imageDigest"])

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        groups: dict[str, set[str]] = {}
        for each in recorded:
            address, _, digest = str(each.outputs.get("reference", "")).partition("@")
            groups.setdefault(address, set()).add(digest)
        there = {
            f"{address}@{digest}"
            for address, digests in groups.items()
            for digest in await self._look(address, [{"imageDigest": digest} for digest in sorted(digests)])
        }
        return {each.urn: each.outputs if each.outputs.get("reference") in there else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        name = _repository_name(recorded.inputs["repository"])
        tag = recorded.outputs.get("tag")
        try:
            await self._account.call("ecr", "batch_delete_image", repositoryName=name, imageIds=[{"imageTag": tag}])
        except AwsError as error:
            if error.code not in _ABSENT:
                raise

    async def ready(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        return made.outputs

    async def _look(self, address: str, ids: Sequence[Mapping[str, str]]) -> list[str]:
        """The digests of those that the registry has."""
        found = []
        for start in range(0, len(ids), _BATCH):
            try:
                answer = await self._account.call(
                    "ecr", "batch_get_image", repositoryName=_repository_name(address), imageIds=ids[start : start + _BATCH]
                )
            except AwsError as error:
                if error.code in _ABSENT:
                    return []
                raise
            found += [each["imageId"]["imageDigest"] for each in answer["images"]]
        return found

    async def _build(self, operation: Operation, source: ImageSource) -> Made:
        resource = operation.resource
        urn, address = resource.urn, resource.inputs["repository"]
        project = urn.partition("/")[0]
        keys = sorted(set(config_keys(resource.inputs["args"])))
        hidden = await self._hidden(project, keys)

        def emit(line: str, *, step: int = 0, steps: int = 0, cached: bool = False, seconds: float = 0.0) -> None:
            operation.emit(BuildLine(urn=urn, line=line, step=step, steps=steps, cached=cached, seconds=seconds))

        tell = hidden.tell(emit)
        file = await asyncio.to_thread(self._dockerfile, source)
        story = Story(file, tell)
        plain, secret = _arguments(project, self._stack, resource.inputs["args"])
        job = Job(
            context=self._store.address(source.context_key),
            destination=f"{address}:{_tag(source)}",
            cache_repo=resource.inputs.get("cache", ""),
            dockerfile=source.dockerfile or "Dockerfile",
            target=source.target,
            platform=source.platform,
            args=plain,
            secret_args=tuple(secret),
            labels=source.labels,
        )
        wanted = Wanted(
            name=f"{self._stack}-{project}-{source.name}",
            log=build_logs(self._stack, project, source.name),
            role=self._base().kaniko_role,
            mark=hashlib.sha256(f"{self._stack}/{urn}/{_tag(source)}".encode()).hexdigest()[:32],
            token=operation.token,
            image=self._kaniko,
            command=arguments(job),
            secrets=secret,
            platform=source.platform,
            tags=tags(self._stack, project, urn),
        )
        needs = f"builds/{project}/{source.name}"
        least = await self._needed(needs)
        try:
            ended = await KanikoTask(self._account, self._base(), self._pace).run(wanted, story.hear, least=least)
            if ended.code != 0:
                raise self._failure(ended, story, source, address)
        except DefangError as error:
            raise hidden.error(error) from None
        if ended.memory > max(least, SIZES[0][1]):
            await self._store.put(needs, str(ended.memory).encode())
        found = await self._look(address, [{"imageTag": _tag(source)}])
        if not found:
            raise TransientError(f"{address}:{_tag(source)} was pushed, and the registry does not show it", after=2.0)
        return _made(address, _tag(source), found[0])

    async def _needed(self, key: str) -> int:
        """MiB of memory that the image's last build needed; 0 where that was no more than the least."""
        stored = await self._store.get(key)
        return int(stored.data) if stored and stored.data.isdigit() else 0

    async def _hidden(self, project: str, keys: Sequence[str]) -> Hidden:
        """What must not show in the log. Values are read for this alone: the task gets them from AWS by name."""
        if not keys:
            return Hidden(())
        values = await self._values(project, keys)
        if missing := sorted(set(keys) - set(values)):
            raise NotFoundError(f"the configuration value {missing[0]} is not set", hint=f"config set {missing[0]}")
        return Hidden(values.values())

    def _dockerfile(self, source: ImageSource) -> Dockerfile:
        with self._store.opened(source.context_key) as body:
            return read_dockerfile(body, source)

    def _failure(self, ended: Ended, story: Story, source: ImageSource, address: str) -> DefangError:
        if ended.out_of_memory:
            return ProviderError(f"the build of {source.name} needs more memory than the largest task has: {ended.why}")
        if ended.code is None:
            return ProviderError(
                f"the build of {source.name} did not start: {ended.why or 'AWS does not say why'}",
                hint=f"the builder's image is {self._kaniko}; {IMAGE_SETTING} names another one",
            )
        return story.failure(source, address.partition("/")[0])


def _source(operation: Operation) -> ImageSource:
    return msgspec.convert(operation.resource.inputs["source"], ImageSource)


def _tag(source: ImageSource) -> str:
    """All images of a project share one repository: the tag tells which one it is, and what it was made from."""
    return f"{source.name}-{source.reference.rpartition(':')[2]}"


def _made(address: str, tag: str, digest: str) -> Made:
    return Made(id=f"{address}:{tag}", outputs={"reference": f"{address}@{digest}", "tag": tag})


def _repository_name(address: str) -> str:
    return address.partition("/")[2]


def _arguments(project: str, stack: str, given: Mapping[str, Json]) -> tuple[dict[str, str], dict[str, str]]:
    """Build arguments that may be seen, and those whose value AWS hands to the task: name → parameter."""
    plain, secret = {}, {}
    for name, value in given.items():
        match value:
            case {"$config": str(key)}:
                secret[name] = parameter(project, stack, key)
            case str():
                plain[name] = value
            case _:
                raise ProviderError(
                    f"the build argument {name} is made of a configuration value and other text, which AWS can't hand over",
                    hint=f"keep the whole text as a configuration value, and give that: {name}: ${{…}}",
                )
    return plain, secret
