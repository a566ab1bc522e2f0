"""`aws:ecr/Repository`: where a project's images are, and the layers that later builds reuse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.aws import kinds, names
from defang_nb.providers.aws.account import Answer
from defang_nb.providers.aws.types.base import ignoring
from defang_nb.providers.aws.types.inventory import Known, TaggedType
from defang_nb.provision.ports import Made, Operation

IMAGES, CACHE = "images", "cache"
_GONE = ("RepositoryNotFoundException",)
_EXISTS = ("RepositoryAlreadyExistsException",)
_KEPT: Final = {
    IMAGES: {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100},
    CACHE: {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
}
"""What goes by itself: which images, and when."""


class RepositoryType(TaggedType):
    """No inputs: its name in the project is `images` or `cache`. Outputs: `name`, `uri`. Its images go with it."""

    name = kinds.REPOSITORY
    idempotent = True
    resource = "ecr:repository"
    of_service = False

    async def create(self, operation: Operation) -> Made:
        urn = operation.resource.urn
        name = self._name(urn)

        async def make() -> Answer:
            answer = await self.account.call("ecr", "create_repository", repositoryName=name, tags=self.pairs(urn))
            found: Answer = answer["repository"]
            return found

        made = await self.claimed(urn, _EXISTS, make, f"repository {name}")
        rule = {"rulePriority": 1, "selection": _KEPT[names.parts(urn)[1]], "action": {"type": "expire"}}
        policy = json.dumps({"rules": [rule]})
        await self.account.call("ecr", "put_lifecycle_policy", repositoryName=name, lifecyclePolicyText=policy)
        return made

    async def update(self, operation: Operation) -> Made:
        return await self.create(operation)

    async def find(self, urn: str) -> Made | None:
        found = await self._read([self._name(urn)])
        return self.made(urn, found[0]) if found else None

    async def read_many(self, recorded: Sequence[Recorded]) -> Mapping[str, Mapping[str, Json] | None]:
        there = {each["repositoryName"] for each in await self._read([each.id for each in recorded])}
        return {each.urn: each.outputs if each.id in there else None for each in recorded}

    async def delete(self, recorded: Recorded) -> None:
        await ignoring(_GONE, self.account.call("ecr", "delete_repository", repositoryName=recorded.id, force=True))

    def made(self, urn: str, answer: Answer) -> Made:
        name = answer["repositoryName"]
        return Made(id=name, outputs={"name": name, "uri": answer["repositoryUri"]})

    async def seen(self, arns: Mapping[str, str]) -> Mapping[str, Known]:
        found = await self._read([arn.partition("/")[2] for arn in arns.values()]) if arns else []
        live = {each["repositoryArn"]: each for each in found}
        made = {urn: self.made(urn, live[arn]) for urn, arn in arns.items() if arn in live}
        return {urn: Known(id=each.id, outputs=each.outputs) for urn, each in made.items()}

    def by_arn(self, arn: str) -> Known:
        return Known(id=arn.partition("/")[2])

    def _name(self, urn: str) -> str:
        project, which = names.parts(urn)
        return names.repository(self.stack, project) + ("" if which == IMAGES else f"/{which}")

    async def _read(self, wanted: Sequence[str]) -> list[Answer]:
        """Those that are there. One that is not makes AWS refuse the question: then each is asked about."""
        answer = await ignoring(_GONE, self.account.call("ecr", "describe_repositories", repositoryNames=list(wanted)))
        if answer is not None:
            return list(answer["repositories"])
        return [each for name in wanted for each in await self._read([name])] if len(wanted) > 1 else []
