"""Tables and charts of what services use."""

from __future__ import annotations

import re

from defang_nb.model.status import Usage
from defang_nb.render.tables import table_text
from defang_nb.render.usage import KEPT, History, percent, size, usage_html, usage_table


def sample(time: float, *uses: tuple[str, int, float, int], limit: int | None = None) -> list[Usage]:
    return [
        Usage(service=service, replica=replica, time=time, cpu=cpu, memory=memory, limit=limit, processes=2)
        for service, replica, cpu, memory in uses
    ]


def test_numbers_are_in_the_units_that_people_use() -> None:
    assert [percent(each) for each in (0.0, 0.034, 0.0996, 1.4)] == ["0.0 %", "3.4 %", "10 %", "140 %"]
    assert [size(each) for each in (0, 999, 2048, 85 * 2**20, 1000 * 2**20, 3 * 2**30)] == [
        "0 B", "999 B", "2.0 KiB", "85.0 MiB", "1.0 GiB", "3.0 GiB",
    ]  # fmt: skip


def test_a_row_for_each_replica_with_the_present_and_a_chart_of_the_past() -> None:
    history = History("shop")
    history.add(sample(1, ("web", 1, 0.0, 2**24), ("db", 1, 1.0, 2**25)))
    history.add(sample(2, ("web", 1, 0.5, 2**24), ("web", 2, 0.1, 2**24), ("db", 1, 1.0, 2**25)))
    lines = table_text(usage_table(history)).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["db", "web.1", "web.2"]
    assert "100 %" in lines[2]
    assert "██" in lines[2]
    assert "▁▅" in lines[3]
    assert "Received" not in lines[1], "a column that nobody has is left out"


def test_one_that_stopped_is_told_until_it_is_forgotten() -> None:
    history = History("shop")
    history.add(sample(0, ("web", 1, 0.1, 1), ("db", 1, 0.1, 1)))
    history.add(sample(1, ("web", 1, 0.1, 1)))
    assert "db       not running" in table_text(usage_table(history))
    for moment in range(KEPT):
        history.add(sample(moment, ("web", 1, 0.1, 1)))
    assert "db" not in table_text(usage_table(history))
    assert table_text(usage_table(History("shop"))) == "shop: nothing runs"


def test_the_charts_of_a_column_have_one_scale_that_its_head_tells() -> None:
    history = History("a <b>")
    history.add(sample(1, ("web", 1, 2.0, 2**30), ("db", 1, 1.0, 2**29), limit=2**31))
    html = usage_html(history)
    assert "to 200 %" in html
    assert "1.0 GiB of 2.0 GiB" in html
    heights = [float(each) for each in re.findall(r'class="line" points="[\d.]+,([\d.]+)', html)]
    db_cpu, _, web_cpu, _ = heights
    assert web_cpu == 2.0, "the most is at the top"
    assert db_cpu == 14.0, "half of it in the middle"
    assert 'aria-label="CPU of db, now 100 %"' in html
    assert "a &lt;b&gt;" in html
    assert "nothing runs" in usage_html(History("x"))
