"""Logs are filtered as CloudWatch filters them."""

from __future__ import annotations

import time

import pytest

from tests.aws.account import Yard


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [0, 1, 2]),
        ("ERROR", [0, 1]),
        ("ERROR disk", [1]),
        ('"disk full"', [1]),
        ("?disk ?well", [1, 2]),
        ("ERROR -disk", [0]),
        ("%4\\d\\d%", [0]),
    ],
)
def test_by_pattern_and_by_prefix_in_order_of_time(yard: Yard, pattern: str, found: list[int]) -> None:
    lines = ["ERROR 404", "ERROR disk full", "all is well"]
    logs, now = yard.client("logs"), int(time.time() * 1000)
    for name in ("web/a", "web/b", "db/a"):
        logs.create_log_stream(logGroupName="yard", logStreamName=name)
    for number, name in ((0, "web/b"), (2, "web/b"), (1, "web/a")):
        event = {"timestamp": now + number, "message": lines[number]}
        logs.put_log_events(logGroupName="yard", logStreamName=name, logEvents=[event])
    logs.put_log_events(
        logGroupName="yard", logStreamName="db/a", logEvents=[{"timestamp": now, "message": "ERROR 404 disk full well"}]
    )
    given = {"filterPattern": pattern} if pattern else {}
    events = logs.filter_log_events(logGroupName="yard", logStreamNamePrefix="web/", **given)["events"]
    assert [lines.index(each["message"]) for each in events] == found
    assert logs.filter_log_events(logGroupName="yard", logStreamNamePrefix="none/")["events"] == []
