"""What our things in an account are called, and the tags by which they are found with no state at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

PROJECT = "defang:project"
STACK = "defang:stack"
URN = "defang:urn"
MANAGED_BY = "defang:managed-by"
MANAGER = "defang-nb"


def tags(stack: str, project: str, urn: str) -> dict[str, str]:
    """Of one resource of a project; `pairs` gives them as most calls want them."""
    return {MANAGED_BY: MANAGER, STACK: stack, PROJECT: project, URN: urn}


def pairs(of: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """[{"Key": …, "Value": …}]; ECS writes `key` and `value`."""
    return [{key: name, value: content} for name, content in sorted(of.items())]


def physical(*parts: str, longest: int = 255) -> str:
    """One name of several parts, the same each time; one that would be too long is cut and ends in a digest of all of it."""
    whole = "-".join(part for part in parts if part)
    if len(whole) <= longest:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: longest - 9].rstrip('-')}-{digest}"


def repository(stack: str, project: str) -> str:
    """A project's images in ECR; those of cached layers are in `<this>/cache`."""
    return f"defang/{stack}/{project}"


def called(stack: str, urn: str, *, longest: int = 255) -> str:
    """What the resource of `urn` is called in the account: letters, digits and hyphens, the same each time."""
    project, name = parts(urn)
    whole = physical("defang", stack, project, name)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", whole).strip("-")
    # What two names have in common once they are made plain is told apart by a digest: `a_b` is not `a-b`.
    if not re.fullmatch(r"[A-Za-z0-9:-]+", whole):
        plain = f"{plain}-{hashlib.sha256(whole.encode()).hexdigest()[:6]}"
    return physical(plain, longest=longest)


def bucket(account: str, region: str, stack: str, urn: str) -> str:
    """Of the resource of `urn`. All buckets of the world share their names, which know no capitals."""
    whole = f"{region}/{stack}/{urn}"
    plain = re.sub(r"[^a-z0-9]+", "-", physical(stack, *parts(urn)).lower()).strip("-")
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    front = f"{bucket_prefix(account, region)}"
    return f"{front}{plain[: 63 - len(front) - 9].rstrip('-')}-{digest}"


def bucket_prefix(account: str, region: str) -> str:
    """What the names of a region's buckets of projects begin with: the policies know them by it."""
    return f"defang-site-{account}-{region}-"


def parts(urn: str) -> tuple[str, str]:
    """Project and name of a urn, whose type has a slash in it."""
    project, _, _, name = urn.split("/", 3)
    return project, name


def log_group(stack: str, project: str) -> str:
    """Where a project's services write."""
    return f"/defang/{stack}/{project}"


def build_logs(stack: str, project: str, image: str = "") -> str:
    """What the streams of builds begin with, in the log group of the account's preparation: of one image, or of all."""
    return f"build/{stack}/{project}/{image}"


def cd_logs(stack: str) -> str:
    """What the streams of a stack's cd begin with, beside those of builds."""
    return f"cd/{stack}"


def role_path(region: str, stack: str, project: str) -> str:
    """The path of the roles of a project's services ("": of all projects), by which they are listed, and cd may make them.

    Roles know no region, and a stack of the same name may be in another one.
    """
    return f"/defang/{region}/{stack}/{project}/" if project else f"/defang/{region}/{stack}/"


def config_parameter(stack: str, project: str, key: str) -> str:
    """A configuration value in the parameter store: where the Defang CLI keeps it too."""
    return f"/Defang/{project}/{stack}/{key}"


def text_parameter(stack: str, urn: str) -> str:
    """A value that is made of configuration, beside it: below a name that no configuration value can have."""
    project, name = parts(urn)
    service, _, key = name.rpartition("/")
    return f"/Defang/{project}/{stack}/made-for/{service}/{key}"
