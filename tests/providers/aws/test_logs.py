"""Lines of services, builds and cd, as CloudWatch has them: whose, of which time, with which words, and as they come."""

from __future__ import annotations

import asyncio
import time

import pytest

from defang_nb.model.stack import Stack
from defang_nb.model.status import LogKind, LogQuery, LogRecord
from defang_nb.providers.aws.account import Account
from defang_nb.providers.aws.operate.logs import read, sources
from defang_nb.providers.aws.provider import AwsProvider
from tests.aws.handle import Simulation
from tests.providers.aws.plans import BASE, STACK

NOW = time.time()
SERVICES, OWN = f"/defang/{STACK}/shop", "/defang/cd"
WRITTEN = {
    (SERVICES, "web/web/1"): [(-9, "GET / 200"), (-7, "GET /x 500")],
    (SERVICES, "web/web/2"): [(-8, "GET / 200")],
    (SERVICES, "my-api/my-api/3"): [(-6, "well")],
    (OWN, f"build/{STACK}/shop/web/kaniko/4"): [(-5, "RUN pip install hunter2-hunter2"), (-4, "pushed")],
    (OWN, f"build/{STACK}/shop2/web/kaniko/5"): [(-5, "of another project")],
    (OWN, f"cd/{STACK}/cd/6"): [(-3, "serving")],
    (OWN, "cd/other/cd/7"): [(-3, "of another stack")],
}


@pytest.fixture
def provider(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> AwsProvider:
    """Of a stack whose services, builds and cd have written."""
    logs = simulation.client("logs")
    for group in (SERVICES, OWN):
        logs.create_log_group(logGroupName=group)
    for (group, stream), lines in WRITTEN.items():
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        write(simulation, group, stream, *lines)
    made = AwsProvider(Stack(name=STACK, provider="aws", settings={"AWS_REGION": "eu-central-1"}))
    monkeypatch.setattr(made, "_base", BASE)
    return made


def write(simulation: Simulation, group: str, stream: str, *lines: tuple[float, str]) -> None:
    events = [{"timestamp": int((NOW + when) * 1000), "message": line} for when, line in lines]
    simulation.client("logs").put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


async def lines(provider: AwsProvider, query: LogQuery) -> list[tuple[str, str]]:
    return [(each.source, each.line) async for each in provider.logs("shop", query)]


async def test_whose_of_which_time_and_with_which_words(provider: AwsProvider) -> None:
    await provider.config.set("shop", "TOKEN", "hunter2-hunter2")
    web = [("web.1", "GET / 200"), ("web.2", "GET / 200"), ("web.1", "GET /x 500")]
    assert await lines(provider, LogQuery()) == [*web, ("my-api.1", "well")]
    assert await lines(provider, LogQuery(services=("my.api",))) == [("my.api.1", "well")], "ECS knows no dots in names"
    assert await lines(provider, LogQuery(services=("web",), containing="200", tail=1)) == [web[1]]
    assert await lines(provider, LogQuery(since=NOW - 8.5, until=NOW - 6.5)) == [
        ("web.1", "GET / 200"),
        ("web.2", "GET /x 500"),
    ]
    assert await lines(provider, LogQuery(tail=0)) == []
    built = [("build of web", "RUN pip install ***"), ("build of web", "pushed")]
    assert await lines(provider, LogQuery(kinds=(LogKind.BUILD,))) == built
    assert await lines(provider, LogQuery(kinds=(LogKind.BUILD,), services=("api",))) == []
    assert await lines(provider, LogQuery(kinds=(LogKind.CD,), services=("web",))) == [("cd.1", "serving")]
    everything = await lines(provider, LogQuery(kinds=tuple(LogKind), since=NOW - 6.5))
    assert everything == [("my-api.1", "well"), *built, ("cd.1", "serving")]


async def test_what_was_never_deployed_has_no_lines(provider: AwsProvider) -> None:
    assert [each async for each in provider.logs("none", LogQuery(kinds=tuple(LogKind), since=NOW - 100, services=("x",)))] == [
        LogRecord(service="cd", time=pytest.approx(NOW - 3, abs=0.01), line="serving", kind=LogKind.CD)  # type: ignore[arg-type]
    ]


async def test_new_lines_come_as_they_are_written_each_once(simulation: Simulation, provider: AwsProvider) -> None:
    query = LogQuery(services=("web",), tail=1, follow=True, containing="GET")
    found: list[str] = []
    account = Account({"AWS_REGION": "eu-central-1"})
    async with asyncio.timeout(30):
        async for record in read(account, sources(STACK, "shop", OWN, query), query, pace=0.05):
            found.append(record.line)
            if len(found) == 1:
                write(simulation, SERVICES, "web/web/1", (-1, "POST /"), (-1, "GET /new"))
                write(simulation, SERVICES, "web/web/2", (-6.9, "GET /late"), (0, "GET /last"))
            if found[-1] == "GET /last":
                break
    assert sorted(found) == ["GET /last", "GET /late", "GET /new", "GET /x 500"]
