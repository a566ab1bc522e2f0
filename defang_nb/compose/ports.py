"""Ports: `8080:80`, `127.0.0.1:8080:80/udp`, ranges, and the long form. Source: Compose specification, "ports"."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from defang_nb.compose.kinds import DROP, Context, Int, Kind, Scalar, Str, said, wrong_type
from defang_nb.compose.limits import PER_PORT
from defang_nb.compose.nodes import Map, Node, Path, Seq, show
from defang_nb.compose.shapes import Struct, fields_of
from defang_nb.model.source import Position

_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_HINT: Final = 'write "8080:80" (published:target), "80", or a mapping with `target`'
_LONG: Final = Struct(
    {
        "name": Str(),
        "mode": Str(),
        "host_ip": Str(),
        "target": Int(0, 2**32 - 1, allows="a port (1 to 65535)"),
        "published": Scalar((str, int), allows="a port or range"),
        "protocol": Str(),
        "app_protocol": Str(),
    },
    required=("target",),
)


_DIGITS: Final = 10
"""More of a port's digits are not read: it is out of range."""


class PortError(ValueError):
    """The short form can't be read."""


class Ports(Kind):
    """A list of ports in any form; canonical: the long form, one for each container port."""

    allows = "a list of ports"
    long = _LONG

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, Seq):
            return wrong_type(self.allows, value, at, path, ctx)
        if any(ctx.is_template(item) for item in value):
            return value
        made = Seq(value.at)
        for index, (item, item_at) in enumerate(value.pairs()):
            here = (*path, index)
            if isinstance(item, Map):
                if self._long(item, item_at, here, ctx):
                    made.add(item, item_at)
            elif isinstance(item, (str, int)) and not isinstance(item, bool):
                try:
                    ports = parse(str(item))
                    if len(ports) > 1:
                        ctx.problems.derive(len(ports) * PER_PORT, "ranges of ports", item_at, here)
                    for port in sorted(ports, key=lambda port: f"{port['target']}/"):  # as the reference orders them
                        made.add(fields_of(Map(item_at), item_at, **port), item_at)
                except PortError as problem:
                    ctx.refuse("wrong-port", f"{show(here)}: {problem}", item_at, here, _HINT)
            else:
                wrong_type("a port such as 80 or 8080:80, or a mapping", item, item_at, here, ctx)
        return made

    def _long(self, item: Map, at: Position, path: Path, ctx: Context) -> bool:
        if _LONG.read(item, at, path, ctx) is DROP or "target" not in item:
            return False
        host = item.get("host_ip")
        if host and not _is_address(host):
            message = f"{show(path)}.host_ip must be an IP address, but it is {said(host)}"
            ctx.refuse(
                "wrong-port", message, item.value_at("host_ip"), (*path, "host_ip"), "write an address, such as 127.0.0.1"
            )
            return False
        defaults = {key: value for key, value in (("mode", "ingress"), ("protocol", "tcp")) if key not in item}
        fields_of(item, at, **defaults)
        return True


def parse(text: str) -> list[dict[str, Node]]:
    """The short form's ports. Raises PortError."""
    head, protocol, *_ = *text.split("/"), ""
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise PortError(f"the protocol must be one of {', '.join(_PROTOCOLS)}, but it is {said(protocol)}")
    *hosts, container = head.rsplit(":", 2)
    published = hosts[-1] if hosts else ""
    address = hosts[0] if len(hosts) == 2 else ""
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    elif ":" in address:
        raise PortError(
            f"{said(address)} has to stand in brackets, as [::1] does" if _is_address(address) else "too many colons"
        )
    if not container:
        raise PortError("no port is given")
    if address and not _is_address(address):
        raise PortError(f"{said(address)} is no IP address")
    first, last = _range(container, "container")
    if not first:
        raise PortError("a container's port is at least 1")
    common: dict[str, Node] = {"mode": "ingress", **({"host_ip": address} if address else {})}
    if not published:
        return [{**common, "target": port, "protocol": protocol} for port in range(first, last + 1)]
    low, high = _range(published, "published")
    if first == last:
        shown = str(low) if low == high else f"{low}-{high}"
        return [{**common, "target": first, "published": shown, "protocol": protocol}]
    if high - low != last - first:
        raise PortError(f"the ranges {published} and {container} differ in length")
    return [
        {**common, "target": first + step, "published": str(low + step), "protocol": protocol}
        for step in range(last - first + 1)
    ]


def _range(text: str, what: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]+)(?:-([0-9]+)(?:-.*)?)?", text)
    if not match:
        raise PortError(f"{said(text)} is no {what} port")
    first, last = (int(each[:_DIGITS]) for each in (match[1], match[2] or match[1]))
    if last > 65535 or last < first:
        raise PortError(f"{text} is out of range (0 to 65535, the smaller first)")
    return first, last


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
