"""Folders of static files, packed and uploaded as a workspace does it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from defang_nb.build import archive, manifest
from defang_nb.build.site import packed
from defang_nb.model.resource import Resource
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.bootstrap.stack import store_of
from defang_nb.providers.aws.compile import compile_project
from tests.providers.aws.plans import MODE, STACK, project

FILES = {
    "index.html": "<h1>home</h1>",
    "about.html": "about us",
    "docs/index.html": "the docs",
    "docs/a b.txt": "plain",
    "assets/main.3f2a9c1b.js": "hashed()",
    "style.css": "h1 {}",
}


def written(folder: Path, files: Mapping[str, str] = FILES) -> Path:
    """A folder with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


async def keep(account: Account, base: Base, key: str, folder: Path) -> None:
    """Its archive in the stack's store."""
    path = folder.with_name(f"{folder.name}.tar.gz")
    await asyncio.to_thread(lambda: archive(manifest(folder), path))
    await store_of(account, base.bucket, STACK).upload(key, path)


async def uploaded(account: Account, base: Base, text: str, folder: Path) -> Sequence[Resource]:
    """The resources of a project whose files are in `folder`, with its archives in the stack's store."""
    found, sites = await asyncio.to_thread(packed, project(text, folder))
    for each in sites:
        await keep(account, base, each.key, folder)
    digests = dict.fromkeys(found.config_keys(), "1")
    return compile_project(found, (), digests, base=base, mode=MODE, stack=STACK)
