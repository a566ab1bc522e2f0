"""Base images that need a login: the engine's builders are given no credentials, so the engine fetches those images before."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from defang_nb.build import where
from defang_nb.build.log import read_dockerfile
from defang_nb.errors import BuildError
from defang_nb.model.image import ImageSource
from defang_nb.providers.local.docker.builders.stream import Connect


def fetch(connect: Connect, context: Path, source: ImageSource, args: Mapping[str, str]) -> None:
    """Fetch what the Dockerfile begins from and the engine lacks, where this machine has a login for its registry.

    Raises nothing: the build itself says what could not be had.
    """
    from docker.auth import load_config
    from docker.errors import DockerException

    config = load_config()
    if config.is_empty:
        return
    with contextlib.suppress(DockerException, BuildError), contextlib.closing(connect()) as client:
        file = read_dockerfile(context, source)
        named = [file.base(stage, args) for stage in file.stages] + [
            each.flag("from") for stage in file.stages for each in stage.instructions if each.flag("from")
        ]
        for image in dict.fromkeys(each for each in named if each and not file.stage(each) and each != "scratch"):
            if _login(config, image):
                _fetch(client, image)


def _login(config: Any, image: str) -> bool:
    registry = where.normal(image).partition("/")[0]
    return bool(config.resolve_authconfig(registry))


def _fetch(client: Any, image: str) -> None:
    from docker.errors import DockerException, ImageNotFound

    try:
        client.inspect_image(image)
    except ImageNotFound:
        repository, tag = where.split(image)
        with contextlib.suppress(DockerException):
            client.pull(repository, tag=tag)
