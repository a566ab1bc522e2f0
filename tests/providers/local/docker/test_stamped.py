from __future__ import annotations

import pytest

from defang_nb.providers.local.docker.stamped import NANO, Line, Mark, Stream

DOCKER = b"2026-01-31T12:34:56.123456789Z one\n2026-01-31T12:34:56.123456789Z two\n2026-01-31T12:34:56.123456790Z three\n"
PODMAN = b"2026-01-31T13:34:56+01:00 one\n2026-01-31T13:34:56+01:00 two\n2026-01-31T13:34:57+01:00 three\n"
SECOND = 1769862896


def words(data: bytes, mark: Mark | None = None) -> list[str]:
    return [each.words for each in Stream(mark).feed(data)]


def test_times_are_exact_to_what_the_engine_says() -> None:
    assert [each.moment - SECOND * NANO for each in Stream().feed(DOCKER)] == [123456789, 123456789, 123456790]
    assert [each.moment - SECOND * NANO for each in Stream().feed(PODMAN)] == [0, 0, NANO]
    line = Line(SECOND * NANO, "x", whole=True)
    assert line.after(SECOND + 0.9) and not line.after(SECOND + 1.1), "a second's line may be of any part of it"


def test_pieces_are_put_together_and_a_progress_bar_begins_anew() -> None:
    stream, got = Stream(), []
    for number in range(len(DOCKER)):
        got += [each.words for each in stream.feed(DOCKER[number : number + 1])]
    assert got == ["one", "two", "three"]
    assert words(b"2026-01-31T12:34:56.1Z 10 %\r20 %\r\n") == ["20 %"]
    assert words(b"no time\n\n") == []
    rest = Stream()
    assert list(rest.feed(b"2026-01-31T12:34:56.1Z no end")) == [] and [each.words for each in rest.end()] == ["no end"]


def test_a_line_that_comes_in_pieces_with_a_time_each_is_one_line() -> None:
    stream = Stream()
    pieces = (b"2026-01-31T12:34:56Z 26", b"2026-01-31T12:34:57Z 54\n", b"2026-01-31T12:34:57Z 2655\n")
    assert [each.words for piece in pieces for each in stream.feed(piece)] == ["2654", "2655"]


@pytest.mark.parametrize("data", [DOCKER, PODMAN])
@pytest.mark.parametrize("seen", [0, 1, 2, 3])
def test_who_reads_on_gets_each_line_once_though_many_are_of_one_time(data: bytes, seen: int) -> None:
    mark = Mark()
    for each in list(Stream().feed(data))[:seen]:
        mark.read(each.moment)
    assert words(data, mark) == ["one", "two", "three"][seen:]


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    mark = Mark()
    for each in Stream().feed(DOCKER):
        mark.read(each.moment)
    assert words(DOCKER + b"2026-01-31T12:34:57Z four\n2026-01-31T12:30:00Z five\n", mark) == ["four", "five"]
