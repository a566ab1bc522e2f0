"""Load balancers that answer: a forwarding server for each listener, which sends requests by its rules to healthy targets.

It speaks HTTP/1.1 (and what upgrades from it). One more server is a proxy: what asks it for a load balancer's own name, or for
a domain name that a rule has, is answered as from outside; and so is what asks it for a distribution of CloudFront (`edge.py`),
whose HTTPS is a word in the address only.
"""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import json
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from moto.elbv2.models import elbv2_backends

from tests.aws.ecs.world import World
from tests.aws.edge import Answer, Edge

LONGEST = 64 << 10
"""Bytes of a request's head."""
_PAUSE = 0.1


class Balancer:
    """A thread with the servers. `addresses`: (load balancer's DNS name, listener's port) → host:port."""

    def __init__(self, world: World, edge: Edge) -> None:
        self._world = world
        self._edge = edge
        self._servers: dict[str, asyncio.Server] = {}
        self._turn = itertools.count()
        self.addresses: dict[tuple[str, int], str] = {}
        self.proxy = ""
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="balancers", daemon=True)

    def begin(self) -> None:
        self._thread.start()
        self._ready.wait()

    def end(self) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    def told(self) -> list[dict[str, Any]]:
        """Every listener: load balancer, its DNS name, port, and where it answers."""
        found = [{"host": host, "port": port, "address": address} for (host, port), address in self.addresses.items()]
        return [*found, {"host": "", "port": 0, "address": self.proxy}]

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        proxy = await asyncio.start_server(lambda r, w: self._guarded(None, r, w), "127.0.0.1", 0, limit=LONGEST)
        self.proxy = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        self._ready.set()
        while not self._stop.is_set():
            await self._match()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE):
                    await self._stop.wait()
        for each in (proxy, *self._servers.values()):
            each.close()

    async def _match(self) -> None:
        """As many servers as listeners."""
        with self._world.lock:
            wanted = {listener.arn: (lb.dns_name, int(listener.port)) for lb, listener in _listeners()}
        for arn in wanted.keys() - self._servers.keys():
            server = await asyncio.start_server(lambda r, w, arn=arn: self._guarded(arn, r, w), "127.0.0.1", 0, limit=LONGEST)
            self._servers[arn] = server
            self.addresses[wanted[arn]] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for arn in self._servers.keys() - wanted.keys():
            self._servers.pop(arn).close()
        self.addresses = {key: value for key, value in self.addresses.items() if key in wanted.values()}

    async def _guarded(self, arn: str | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await self._answer(arn, reader, writer)
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _answer(self, arn: str | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, version = first.split(" ", 2)
        if method == "CONNECT" and arn is None:
            await _tunnel(target, reader, writer)
            return
        headers = [line.partition(":")[::2] for line in lines]
        host = next((value.strip() for key, value in headers if key.lower() == "host"), "")
        url = urlsplit(target if "://" in target else f"http://{host}{target}")
        if arn is None and (served := await asyncio.to_thread(self._served, url, method)) is not None:
            writer.write(_served_as(served, method))
            await writer.drain()
            return
        with self._world.lock:
            found = arn or _listener_of(url.hostname or "", url.port or 80)
            action = _action(found, method, url, headers) if found else None
            place, answer = self._place(action) if action else (None, (502, "no such load balancer"))
        if place is None:
            writer.write(_said(*answer))
            await writer.drain()
            return
        try:
            onward, back = await asyncio.wait_for(asyncio.open_connection(*place), 5)
        except (OSError, TimeoutError):
            writer.write(_said(502, "Bad Gateway"))
            return
        path = url.path or "/"
        upgrading = any(key.lower() == "upgrade" for key, _ in headers)
        kept = [
            f"{key}:{value}" for key, value in headers if upgrading or key.lower() not in ("connection", "proxy-connection")
        ]
        kept += ["X-Forwarded-Proto: http", f"X-Forwarded-Port: {url.port or 80}", "X-Forwarded-For: 127.0.0.1"]
        kept += [] if upgrading else ["Connection: close"]
        line = f"{method} {path}{'?' + url.query if url.query else ''} {version}"
        back.write("\r\n".join((line, *kept, "", "")).encode("latin-1"))
        sending = asyncio.create_task(_pipe(reader, back))
        await _pipe(onward, writer)
        sending.cancel()
        back.close()

    def _served(self, url: SplitResult, method: str) -> Answer | None:
        with self._world.lock:
            return self._edge.answer(url, method)

    def _place(self, action: dict[str, Any]) -> tuple[tuple[str, int] | None, tuple[int, str]]:
        """Where an action sends a request, or what it answers."""
        if action["Type"] == "fixed-response":
            said = action["FixedResponseConfig"]
            return None, (int(said["StatusCode"]), said.get("MessageBody") or "")
        if action["Type"] != "forward":
            return None, (501, f"the simulation does not know {json.dumps(action)}")
        places = self._healthy(_group_of(action))
        if None in places:
            return None, (200, "a task that is not really run")
        return (places[next(self._turn) % len(places)], (0, "")) if places else (None, (503, "Service Temporarily Unavailable"))

    def _healthy(self, group: str) -> list[tuple[str, int] | None]:
        """Where the healthy targets are; None for those that are not really run."""
        found = []
        for _, _, backend in elbv2_backends.iter_backends():
            for target in backend.target_groups[group].targets.values() if group in backend.target_groups else ():
                run = self._world.runs.get(getattr(target, "task", ""))
                place = run.address(int(target["Port"])) if run is not None else None
                if run is not None and target.state == "healthy":
                    found.append(place)
        return found


def _listeners() -> list[tuple[Any, Any]]:
    return [
        (balancer, listener)
        for _, _, backend in list(elbv2_backends.iter_backends())
        for balancer in list(backend.load_balancers.values())
        for listener in list(balancer.listeners.values())
    ]


def _listener_of(host: str, port: int) -> str | None:
    """The listener that is found by a load balancer's own name, or by a name that one of its rules has."""
    for balancer, listener in _listeners():
        named = any(
            "host-header" in str(each) and host in str(each) for rule in listener.rules.values() for each in rule.conditions
        )
        if int(listener.port) == port and (balancer.dns_name == host or named):
            return str(listener.arn)
    return None


def _action(arn: str, method: str, url: Any, headers: list[Any]) -> dict[str, Any] | None:
    listener = next((listener for _, listener in _listeners() if listener.arn == arn), None)
    if listener is None:
        return None
    ruled = [each for each in listener.rules.values() if str(each.priority).isdigit()]
    for rule in sorted(ruled, key=lambda each: int(each.priority)):
        if all(_fits(each, method, url, headers) for each in rule.conditions):
            return _plain(rule.actions[-1])
    return _plain(listener.default_actions[-1])


def _plain(action: Any) -> dict[str, Any]:
    return dict(getattr(action, "data", action))


def _group_of(action: dict[str, Any]) -> str:
    if action.get("TargetGroupArn"):
        return str(action["TargetGroupArn"])
    groups = action["ForwardConfig"]["TargetGroups"]
    return str(max(groups, key=lambda each: int(each.get("Weight", 1)))["TargetGroupArn"])


def _fits(condition: dict[str, Any], method: str, url: Any, headers: list[Any]) -> bool:
    values = condition.get("Values") or next((v.get("Values") for k, v in condition.items() if k.endswith("Config")), []) or []
    match condition["Field"]:
        case "path-pattern":
            return any(fnmatch.fnmatchcase(url.path or "/", each) for each in values)
        case "host-header":
            host = (next((value.strip() for key, value in headers if key.lower() == "host"), "") or "").partition(":")[0]
            return any(fnmatch.fnmatchcase(host.lower(), each.lower()) for each in values)
        case "http-request-method":
            return method in values
        case "http-header":
            name = condition["HttpHeaderConfig"]["HttpHeaderName"].lower()
            return any(fnmatch.fnmatch(value.strip(), each) for key, value in headers if key.lower() == name for each in values)
        case "query-string":
            given = parse_qsl(url.query)
            return any((each.get("Key"), each["Value"]) in given or each["Value"] in dict(given).values() for each in values)
    return True


def _said(status: int, text: str) -> bytes:
    body = text.encode()
    return f"HTTP/1.1 {status} Answered\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def _served_as(answer: Answer, method: str) -> bytes:
    headers = {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {answer.status} Answered", *(f"{key}: {value}" for key, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (b"" if method == "HEAD" else answer.body)


async def _tunnel(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """gRPC goes by way of a proxy, wherever there is one: on to this machine's own addresses."""
    host, _, port = target.rpartition(":")
    if not host.startswith("127."):
        writer.write(_said(502, "no such host"))
        return
    onward, back = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 5)
    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
    sending = asyncio.create_task(_pipe(reader, back))
    await _pipe(onward, writer)
    sending.cancel()
    back.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(64 << 10):
            writer.write(data)
            await writer.drain()
