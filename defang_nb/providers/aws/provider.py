"""AWS: a stack in the user's own account. Credentials are found as boto3 finds them; nothing of ours lies in between."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property

import msgspec

from defang_nb.build.hidden import Hidden
from defang_nb.errors import NotFoundError, ProviderError, UsageError
from defang_nb.model.execution import Execution
from defang_nb.model.image import ImageSource
from defang_nb.model.pace import Usual
from defang_nb.model.project import Project
from defang_nb.model.resource import Recorded, Resource
from defang_nb.model.source import Diagnostic
from defang_nb.model.stack import Stack
from defang_nb.model.status import LogKind, LogQuery, LogRecord, ServiceStatus, Usage
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.bootstrap.stack import BootstrapStack, store_of
from defang_nb.providers.aws.builds.image import IMAGE_SETTING, ImageType
from defang_nb.providers.aws.check import check
from defang_nb.providers.aws.compile import compile_project
from defang_nb.providers.aws.config import ParameterConfigStore
from defang_nb.providers.aws.launch.launcher import Launcher
from defang_nb.providers.aws.launch.record import LAUNCH_VARIABLE, Launches
from defang_nb.providers.aws.modes import mode_of
from defang_nb.providers.aws.store import BucketStore
from defang_nb.providers.aws.times import usual
from defang_nb.providers.aws.types import resource_types
from defang_nb.providers.base import Bootstrap, CdAddress, Say, Session
from defang_nb.provision.bootstrap import bootstrap
from defang_nb.provision.ports import ObjectStore, ResourceType
from defang_nb.provision.state import State


class AwsProvider:
    """A `Provider`. In a client it prepares the account when that is needed; in cd it uses what is there."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._in_cd = LAUNCH_VARIABLE in os.environ
        # cd's credentials are its task role's: it knows no profiles.
        settings = {key: value for key, value in stack.settings.items() if not (self._in_cd and key == "AWS_PROFILE")}
        self._account = Account(settings)
        self._config = ParameterConfigStore(self._account, stack.name)
        self._base: Base | None = None
        self._made: Launcher | None = None
        self._say: Say = lambda _: None

    @property
    def stack(self) -> Stack:
        return self._stack

    @property
    def config(self) -> ParameterConfigStore:
        return self._config

    @property
    def account(self) -> Account:
        return self._account

    @property
    def usual(self) -> Mapping[str, Usual]:
        return usual()

    def check(self, project: Project) -> Sequence[Diagnostic]:
        mode_of(self._stack.settings)
        return check(project)

    async def prepare(self, say: Say) -> None:
        """In cd, nothing: its client did it. Raises `ProviderError`."""
        self._say = say
        if self._base is None and not self._in_cd:
            self._base = await BootstrapStack(self._account).base()
            if self._base is None:
                await self.install(say)

    async def store(self) -> ObjectStore:
        return await self._bucket_store()

    async def find_cd(self) -> CdAddress | None:
        return await (await self._launcher()).find()

    async def launch_cd(self) -> CdAddress:
        return await (await self._launcher()).launch()

    async def stop_cd(self) -> None:
        await (await self._launcher()).stop()

    def resource_types(self) -> Mapping[str, ResourceType]:
        """Raises `ProviderError` before `store` was asked for: what the bootstrap made has to be known."""
        base = self._known
        image = ImageType(
            self._account, lambda: base, self._stack.name, store_of(self._account, base.bucket, self._stack.name),
            self._config.values, kaniko=self._stack.settings.get(IMAGE_SETTING, ""),
        )  # fmt: skip
        return {each.name: each for each in (*resource_types(self._account, base, self._stack.name), image)}

    def compile(self, project: Project, images: Sequence[ImageSource], config_digests: Mapping[str, str]) -> Sequence[Resource]:
        mode = mode_of(self._stack.settings)
        return compile_project(project, images, config_digests, base=self._known, mode=mode, stack=self._stack.name)

    async def preflight(
        self, project: Project, desired: Sequence[Resource], recorded: Mapping[str, Recorded]
    ) -> Sequence[Diagnostic]:
        return ()

    async def cleanup(self, project: str) -> None:
        """Nothing is left of what was deleted."""

    async def status(self, project: str) -> Sequence[ServiceStatus]:
        from defang_nb.providers.aws.operate.status import status

        mains = await self._mains(project)
        return await status(self._account, self._known.cluster, project, mains)

    async def logs(self, project: str, query: LogQuery) -> AsyncIterator[LogRecord]:
        from defang_nb.providers.aws.operate.logs import read, sources

        base = await self._prepared()
        hidden = await self._hidden(project) if LogKind.BUILD in query.kinds else Hidden(())
        async for record in read(self._account, sources(self._stack.name, project, base.log_group, query), query):
            yield msgspec.structs.replace(record, line=hidden.text(record.line))

    async def _hidden(self, project: str) -> Hidden:
        """What a Dockerfile may have written of the project's configuration."""
        return Hidden((await self._config.values(project, await self._config.names(project))).values())

    async def execute(self, project: str, execution: Execution) -> Session:
        cluster = (await self._prepared()).cluster.rpartition("/")[2]
        raise UsageError(
            "commands can't be run beside services on AWS yet",
            hint="make it a one-off service of the project (restart: 'no'); or, with AWS's own tools: aws ecs execute-command "
            f"--cluster {cluster} --container {execution.service} --interactive --command sh --task <see aws ecs list-tasks>",
        )

    async def restart(self, project: str, services: Sequence[str]) -> None:
        from defang_nb.providers.aws.operate.restarting import restart

        mains = await self._mains(project)
        await restart(self._account, self._known.cluster, mains, services)

    async def usage(self, project: str, services: Sequence[str]) -> AsyncIterator[Sequence[Usage]]:
        from defang_nb.providers.aws.operate.usage import usage

        recorded = await self._recorded(project)
        async for sample in usage(self._account, self._known.cluster, recorded, services):
            yield sample

    async def kept(self, project: str, removed: Sequence[Recorded]) -> Sequence[str]:
        keys = await self._config.names(project)
        found = [f"configuration values ({', '.join(keys)}): `config rm` removes them"] if keys else []
        stores = sorted(each.service or each.title for each in removed if each.inputs.get("final_snapshot"))
        if stores:
            found.append(f"a last snapshot of {', '.join(stores)}: see RDS and ElastiCache in AWS's console")
        return [*found, "the account's preparation, which others may use: `cd teardown` takes it away"]

    async def install(self, say: Say) -> None:
        self._base = await BootstrapStack(self._account).install(say)
        await bootstrap(store_of(self._account, self._base.bucket, self._stack.name))

    async def bootstrap(self) -> Bootstrap:
        return await BootstrapStack(self._account).status()

    async def teardown(self, say: Say) -> str:
        bucket = await BootstrapStack(self._account).teardown(say)
        return (
            f"the bucket {bucket}, with the record of what was deployed, and configuration values (`config ls`, `config rm`): "
            "delete them by hand, or leave them for the next time"
        )

    async def _prepared(self) -> Base:
        """What the bootstrap made. Raises `NotFoundError` where it was never made, or is older than we are."""
        if self._base is None:
            self._base = await BootstrapStack(self._account).base()
        if self._base is None:
            who = await self._account.identity()
            raise NotFoundError(
                f"account {who.account} is not prepared in {self._account.region}, or by an older version",
                hint=f"`up` prepares it, and so does `defang-nb cd install --stack {self._stack.name}`",
            )
        return self._base

    async def _bucket_store(self) -> BucketStore:
        return store_of(self._account, (await self._prepared()).bucket, self._stack.name)

    async def _mains(self, project: str) -> list[Recorded]:
        return [each for each in await self._recorded(project) if each.main]

    async def _recorded(self, project: str) -> list[Recorded]:
        return list((await State.open(await self.store(), project)).recorded.values())

    async def _launcher(self) -> Launcher:
        if self._made is None:
            base, store = await self._prepared(), await self._bucket_store()
            self._made = Launcher(
                self._account, base, self._stack, Launches(self._account, store, self._stack.name), self._cd_image
            )
        return self._made

    async def _cd_image(self) -> str:
        from defang_nb.providers.aws.launch.image import CdImage

        kaniko = self._stack.settings.get(IMAGE_SETTING, "")
        return await CdImage(self._account, await self._prepared(), await self._bucket_store(), self._say, kaniko).reference()

    @cached_property
    def _known(self) -> Base:
        if self._base is None:
            raise ProviderError("what the bootstrap made is not known yet")
        return self._base
