"""Service names and ports in environment values, made to point to where the services listen on this machine.

A container network resolves `db` by itself; here every place that names a service has to be found in the text. Rules (from
trying them on some ninety public sample applications): in URLs only the host and port are touched; elsewhere a whole
`name:port`, and a lone name only in a variable that looks like a host, so that a user or database that is called like a
service stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from defang_nb.model.value import ConfigRef, Json, Text, config, join

_FIRST_PLACEHOLDER = 0xE000
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)(?P<before>://(?:[^/\s?#@,]*(?:@[^/\s?#@,]*)*@)?)"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9])?)(?::(?P<port>\d+))?(?![\w.\-:@])"
)
_PAIR = re.compile(r"(?<![\w.\-/@])(?P<host>[A-Za-z0-9][A-Za-z0-9._\-]*):(?P<port>\d+)(?![\w.\-:@])")
_DSN_HOST = re.compile(r"(?<!\S)host=(?P<host>[A-Za-z0-9._\-]+)(?!\S)")
_DSN_PORT = re.compile(r"(?<!\S)port=(?P<port>\d+)(?!\S)")
_HOST_NAME = re.compile(r"(^|_)(PG)?(HOST(NAME)?|HOSTS|SERVER|ADDR(ESS)?|ENDPOINT)$", re.IGNORECASE)
_DEFAULT_PORTS = {
    "http": 80, "ws": 80, "https": 443, "wss": 443, "postgres": 5432, "postgresql": 5432, "redis": 6379, "amqp": 5672,
    "mysql": 3306, "mongodb": 27017,
}  # fmt: skip


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A service that others may name: its ports, and what stands for its host and for a port of it in inputs."""

    name: str
    targets: tuple[int, ...]
    host: Json
    ports: Mapping[int, Json]
    managed: str = ""

    def port(self, target: int | None, scheme: str = "") -> Json:
        """What stands for `target`, or for the port that is meant where none is written; None if there is no such port."""
        if target is None:
            default = _DEFAULT_PORTS.get(scheme.partition("+")[0].lower())
            target = default if default in self.targets else self.targets[0] if len(self.targets) == 1 else None
        return self.ports.get(target) if target is not None else None


def mentioned(text: Text, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each `(service, port)` that a value names outright, in a URL or as a pair."""
    flat, _ = _flatten(text)
    for pattern in (_URL, _PAIR):
        for match in pattern.finditer(flat):
            if match["host"] in names and match["port"]:
                yield match["host"], int(match["port"])


def rewrite(environment: Mapping[str, Text], listeners: Mapping[str, Listener]) -> dict[str, Json]:
    """`environment` as inputs: names resolved to references, configuration values symbolic.

    Where only a host is named (`DB_HOST=db`), its port is told beside it as `DB_PORT` (and `PGPORT` for a Postgres).
    """
    result = {key: _value(key, text, listeners) for key, text in environment.items()}
    for key, text in environment.items():
        listener = listeners.get(text[0]) if len(text) == 1 and isinstance(text[0], str) and _HOST_NAME.search(key) else None
        if listener is None:
            continue
        beside = _port_variable(key)
        written = environment.get(beside)
        if written is not None and len(written) == 1 and isinstance(written[0], str) and written[0].isdigit():
            if (place := listener.port(int(written[0]))) is not None:
                result[beside] = join([place])
        elif written is None and (place := listener.port(None, listener.managed)) is not None:
            result[beside] = place
            if listener.managed == "postgres":
                result.setdefault("PGPORT", place)
    return result


def renamed(environment: Mapping[str, Text], hosts: Mapping[str, Json]) -> dict[str, Json]:
    """`environment` as inputs, where services have other names but their own ports: hosts are told, ports stay as written."""
    return {key: _with_hosts(key, text, hosts) for key, text in environment.items()}


def as_json(text: Text) -> Json:
    """A text of the project as an input: literals, and references to configuration values."""
    return join([part if isinstance(part, str) else config(part.key) for part in text])


def _value(key: str, text: Text, listeners: Mapping[str, Listener]) -> Json:
    flat, refs = _flatten(text)
    if flat in listeners and _HOST_NAME.search(key):
        return listeners[flat].host
    parts: list[str | Json] = [flat]

    def replace(pattern: re.Pattern[str], found: Callable[[re.Match[str]], list[Json] | None]) -> None:
        nonlocal parts
        parts = [each for part in parts for each in (_split(part, pattern, found) if isinstance(part, str) else [part])]

    replace(_URL, lambda match: _in_url(match, listeners))
    replace(_PAIR, lambda match: _in_pair(match, listeners))
    if found := _DSN_HOST.search(flat):
        listener = listeners.get(found["host"])
        if listener is not None:
            replace(_DSN_HOST, lambda match: ["host=", listener.host] if match["host"] == listener.name else None)
            replace(_DSN_PORT, lambda match: _with_port(["port="], listener.port(int(match["port"]))))
    return join([each for part in parts for each in (_unflatten(part, refs) if isinstance(part, str) else [part])])


def _with_hosts(key: str, text: Text, hosts: Mapping[str, Json]) -> Json:
    flat, refs = _flatten(text)
    if flat in hosts and _HOST_NAME.search(key):
        return hosts[flat]

    def host(match: re.Match[str]) -> list[Json] | None:
        start, end = match.start("host") - match.start(), match.end("host") - match.start()
        return [match[0][:start], hosts[match["host"]], match[0][end:]] if match["host"] in hosts else None

    parts: list[Json] = [flat]
    for pattern in (_URL, _PAIR, _DSN_HOST):
        parts = [each for part in parts for each in (_split(part, pattern, host) if isinstance(part, str) else [part])]
    return join([each for part in parts for each in (_unflatten(part, refs) if isinstance(part, str) else [part])])


def _in_url(match: re.Match[str], listeners: Mapping[str, Listener]) -> list[Json] | None:
    listener = listeners.get(match["host"])
    if listener is None:
        return None
    port = listener.port(int(match["port"]) if match["port"] else None, match["scheme"])
    return _with_port([match["scheme"] + match["before"], listener.host, ":"], port)


def _in_pair(match: re.Match[str], listeners: Mapping[str, Listener]) -> list[Json] | None:
    listener = listeners.get(match["host"])
    return _with_port([listener.host, ":"], listener.port(int(match["port"]))) if listener else None


def _with_port(before: list[Json], port: Json) -> list[Json] | None:
    return None if port is None else [*before, port]


def _split(text: str, pattern: re.Pattern[str], found: Callable[[re.Match[str]], list[Json] | None]) -> list[Json]:
    """`text` in parts, with each match replaced by what `found` gives (None: left as it is)."""
    parts: list[Json] = []
    place = 0
    for match in pattern.finditer(text):
        if (instead := found(match)) is not None:
            parts += [text[place : match.start()], *instead]
            place = match.end()
    return [*parts, text[place:]]


def _flatten(text: Text) -> tuple[str, list[ConfigRef]]:
    """One string, in which each configuration value is a character of the private use area."""
    refs: list[ConfigRef] = []
    flat = ""
    for part in text:
        if isinstance(part, ConfigRef):
            flat += chr(_FIRST_PLACEHOLDER + len(refs))
            refs.append(part)
        else:
            flat += part
    return flat, refs


def _unflatten(text: str, refs: Sequence[ConfigRef]) -> list[Json]:
    parts: list[Json] = []
    for piece in re.split(r"([\ue000-\uf8ff])", text):
        place = ord(piece) - _FIRST_PLACEHOLDER if len(piece) == 1 else -1
        parts.append(config(refs[place].key) if 0 <= place < len(refs) else piece)
    return parts


def _port_variable(key: str) -> str:
    """DB_HOST → DB_PORT, PGHOST → PGPORT, redis_host → redis_port."""
    match = re.search(r"(HOST(NAME)?|HOSTS|SERVER|ADDR(ESS)?|ENDPOINT)$", key, re.IGNORECASE)
    stem = key[: match.start()] if match else f"{key}_"
    return f"{stem}port" if key.islower() else f"{stem}PORT"
