"""The local provider's own part: refusals with places, ports in use, logs, an empty stack."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from defang_nb.errors import UsageError
from defang_nb.model.project import Mount, Port, Project, Service
from defang_nb.model.source import Diagnostic, Position, Severity
from defang_nb.model.stack import LOCAL
from defang_nb.model.status import LogKind, LogQuery
from defang_nb.providers.base import Provider
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.provider import LocalProvider


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalProvider:
    monkeypatch.setenv("DEFANG_NB_HOME", str(tmp_path / "home"))
    return LocalProvider(LOCAL)


def project(service: Service, positions: Mapping[str, Position] | None = None) -> Project:
    return Project(name="p", services={service.name: service}, positions=positions or {})


def findings(provider: LocalProvider, service: Service) -> dict[str, Diagnostic]:
    return {each.code: each for each in provider.check(project(service))}


@pytest.mark.parametrize("image", ["nginx", "mysql:8", "mongo", "postgis/postgis:16", "docker.io/library/nginx:alpine"])
def test_an_image_that_cant_run_is_refused_with_its_line(provider: LocalProvider, image: str) -> None:
    place = Position("compose.yaml", 3, 12)
    found = provider.check(project(Service(name="web", image=image), {"services.web.image": place}))
    assert [(each.severity, each.code, each.position, each.service) for each in found] == [
        (Severity.ERROR, "image-unsupported", place, "web")
    ]
    assert image in found[0].message
    assert "Docker" in found[0].hint


@pytest.mark.parametrize(
    ("service", "code"),
    [
        (
            Service(name="a", image="x", volumes=(Mount(kind="bind", source="/var/run/docker.sock", target="/sock"),)),
            "mount-unsupported",
        ),
        (Service(name="a"), "nothing-to-run"),
        (Service(name="a", image="redis", environment={"U": ("rediss://a:6379",)}), "redis-tls"),
    ],
)
def test_what_cant_be_honoured_is_an_error(provider: LocalProvider, service: Service, code: str) -> None:
    assert findings(provider, service)[code].severity is Severity.ERROR


def test_what_is_honoured_otherwise_is_said(provider: LocalProvider) -> None:
    found = findings(provider, Service(name="a", image="postgres:15", replicas=2, ports=(Port(target=5432),)))
    assert {code: each.severity for code, each in found.items()} == {
        "postgres-version": Severity.INFO,
        "replicas-one": Severity.WARNING,
    }


def test_it_is_a_provider(provider: LocalProvider) -> None:
    checked: Provider = provider
    assert checked.stack == LOCAL
    assert all(name == each.name for name, each in checked.resource_types().items())


async def test_a_port_in_use_names_who_holds_it_and_where_it_is_written(provider: LocalProvider, free_port: int) -> None:
    place = Position("compose.yaml", 7, 9)
    web = Service(name="web", image="x", ports=(Port(target=80, published=free_port),))
    it = project(web, {"services.web.ports[0]": place})
    desired = provider.compile(it, [], {})
    assert await provider.preflight(it, desired, {}) == []
    with socket.create_server(("127.0.0.1", free_port)):
        (found,) = await provider.preflight(it, desired, {})
    assert (found.code, found.path, found.position) == ("port-in-use", "services.web.ports[0]", place)
    assert f"port {free_port} is in use by {psutil.Process().name()}" in found.message


async def test_an_empty_stack_has_nothing_to_tell_and_nothing_to_clean(provider: LocalProvider) -> None:
    assert await provider.status("p") == []
    assert [each async for each in provider.logs("p", LogQuery())] == []
    await provider.cleanup("p")


async def test_logs_are_merged_by_time_and_can_be_followed(provider: LocalProvider) -> None:
    folder = StackPaths.of("local").logs / "p"
    folder.mkdir(parents=True)
    (folder / "web.1.log.1").write_text("2026-01-01T00:00:00.500Z oldest\n")
    (folder / "web.1.log").write_text("2026-01-01T00:00:01.000Z one\n2026-01-01T00:00:03.000Z three\n")
    worker = folder / "my.worker.2.log"
    worker.write_text("2026-01-01T00:00:02.000Z two\nnot a log line\n2026-01-01T00:00:04.000Z cut")

    async def lines(**query: object) -> list[str]:
        return [each.line async for each in provider.logs("p", LogQuery(**query))]  # type: ignore[arg-type]

    assert await lines() == ["oldest", "one", "two", "three"]
    assert await lines(tail=2) == ["two", "three"]
    assert await lines(services=("my.worker",)) == ["two"]
    assert await lines(since=1767225602.0, until=1767225602.5) == ["two"]
    assert await lines(containing="o", tail=2) == ["one", "two"]
    assert await lines(kinds=tuple(LogKind)) == ["oldest", "one", "two", "three"]
    with pytest.raises(UsageError, match="no log of their own"):
        await lines(kinds=(LogKind.BUILD,))

    seen: list[tuple[str, int, str]] = []

    async def follow() -> None:
        async for each in provider.logs("p", LogQuery(tail=1, follow=True)):
            seen.append((each.service, each.replica, each.line))
            if len(seen) == 1:
                with worker.open("a") as file:
                    file.write(" short\n")
            else:
                return

    await asyncio.wait_for(follow(), 30)
    assert seen == [("web", 1, "three"), ("my.worker", 2, "cut short")]
