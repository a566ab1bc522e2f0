"""Projects as resources of AWS, for the golden cases and for tests of types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from defang_nb.compose import Source, load
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.resource import Resource
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.compile import compile_project
from defang_nb.providers.aws.modes import Mode

STACK = "prod"
ACCOUNT = "123456789012"
BASE = Base(
    account=ACCOUNT, region="eu-central-1", bucket="defang-bucket", vpc="vpc-1", subnets=("subnet-1", "subnet-2"),
    cluster=f"arn:aws:ecs:eu-central-1:{ACCOUNT}:cluster/defang", services_group="sg-services", public_group="sg-public",
    cd_group="sg-cd", log_group="/defang/cd", execution_role=f"arn:aws:iam::{ACCOUNT}:role/execution",
    cd_role=f"arn:aws:iam::{ACCOUNT}:role/cd", kaniko_role=f"arn:aws:iam::{ACCOUNT}:role/kaniko",
    cd_image_role=f"arn:aws:iam::{ACCOUNT}:role/cd-image",
    boundary=f"arn:aws:iam::{ACCOUNT}:policy/boundary", cd_task="defang-cd",
    cd_repository="defang/cd", revision=1,
)  # fmt: skip
MODE = Mode(
    spot=True, log_days=1, min_healthy=100, max_percent=200, deletion_protection=False, final_snapshot=False, multi_az=False,
    drain_seconds=5, price_class="PriceClass_100",
)  # fmt: skip


def project(text: str, folder: Path = Path("/app")) -> Project:
    return load([Source("compose.yaml", text)], working_dir=folder, environ={}, project_name="shop").project


def images(project: Project) -> list[ImageSource]:
    """As the client would have prepared them, of contexts that need not exist."""
    built = [each for each in project.services.values() if each.build]
    return [
        ImageSource(
            reference=f"{project.name}/{each.name}:0123456789ab", digest="0" * 64, context_key=f"contexts/{each.name}",
            services=(each.name,), dockerfile="Dockerfile", args=each.build.args if each.build else {}, platform=each.platform,
        )
        for each in built
    ]  # fmt: skip


def with_sites(project: Project) -> Project:
    """As the client would have packed static files, of folders that need not exist."""
    packed = {
        name: msgspec.structs.replace(
            each, static_files=msgspec.structs.replace(files, digest="0" * 64, key=f"contexts/site-{name}.tar.gz")
        )
        for name, each in project.services.items()
        if (files := each.static_files) and not each.build
    }
    return msgspec.structs.replace(project, services={**project.services, **packed})


def compiled(text: str, *, base: Base = BASE, mode: Mode = MODE, stack: str = STACK) -> Sequence[Resource]:
    found = with_sites(project(text))
    digests = {key: f"digest-of-{key}" for key in found.config_keys()}
    return compile_project(found, images(found), digests, base=base, mode=mode, stack=stack)
