"""Which container engine answers on this machine: the places where one may listen, in the order in which it is asked for.

Looks by one small request on a bare socket, since every `up` does: no library is imported for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from defang_nb.errors import ProviderError

LEAST_API = (1, 41)
"""The oldest Engine API that is spoken: that of Docker 20.10 and Podman 4."""
NEWEST_API = (1, 51)
"""The newest Engine API that is asked for; an engine that knows a newer one speaks this one too."""
VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST")
_PATIENCE = 3.0


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One place. `problem` says why it can't be used; "" for one that answers, whose version and API are known then."""

    host: str
    source: str
    problem: str = ""
    hint: str = ""
    name: str = ""
    version: str = ""
    api: str = ""

    @property
    def ok(self) -> bool:
        return not self.problem

    @property
    def called(self) -> str:
        """`Docker 26.1.5 at unix:///var/run/docker.sock (the usual socket)`."""
        return f"{self.name} {self.version} at {self.host} ({self.source})"


class Found(msgspec.Struct, frozen=True):
    """Every place that was tried; the last one answers, if any does."""

    tried: tuple[Tried, ...]

    @property
    def engine(self) -> Tried | None:
        return self.tried[-1] if self.tried and self.tried[-1].ok else None

    @property
    def why_not(self) -> str:
        """Why there is none, for people."""
        told = [f"{each.host} ({each.source}): {each.problem}" for each in self.tried if each.problem != _ABSENT]
        return "; ".join(told) or "no Docker or Podman was found on this machine"


_ABSENT = "nothing is there"


def find(environ: Mapping[str, str] | None = None) -> Found:
    """Ask each place in turn, until one answers. Changes nothing, raises nothing."""
    tried: list[Tried] = []
    for host, source, only in _places(os.environ if environ is None else environ):
        each = _try(host, source)
        if only and each.problem == _ABSENT:
            each = msgspec.structs.replace(each, problem="there is no such socket", hint=f"is {source} right?")
        tried.append(each)
        if each.ok or only:
            break
    return Found(tuple(tried))


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with a stack's settings about engines: a cd that runs already has another environment."""
    others = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    return others | {key: settings[key] for key in VARIABLES if settings.get(key)}


def required(found: Found) -> Tried:
    """The engine that answers. Raises `ProviderError` with why there is none."""
    if found.engine is not None:
        return found.engine
    hints = [each.hint for each in found.tried if each.hint]
    hint = hints[0] if hints else "start Docker or Podman, or choose `--engine process`, which needs none"
    raise ProviderError(f"no container engine answers: {found.why_not}", hint=hint)


def again(tried: Tried) -> Tried:
    """The same place as it is now, asked over a connection of its own."""
    return _try(tried.host, tried.source)


def _places(environ: Mapping[str, str]) -> Iterator[tuple[str, str, bool]]:
    """host, where it was found, and whether it was asked for by name (then no other place counts)."""
    if host := environ.get("DOCKER_HOST", ""):
        yield host, "DOCKER_HOST", True
        return
    name, host = _context(environ)
    if host:
        yield host, f"docker context {name}", bool(environ.get("DOCKER_CONTEXT"))
    home = Path(environ.get("HOME") or Path.home())
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid() if hasattr(os, 'getuid') else 0}"
    yield "unix:///var/run/docker.sock", "the usual socket", False
    yield f"unix://{runtime}/docker.sock", "rootless Docker", False
    yield f"unix://{home}/.docker/run/docker.sock", "Docker Desktop", False
    yield f"unix://{home}/.colima/default/docker.sock", "Colima", False
    yield f"unix://{home}/.orbstack/run/docker.sock", "OrbStack", False
    if host := environ.get("CONTAINER_HOST", ""):
        yield host, "CONTAINER_HOST", False
    yield f"unix://{runtime}/podman/podman.sock", "rootless Podman", False
    yield "unix:///run/podman/podman.sock", "Podman", False


def _context(environ: Mapping[str, str]) -> tuple[str, str]:
    """The current docker context's name and host; empty for the default one. (Docker's CLI keeps them by their name's hash.)"""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home()) / ".docker")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        name = environ.get("DOCKER_CONTEXT") or json.loads((folder / "config.json").read_bytes()).get("currentContext", "")
        if name and name != "default":
            meta = folder / "contexts" / "meta" / sha256(name.encode()).hexdigest() / "meta.json"
            return name, str(json.loads(meta.read_bytes())["Endpoints"]["docker"]["Host"])
    return "", ""


def _try(host: str, source: str) -> Tried:
    scheme = urlsplit(host).scheme
    if scheme not in ("unix", "tcp", "http"):
        hint = "forward the engine's socket to this machine (`ssh -L`), or choose `--engine process`"
        return Tried(host=host, source=source, problem=f"engines can't be reached over {scheme or 'that'}", hint=hint)
    try:
        answer = _pinged(_get(host, "/_ping")[0]) or _version(*_get(host, "/version"))
    except FileNotFoundError:
        return Tried(host=host, source=source, problem=_ABSENT)
    except PermissionError:
        hint = "add yourself to the socket's group (`sudo usermod -aG docker $USER`, then log in again)"
        return Tried(host=host, source=source, problem="you have no permission on the socket", hint=hint)
    except ConnectionRefusedError:
        return Tried(host=host, source=source, problem="it is not running", hint="start it")
    except OSError as error:
        return Tried(
            host=host, source=source, problem=f"it does not answer ({error.strerror or error})", hint="see whether it runs"
        )
    except ValueError:
        return Tried(host=host, source=source, problem="what answers there is no container engine")
    return _judged(host, source, answer)


def _judged(host: str, source: str, answer: Mapping[str, object]) -> Tried:
    api, version = str(answer.get("ApiVersion", "0")), str(answer.get("Version", "?"))
    components = answer.get("Components")
    podman = "podman" in json.dumps(components).lower()
    tried = Tried(host=host, source=source, name="Podman" if podman else "Docker", version=version, api=api)
    if _number(api) < LEAST_API:
        least = ".".join(map(str, LEAST_API))
        problem = f"{tried.name} {version} is too old: it speaks API {api}, and {least} is needed"
        return msgspec.structs.replace(tried, problem=problem, hint="update it: Docker 20.10 or newer, Podman 4 or newer")
    if str(answer.get("Os", "linux")) != "linux":
        return msgspec.structs.replace(tried, problem="it runs Windows containers", hint="switch it to Linux containers")
    return tried


def spoken(api: str) -> str:
    """The API version to speak with an engine whose newest one is `api`."""
    return ".".join(map(str, min(_number(api), NEWEST_API)))


def _number(api: str) -> tuple[int, ...]:
    return tuple(int(each) for each in api.split(".") if each.isdigit())


def _connect(host: str) -> socket.socket:
    place = urlsplit(host)
    if place.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(host.removeprefix("unix://"))
        except OSError:
            connection.close()
            raise
        return connection
    return socket.create_connection((place.hostname or "localhost", place.port or 2375), _PATIENCE)


def _get(host: str, path: str) -> tuple[Mapping[str, str], bytes]:
    """The headers (by names in small letters) and the body of an answer. Raises `ValueError` for anything but success."""
    with contextlib.closing(_connect(host)) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: engine\r\n\r\n".encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if " 200 " not in first:
        raise ValueError("not an engine")
    parts = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in parts}, body


def _pinged(headers: Mapping[str, str]) -> Mapping[str, object]:
    """What /version says, from the headers of /_ping, which costs an engine nothing; empty where they don't tell."""
    made, _, rest = headers.get("server", "").partition("/")
    if made not in ("Docker", "Libpod") or "api-version" not in headers:
        return {}
    name = "Podman Engine" if made == "Libpod" else made
    return {
        "ApiVersion": headers["api-version"],
        "Version": rest.partition(" ")[0],
        "Os": headers.get("ostype", "linux"),
        "Components": [{"Name": name}],
    }


def _version(_: Mapping[str, str], body: bytes) -> Mapping[str, object]:
    """Raises `ValueError` for anything but an engine's."""
    found = json.loads(body)
    if not isinstance(found, dict) or "ApiVersion" not in found:
        raise ValueError("not an engine")
    return found
