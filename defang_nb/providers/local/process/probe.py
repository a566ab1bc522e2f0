"""Health checks. What containers do with curl, wget, pg_isready and redis-cli is done here without those programs."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
import shlex
import ssl
import struct
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from defang_nb.model.project import Healthcheck

_CURL_WITH_VALUE = {"-m", "--max-time", "-o", "--output", "-H", "--header", "--retry", "--connect-timeout", "-X", "--request",
                    "-A", "-w", "--write-out", "-u", "--user", "-d", "--data", "--retry-delay"}  # fmt: skip
_WGET_WITH_VALUE = {"-O", "-T", "-t", "--tries", "--timeout", "--header", "--output-document"}


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One check. `http` asks for `url` (curl's -f: `fail`), `exec` runs `command`, the others connect to `port`.

    `postgres` connects through the socket in the folder `sockets` where that is given: nobody else's server answers there.
    """

    kind: Literal["none", "tcp", "http", "postgres", "redis", "exec"]
    port: int = 0
    sockets: str = ""
    url: str = ""
    fail: bool = True
    command: tuple[str, ...] = ()


def of_healthcheck(check: Healthcheck | None, ports: Mapping[int, int]) -> Probe:
    """The probe for a service's healthcheck; without one, its first port is to accept connections. `ports`: target → here."""
    if check is None or check.disable or not check.test or check.test[0] == "NONE":
        return Probe(kind="tcp", port=next(iter(ports.values()))) if ports else Probe(kind="none")
    first, *rest = check.test
    words = rest if first == "CMD" else ["/bin/sh", "-c", " ".join(rest)] if first == "CMD-SHELL" else list(check.test)
    return _builtin(words, ports) or Probe(kind="exec", command=tuple(_with_ports(words, ports)))


async def ask(probe: Probe, seconds: float) -> str:
    """ "" when the service is well, else what is wrong in a few words. For all kinds but `exec` and `none`."""
    try:
        async with asyncio.timeout(seconds):
            match probe.kind:
                case "http":
                    return await asyncio.to_thread(_http, probe.url, probe.fail, seconds)
                case "postgres":
                    return await _postgres(probe)
                case "redis":
                    return await _redis(probe.port)
                case _:
                    _, writer = await asyncio.open_connection("127.0.0.1", probe.port)
                    await _close(writer)
                    return ""
    except TimeoutError:
        return f"no answer in {seconds:g} s"
    except OSError:
        return f"nothing listens on port {probe.port}" if probe.port else "no connection"


def _builtin(words: Sequence[str], ports: Mapping[int, int]) -> Probe | None:
    """The built-in probe for a simple command; None for anything else."""
    if len(words) == 3 and words[0].endswith("sh") and words[1] == "-c":
        script = re.sub(r"\s*(\|\||;)\s*(exit\s+1|false|kill\s.*)\s*$", "", words[2].strip())
        script = re.sub(r"\s*\d?>\s*(/dev/null|&\d)", "", script)
        if re.search(r"[|&;<>`$()]", script):
            return None
        try:
            words = shlex.split(script)
        except ValueError:
            return None
    if not words:
        return None
    name, rest = words[0].rpartition("/")[2], list(words[1:])
    match name:
        case "curl":
            return _url_probe(rest, _CURL_WITH_VALUE, ports, fail=_curl_fails(rest))
        case "wget":
            return _url_probe(rest, _WGET_WITH_VALUE, ports, fail=True)
        case "pg_isready":
            return Probe(kind="postgres", port=ports.get(_option(rest, "-p", 5432), _option(rest, "-p", 5432)))
        case "redis-cli" | "valkey-cli":
            return Probe(kind="redis", port=ports.get(_option(rest, "-p", 6379), _option(rest, "-p", 6379)))
    return None


def _curl_fails(options: Sequence[str]) -> bool:
    """Whether an HTTP error is a failure: -f, also among letters (-fsS), or --fail."""
    return any(re.fullmatch(r"-[A-Za-z]*f[A-Za-z]*|--fail(-\w+)*", each) for each in options)


def _url_probe(rest: Sequence[str], with_value: set[str], ports: Mapping[int, int], *, fail: bool) -> Probe | None:
    urls = []
    skip = False
    for word in rest:
        if skip or word.startswith("-"):
            skip = word in with_value
            continue
        urls.append(word if "://" in word else f"http://{word}")
    if len(urls) != 1:
        return None
    parts = urllib.parse.urlsplit(urls[0])
    try:
        target = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if parts.hostname not in ("localhost", "127.0.0.1", "0.0.0.0", "::1"):  # noqa: S104 - a name, not an address to bind
        return None
    port = ports.get(target, target)
    url = parts._replace(netloc=f"127.0.0.1:{port}").geturl()
    return Probe(kind="http", url=url, port=port, fail=fail)


def _option(words: Sequence[str], name: str, default: int) -> int:
    for index, word in enumerate(words):
        value = words[index + 1] if word == name and index + 1 < len(words) else word.removeprefix(name)
        if word.startswith(name) and value.isdigit():
            return int(value)
    return default


def _with_ports(words: Sequence[str], ports: Mapping[int, int]) -> list[str]:
    """Ports after a colon (`localhost:8000`), and in calls (`('localhost', 8000)`, `HTTPConnection("localhost", 8000)`)."""
    moved = {str(target): str(here) for target, here in ports.items() if target != here}
    if not moved:
        return list(words)
    pattern = rf"(?<=[:\s,=(])({'|'.join(moved)})(?!\w)|^({'|'.join(moved)})$"
    return [re.sub(pattern, lambda match: moved[match[0]], word) for word in words]


def _http(url: str, fail: bool, timeout: float) -> str:
    request = urllib.request.Request(url, headers={"User-Agent": "curl/8.0"})  # noqa: S310 - http(s) by construction
    # As curl without -L: a redirect is an answer. Certificates of a service on this machine are its own.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
    )
    try:
        with contextlib.closing(opener.open(request, timeout=timeout)):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code}" if fail and error.code >= 400 else ""
    except urllib.error.URLError as error:
        if isinstance(error.reason, OSError):
            raise error.reason from error
        return str(error.reason)
    except http.client.HTTPException as error:
        return type(error).__name__


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


async def _postgres(probe: Probe) -> str:
    """As pg_isready: any answer but "starting up" (SQLSTATE 57P03) will do. PostgreSQL protocol 3.0, StartupMessage."""
    if probe.sockets:
        reader, writer = await asyncio.open_unix_connection(f"{probe.sockets}/.s.PGSQL.{probe.port}")
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", probe.port)
    try:
        body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
        writer.write(struct.pack("!i", len(body) + 4) + body)
        answer = await reader.read(512)
        return "the database starts up" if b"C57P03\0" in answer or not answer else ""
    finally:
        await _close(writer)


async def _redis(port: int) -> str:
    """Any answer to PING but "loading" will do; one that asks for a password is up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"PING\r\n")
        answer = await reader.read(64)
        return "the server loads its data" if answer.startswith(b"-LOADING") or not answer else ""
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
