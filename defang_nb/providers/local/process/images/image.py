"""What a build comes to (`BuiltImage`), and how it is run: its command, its environment, its paths on this machine.

Everything in a `BuiltImage` is as it is inside the container (`/app`, `PATH=/opt/bin:…`); `path_map` says where those places
are on this machine, and `rewrite` puts them there. So a copy of an image for one service is `image.at(folder)`.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath

import msgspec

from defang_nb.model.project import Healthcheck
from defang_nb.model.value import Text
from defang_nb.providers.local.process.images.shell import exec_last

RECIPE = 2
"""The revision of how contexts are turned into images; part of an image's inputs, so a newer recipe builds anew."""

IMAGE_FILE = "image.json"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImageKind(StrEnum):
    PYTHON = "python"
    NODE = "node"
    STATIC = "static"


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """`root` is the container's `/` on this machine; `venv` is "" when there is none; `node` is the folder of its `node`.

    `env` holds ENV as the Dockerfile means it; `secret_env` those of its values that hold configuration values, still symbolic.
    `entrypoint` and `cmd` are exec form (a shell form is `/bin/sh -c …`). `stop_signal` is a name such as SIGINT, or "".
    For kind `static`, `workdir` is the folder to be served. `path_map`: container path → absolute path here.
    """

    root: str
    kind: ImageKind = ImageKind.PYTHON
    venv: str = ""
    python: str = ""
    node: str = ""
    workdir: str = "/"
    env: Mapping[str, str] = {}
    secret_env: Mapping[str, Text] = {}
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    exposed: tuple[int, ...] = ()
    user: str = ""
    stop_signal: str = ""
    path_map: Mapping[str, str] = {}
    healthcheck: Healthcheck | None = None
    skipped: tuple[str, ...] = ()

    def at(self, root: Path) -> BuiltImage:
        """The same image with its files under another root, such as a service's own copy of them."""
        moved = {inside: _moved(outside, self.root, str(root)) for inside, outside in self.path_map.items()}
        return msgspec.structs.replace(self, root=str(root), path_map=moved)

    def host_path(self, inside: str) -> Path:
        """Where a container path is on this machine; relative ones are relative to the working directory."""
        return Path(rewrite(os.path.normpath(PurePosixPath(self.workdir, inside)), self, whole=True))


def load(folder: Path) -> BuiltImage | None:
    """The image that was built into `folder`, or None when there is no (whole) one."""
    try:
        return msgspec.json.decode((folder / IMAGE_FILE).read_bytes(), type=BuiltImage)
    except (OSError, msgspec.DecodeError):
        return None


def rewrite(text: str, image: BuiltImage, *, whole: bool = False) -> str:
    """`text` with each container path that the image knows turned into the path on this machine.

    With `whole`, `text` is one absolute path, and what `path_map` does not know is taken from the image's root.
    """
    for inside in sorted(image.path_map, key=len, reverse=True):
        if whole and (text == inside or text.startswith(f"{inside}/")):
            return image.path_map[inside] + text[len(inside) :]
    if whole:
        return os.path.normpath(f"{image.root}/{text}")
    if not image.path_map:
        return text
    known = "|".join(re.escape(each) for each in sorted(image.path_map, key=len, reverse=True))
    # A path begins where no path or word goes on before it, or after a URL scheme that takes absolute paths (sqlite:////app).
    pattern = rf"(?:(?<![\w.~/\-}}])|(?<=:///)|(?<=file://))({known})(?![\w.\-])"
    return re.sub(pattern, lambda match: image.path_map[match[1]], text)


def command_of(image: BuiltImage, entrypoint: Sequence[str] | None, command: Sequence[str] | None) -> list[str]:
    """What to execute, in container terms, when a service overrides ENTRYPOINT and CMD (None: it does not). [] : nothing.

    As in Compose, an overridden entrypoint also drops the image's CMD. A single word with spaces in it is taken for a shell
    command line, and the last command of `sh -c` replaces its shell, so that signals arrive.
    """
    first = list(image.entrypoint if entrypoint is None else entrypoint)
    own = image.cmd if entrypoint is None else ()
    rest = list(own if command is None else command)
    words = _without_init(first + rest)
    if not words and image.kind is ImageKind.STATIC:
        words = _serving()
    if len(words) == 1 and re.search(r"\s", words[0].strip()):
        words = ["/bin/sh", "-c", words[0]]
    if len(words) == 3 and words[1] == "-c" and PurePosixPath(words[0]).name in ("sh", "bash"):
        words = [words[0], "-c", exec_last(words[2])]
    return words


def environment_of(image: BuiltImage, host: Mapping[str, str]) -> dict[str, str]:
    """The image's environment on this machine: ENV with paths rewritten, PATH = ENV's own, venv, node, then the host's.

    `secret_env` is not in it; of `host` only what any program needs is taken over (PATH, HOME, locale, certificates, …).
    """
    result = {key: host[key] for key in _PASSED if key in host}
    result |= {key: rewrite(value, image) for key, value in image.env.items() if key != "PATH"}
    own = [rewrite(each, image) for each in image.env.get("PATH", "").split(":") if each]
    system = DEFAULT_PATH.split(":")
    path = [each for each in own if each not in system]
    path += [str(Path(image.venv) / "bin")] if image.venv else []
    path += [f"{image.root}/usr/local/bin"]
    path += [image.node] if image.node else []
    path += [str(image.host_path("node_modules/.bin"))] if image.kind is ImageKind.NODE else []
    result["PATH"] = os.pathsep.join(dict.fromkeys([*path, *host.get("PATH", os.defpath).split(os.pathsep)]))
    if image.node:
        # In a container npx asks nobody whether it may fetch a program; the settings in your home folder may say otherwise.
        result.setdefault("npm_config_yes", "true")
    if image.venv:
        result["VIRTUAL_ENV"] = image.venv
        result.setdefault("PYTHONUNBUFFERED", "1")
        # `uv run` shall use what is installed, and not make an environment of its own.
        result |= {"UV_PROJECT_ENVIRONMENT": image.venv, "UV_NO_SYNC": "1"}
        # Without it uwsgi reloads on SIGTERM, and is never stopped.
        result.setdefault("UWSGI_DIE_ON_TERM", "true")
    return result


_PASSED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
)  # fmt: skip


def _serving() -> list[str]:
    """Serves the working directory on $PORT."""
    script = Path(__file__).parent.parent / "shim" / "serve.py"
    return [
        "/bin/sh",
        "-c",
        f'exec {shlex.quote(sys.executable)} -I -S {shlex.quote(str(script))} . "${{PORT:-8000}}" "/*=/index.html"',
    ]


def _without_init(words: list[str]) -> list[str]:
    """The command without `tini --` or `dumb-init --` before it: reaping orphans is the process manager's work here."""
    if words and PurePosixPath(words[0]).name in ("tini", "dumb-init"):
        rest = words[1:]
        while rest and rest[0].startswith("-"):
            rest = rest[1:]
        return rest
    return words


def _moved(path: str, old: str, new: str) -> str:
    return new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path
