"""A sample of the crash matrix (`make crash-matrix` is all of it): cd dies at a boundary, the next `up` mends it by itself."""

from __future__ import annotations

import pytest

from tests.crash.matrix import JOURNEYS, prepared, run, table

pytestmark = pytest.mark.e2e


def test_killed_at_one_boundary_of_a_dozen() -> None:
    with prepared() as folder:
        tallies = run(folder, every=12, lanes=3)
    print(table(tallies))
    assert set(tallies) == {journey.name for journey in JOURNEYS}
    assert all(it.boundaries for it in tallies.values())
    assert [fault for it in tallies.values() for fault in it.faults] == []
    assert all(it.killed == it.boundaries for it in tallies.values())
