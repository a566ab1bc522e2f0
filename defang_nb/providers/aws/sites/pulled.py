"""A folder out of an image of the project's own repository: what a build has made, to be served as it is.

An image is layers, each an archive of what it adds, and of what it takes away (OCI image specification, "Layer Filesystem
Changeset"). They are read one after the other, and only what is in the folder is kept.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
import shutil
import tarfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from defang_nb.build.context import leads_out
from defang_nb.errors import NotFoundError, ProviderError
from defang_nb.providers.aws.account import Account
from defang_nb.provision.ports import TransientError

_KINDS = [
    "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
]  # fmt: skip
_GONE, _ALL_GONE = ".wh.", ".wh..wh..opq"
_PATIENCE = 60.0


async def pulled(account: Account, reference: str, folder: str, into: Path) -> None:
    """Write what is in `folder` (relative to the image's working directory) to `into`. Raises `ProviderError`."""
    name, _, digest = reference.partition("/")[2].partition("@")
    manifest = await _manifest(account, name, digest)
    blob = into.with_name("blob")
    await _fetched(account, name, manifest["config"]["digest"], blob)
    place = await asyncio.to_thread(_begun, blob, folder, into)
    for layer in manifest["layers"]:
        await _fetched(account, name, layer["digest"], blob)
        await asyncio.to_thread(add, blob, place, into)
    if not await asyncio.to_thread(_filled, into):
        raise NotFoundError(
            f"there is no folder {place} in the image that was built, or nothing in it",
            hint="x-defang-static-files is relative to the image's WORKDIR",
        )


def _begun(config: Path, folder: str, into: Path) -> str:
    """Where the folder is in the image, by its configuration."""
    into.mkdir()
    workdir = json.loads(config.read_bytes()).get("config", {}).get("WorkingDir") or "/"
    return posixpath.normpath(posixpath.join("/", workdir, folder))


def _filled(folder: Path) -> bool:
    return any(folder.iterdir())


def add(layer: Path, place: str, into: Path) -> None:
    """What a layer changes in the folder `place`."""
    try:
        with tarfile.open(layer) as tar:
            for member in tar:
                path = posixpath.normpath(f"/{member.name}")
                parent, name = posixpath.split(path)
                if name == _ALL_GONE:
                    _remove(parent, place, into, keep=True)
                elif name.startswith(_GONE):
                    _remove(posixpath.join(parent, name.removeprefix(_GONE)), place, into)
                elif path == place or path.startswith(f"{place.rstrip('/')}/"):
                    _write(tar, member, PurePosixPath(path).relative_to(place), into)
    except tarfile.TarError as error:
        raise ProviderError(f"a layer of the image can't be read: {error}", hint="is it packed by zstd? use gzip") from None


def _remove(path: str, place: str, into: Path, *, keep: bool = False) -> None:
    """`keep`: the folder itself stays, and only what is in it goes."""
    if f"{place.rstrip('/')}/".startswith(f"{path.rstrip('/')}/"):
        shutil.rmtree(into)
        into.mkdir()
    elif path.startswith(f"{place.rstrip('/')}/"):
        target = into / PurePosixPath(path).relative_to(place)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        if keep:
            target.mkdir(parents=True)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, inside: PurePosixPath, into: Path) -> None:
    """A file, a folder or a link that stays in the folder; all else is nothing that is served."""
    target = into.joinpath(*inside.parts)
    if any(each.is_symlink() for each in target.parents if each != into and each.is_relative_to(into)):
        return
    if member.isdir():
        if not target.is_dir() or target.is_symlink():
            target.unlink(missing_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        return
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if member.issym() and not leads_out(str(inside), member.linkname):
        target.symlink_to(member.linkname)
    elif (member.isfile() or member.islnk()) and (source := tar.extractfile(member)):
        with source, target.open("xb") as file:
            shutil.copyfileobj(source, file)


async def _manifest(account: Account, name: str, digest: str) -> Mapping[str, Any]:
    """Of one image; the first of several for different machines, as files are the same in each."""
    answer = await account.call(
        "ecr", "batch_get_image", repositoryName=name, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=_KINDS
    )
    if not answer["images"]:
        raise NotFoundError(f"the image {name}@{digest} is not there any more", hint="`up --build` builds it anew")
    found: Mapping[str, Any] = json.loads(answer["images"][0]["imageManifest"])
    return await _manifest(account, name, found["manifests"][0]["digest"]) if "manifests" in found else found


async def _fetched(account: Account, name: str, digest: str, path: Path) -> None:
    answer = await account.call("ecr", "get_download_url_for_layer", repositoryName=name, layerDigest=digest)

    def fetch() -> None:
        try:
            with urllib.request.urlopen(answer["downloadUrl"], timeout=_PATIENCE) as body, path.open("wb") as file:  # noqa: S310 - an address of AWS
                shutil.copyfileobj(body, file)
        except OSError as error:
            raise TransientError(f"a layer of {name} can't be fetched: {error}") from None

    await asyncio.to_thread(fetch)
