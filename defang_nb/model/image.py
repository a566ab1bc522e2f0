"""What an image is made from: the values that its reference is a pure function of."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from defang_nb.model.value import Text


class ImageSource(msgspec.Struct, frozen=True, kw_only=True):
    """`digest` is that of the context's manifest; `context_key` is the archive's key in the stack's store.

    `dockerfile` is relative to the context ("" when there is none: the builder looks at what is there); `services` are all
    Compose services that use this image; `reference` is the image's name, derived from everything else here but `services`.
    """

    reference: str
    digest: str
    context_key: str
    services: tuple[str, ...]
    dockerfile: str = ""
    target: str = ""
    args: Mapping[str, Text] = {}
    platform: str = ""

    @property
    def name(self) -> str:
        """The image's name in its project: the reference without project and tag. Stable while its content changes."""
        return self.reference.rpartition(":")[0].rpartition("/")[2]
