"""Which objects a folder of static files becomes, so that a bucket that knows no folders answers as a web server does.

S3 finds a key or it does not. So what else a web server finds is there too: `docs/` and `about` beside `docs/index.html` and
`about.html`, with the same content, and for `docs`, and each path that has moved, an object that says where it leads. It is
made a redirect at the edge (`moved.js`). The local engines' server (`providers/local/process/shim/serve.py`) is the model.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from defang_nb.build.site import public

RULES = 1
"""To be raised when other headers are given to the same files: all are put anew then."""
INDEX, PAGE = "index.html", ".html"
REVALIDATED = "public, max-age=0, s-maxage=86400, must-revalidate"
"""Browsers ask each time, which the edge answers by itself: it is told what changes, and forgets all after a day."""
FOREVER = "public, max-age=31536000, immutable"
_HASHED = re.compile(r"[.-](?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\.")
"""`main.3f2a9c1b.js`: what is in such a file never changes, as another content has another name."""
_BUNDLED = re.compile(r"[.-](?=\w*[a-z])(?=\w*[A-Z])(?=\w*[0-9])[\w]{8}\.(?:js|mjs|css|woff2?)$", re.ASCII)
"""`index-DiwrgTd2.js` of today's bundlers; with letters and digits of all kinds, so that `my-document.js` is none."""
_IN_ADDRESSES = "%/:?#[]@!$&'()*+,;=~"
_IN_PATHS = "/~-._!$&()+,;=:@'"
_TYPES = {
    ".js": "text/javascript", ".mjs": "text/javascript", ".map": "application/json",
    ".webmanifest": "application/manifest+json", ".wasm": "application/wasm", ".woff2": "font/woff2",
    ".woff": "font/woff", ".ttf": "font/ttf", ".webp": "image/webp", ".avif": "image/avif", ".svg": "image/svg+xml",
    ".ico": "image/vnd.microsoft.icon", ".md": "text/markdown", ".csv": "text/csv", ".xml": "text/xml",
    ".mp4": "video/mp4", ".gz": "application/gzip",
}  # fmt: skip


class Object(msgspec.Struct, frozen=True, kw_only=True):
    """One object: a file's content, or where its path leads (`location`, with `status`). `etag` is the MD5 that S3 answers."""

    etag: str
    type: str
    cache: str = REVALIDATED
    path: str = ""
    location: str = ""
    status: int = 301

    @property
    def body(self) -> bytes:
        """Of one that leads elsewhere: so that another place is another content."""
        return _told(self.location)

    @property
    def last(self) -> bool:
        """Pages are put when what they use is there."""
        return self.type.startswith("text/html") or bool(self.location)


def objects(root: Path, moved: Mapping[str, str]) -> dict[str, Object]:
    """Key → object, of all files in `root` and of the paths that have `moved`. A file goes before anything else of its path."""
    files = {path: _file(root / path) for path in _files(root)}
    found: dict[str, Object] = dict(files)
    for path, it in files.items():
        if path.endswith(f"/{INDEX}"):
            folder = path.removesuffix(INDEX)
            found[folder] = it
            found[folder.removesuffix("/")] = _leading(f"/{quote(folder)}", 301)
    for path, target in moved.items():
        if (key := unquote(path.lstrip("/"))) and key not in found:
            found[key] = _leading(quote(target, safe=_IN_ADDRESSES), 302)
    for path, it in files.items():
        plain = path.removesuffix(PAGE)
        if path.endswith(PAGE) and plain not in found and plain and not plain.endswith("/"):
            found[plain] = it
    return found


def paths(key: str) -> str:
    """An object's key as a path of its site, as an invalidation names it."""
    return "/" + quote(key, safe=_IN_PATHS)


def _files(root: Path) -> Iterator[str]:
    """Relative, with `/`. A link is followed, as what it leads to is in the folder too."""
    whole = root.resolve()
    for folder, _, names in os.walk(root, followlinks=False):
        for name in sorted(names):
            path = Path(folder, name)
            if public(path.relative_to(root).as_posix()) and path.is_file() and path.resolve().is_relative_to(whole):
                yield path.relative_to(root).as_posix()


def _file(path: Path) -> Object:
    with path.open("rb") as file:
        etag = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    cache = FOREVER if _HASHED.search(path.name) or _BUNDLED.search(path.name) else REVALIDATED
    return Object(etag=etag, type=media_type(path.name), cache=cache, path=str(path))


def media_type(name: str) -> str:
    """By the name's ending, the same on each machine."""
    ending = Path(name).suffix.lower()
    found = _TYPES.get(ending) or mimetypes.MimeTypes().guess_type(f"a{ending}")[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


def _leading(location: str, status: int) -> Object:
    etag = hashlib.md5(_told(location), usedforsecurity=False).hexdigest()
    return Object(etag=etag, type="text/plain; charset=utf-8", location=location, status=status)


def _told(location: str) -> bytes:
    return f"{location}\n".encode()
