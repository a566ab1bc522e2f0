"""Build contexts: what is in them, their digest, their archive; the image sources of a project; reading Dockerfiles."""

from defang_nb.build.archive import archive, unpack
from defang_nb.build.context import Entry, Manifest, manifest
from defang_nb.build.image import Prepared, prepare

__all__ = ["Entry", "Manifest", "Prepared", "archive", "manifest", "prepare", "unpack"]
