"""What an image is made from: the values that its reference is a pure function of."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from defang_nb.model.project import Healthcheck
from defang_nb.model.value import Json, Text


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What its Dockerfile tells of an image beside how it is built; for those who run it where nobody looks into images.

    `base` is the image that the last stage comes from; `shell`: commands in it are run by a shell.
    """

    base: str = ""
    shell: bool = False
    healthcheck: Healthcheck | None = None


class ImageSource(msgspec.Struct, frozen=True, kw_only=True):
    """`digest` is that of the context's manifest; `context_key` is the archive's key in the stack's store.

    `dockerfile` is relative to the context ("" when there is none: the builder looks at what is there); `services` are all
    Compose services that use this image; `reference` is the image's name, derived from everything else here but `services`
    and `traits`.
    """

    reference: str
    digest: str
    context_key: str
    services: tuple[str, ...]
    dockerfile: str = ""
    target: str = ""
    args: Mapping[str, Text] = {}
    platform: str = ""
    labels: Mapping[str, str] = {}
    traits: Traits | None = None

    @property
    def recipe(self) -> dict[str, Json]:
        """All that it is built from, as a resource's input: who uses it, and how it is when it runs, build nothing."""
        made: dict[str, Json] = msgspec.to_builtins(msgspec.structs.replace(self, services=()))
        del made["traits"]
        if not self.labels:  # as before there were any: nothing is built anew for that
            del made["labels"]
        return made

    @property
    def name(self) -> str:
        """The image's name in its project: the reference without project and tag. Stable while its content changes."""
        return self.reference.rpartition(":")[0].rpartition("/")[2]
