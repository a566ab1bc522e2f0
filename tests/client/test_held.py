"""What a workspace holds of a story: everything, but of a flood of lines the last ones."""

from __future__ import annotations

from defang_nb.client.held import LINES, Held
from defang_nb.model.events import BuildLine, Event, Payload, ServiceChanged, ServiceState


def event(number: int, payload: Payload) -> Event:
    return Event(deployment="d", sequence=number, time=0.0, payload=payload)


def test_of_a_flood_the_last_lines_are_held_and_all_else() -> None:
    held = Held()
    changed = ServiceChanged(service="web", state=ServiceState.BUILD_RUNNING)
    for number in range(1000):
        held.add(event(2 * number, changed))
        held.add(event(2 * number + 1, BuildLine(urn="i", line="a", more=("b",) * 99)))
        assert held.complete == (100 * (number + 1) <= LINES)
    lines = [each for each in held.events if isinstance(each.payload, BuildLine)]
    assert LINES / 2 <= 100 * len(lines) <= LINES
    assert lines[-1].sequence == 1999
    assert len(held.events) == 1000 + len(lines)
    assert [each.sequence for each in held.events] == sorted(each.sequence for each in held.events)
