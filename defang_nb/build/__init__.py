"""Build contexts: what is in them, their digest, their archive; the image sources of a project; reading Dockerfiles."""

from defang_nb.build.archive import archive, unpack
from defang_nb.build.context import Entry, Manifest, manifest
from defang_nb.build.image import Prepared, prepare
from defang_nb.build.site import Site

Packed = Prepared | Site
"""What a workspace uploads."""

__all__ = ["Entry", "Manifest", "Packed", "Prepared", "Site", "archive", "manifest", "prepare", "unpack"]
