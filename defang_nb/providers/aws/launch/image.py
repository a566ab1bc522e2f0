"""cd's image: built in the account, once for each version, from the very package that is installed here.

So nothing of ours has to be published anywhere, and what runs in the account is what its user has.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from defang_nb.build import archive, manifest
from defang_nb.build.kaniko import IMAGE, Job, arguments
from defang_nb.errors import CdError
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.builds.task import KanikoTask, Wanted
from defang_nb.providers.aws.names import MANAGED_BY, MANAGER
from defang_nb.providers.aws.refusals import AwsError
from defang_nb.providers.aws.store import BucketStore
from defang_nb.version import __version__

BASE_IMAGE = "public.ecr.aws/docker/library/python:3.13-slim"
NEEDED = (
    "boto3", "cryptography", "grpcio", "grpcio-health-checking", "grpcio-reflection", "isal", "msgspec", "protobuf", "psutil",
    "pyyaml",
)  # fmt: skip
"""What cd loads in the account, in the versions installed here: nothing of a client, a notebook or a local engine."""
DOCKERFILE = f"""\
FROM {BASE_IMAGE}
COPY requirements.txt /defang/
RUN pip install --no-cache-dir --disable-pip-version-check -r /defang/requirements.txt
COPY defang_nb /defang/defang_nb
ENV PYTHONPATH=/defang PYTHONUNBUFFERED=1
CMD ["python", "-m", "defang_nb.cd"]
"""
PACKAGE = Path(__file__).parents[3]
_UNUSED = ("__pycache__", "notebook", "labextension", "*.pyc")
_LAST_LINES = 8


class CdImage:
    """Of this version, in one account. `say` hears what takes long."""

    def __init__(self, account: Account, base: Base, store: BucketStore, say: Callable[[str], None], kaniko: str = "") -> None:
        self._account = account
        self._base = base
        self._store = store
        self._say = say
        self._kaniko = kaniko or IMAGE

    async def reference(self) -> str:
        """`<repository>@sha256:…`; built first where it is not there. Raises `CdError` with the build's last lines."""
        with tempfile.TemporaryDirectory(prefix="defang-nb-cd-") as folder:
            context = Path(folder) / "context"
            lay_out(context)
            made = manifest(context)
            tag = f"{__version__}-{made.digest.rpartition(':')[2][:16]}".replace("+", "-")
            if digest := await self._digest(tag):
                return f"{self._base.cd_repository}@{digest}"
            self._say("building cd's image in the account (two minutes or so, once for a version)")
            key = f"contexts/cd-{tag}.tar.gz"
            archive(made, Path(folder) / "archive", for_kaniko=True)
            await self._store.upload(key, Path(folder) / "archive")
        await self._build(tag, key)
        digest = await self._digest(tag)
        if not digest:
            raise CdError(f"cd's image was built, and {self._base.cd_repository} does not show it", hint="try again")
        return f"{self._base.cd_repository}@{digest}"

    async def _build(self, tag: str, key: str) -> None:
        lines: list[str] = []
        destination = f"{self._base.cd_repository}:{tag}"
        wanted = Wanted(
            name="cd",
            log="cd-image",
            role=self._base.cd_image_role,
            mark=hashlib.sha256(destination.encode()).hexdigest()[:32],
            token=destination,
            image=self._kaniko,
            command=arguments(Job(context=self._store.address(key), destination=destination)),
            secrets={},
            platform="",
            tags={MANAGED_BY: MANAGER},
        )
        ended = await KanikoTask(self._account, self._base).run(wanted, lines.append)
        if ended.code != 0:
            raise CdError(
                f"cd's image could not be built: {ended.why or f'exit code {ended.code}'}", hint="\n".join(lines[-_LAST_LINES:])
            )

    async def _digest(self, tag: str) -> str:
        try:
            answer = await self._account.call(
                "ecr",
                "batch_get_image",
                repositoryName=self._base.cd_repository.partition("/")[2],
                imageIds=[{"imageTag": tag}],
            )
        except AwsError as error:
            if error.code == "ImageNotFoundException":
                return ""
            raise
        return next((str(each["imageId"]["imageDigest"]) for each in answer["images"]), "")


def lay_out(context: Path) -> None:
    """The build context: the package, what it needs, and how it is put together."""
    shutil.copytree(PACKAGE, context / "defang_nb", ignore=shutil.ignore_patterns(*_UNUSED))
    (context / "requirements.txt").write_text("".join(f"{line}\n" for line in _requirements()))
    (context / "Dockerfile").write_text(DOCKERFILE)


def _requirements() -> Iterator[str]:
    for name in NEEDED:
        try:
            yield f"{name}=={metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue  # isal, on processors that it is not made for
