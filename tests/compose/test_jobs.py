"""Top-level jobs, and the steps and masks of newer Compose files."""

from __future__ import annotations

import pytest

from defang_nb.compose.jobs import wrong_in_cron
from defang_nb.model.project import Schedule

TEXT = """\
services:
  db: {image: pg, umask: 022, pre_start: [{command: a, image: q, per_replica: true}, {user: root}]}
jobs:
  nightly:
    build: ./n
    depends_on: [db]
    environment: {A: $$x, B: }
    volumes: ["data:/d"]
    triggers: {schedule: ["0 3 * * mon-fri", {cron: "@daily", timezone: Europe/Paris, concurrency: queue}], manual: false}
  hand: {image: x, triggers: {manual: true}, profiles: [z]}
  often: {image: x, schedule: "*/5 * * * *"}
volumes: {data: {}}
"""


def test_jobs_are_read_as_services_are_and_typed(folder) -> None:
    loaded = folder.load(TEXT)
    assert not loaded.diagnostics
    jobs = loaded.project.jobs
    assert list(jobs) == ["nightly", "often"]
    assert jobs["nightly"].schedule == (
        Schedule(cron="0 3 * * mon-fri"),
        Schedule(cron="@daily", timezone="Europe/Paris", concurrency="queue"),
    )
    assert not jobs["nightly"].manual
    assert jobs["often"].manual
    container = jobs["nightly"].container
    assert container.build is not None
    assert container.build.context == str(folder.path / "n")
    assert list(container.depends_on) == ["db"]
    assert loaded.project.volumes["data"].name == "proj_data"
    assert list(folder.load(TEXT, profiles=["z"]).project.jobs) == ["nightly", "hand", "often"]
    canonical = loaded.canonical["jobs"]["often"]
    assert canonical == {"image": "x", "triggers": {"schedule": [{"cron": "*/5 * * * *"}]}, "networks": {"default": None}}


def test_steps_before_the_start_have_the_services_image(folder) -> None:
    service = folder.services(TEXT)["db"]
    assert [step["image"] for step in service["pre_start"]] == ["q", "pg"]
    assert service["umask"] == 0o22


@pytest.mark.parametrize(
    "cron",
    ["* * * * *", "0 3 * * *", "*/5 0-6 1,15 jan-mar mon-fri", "59 23 31 12 7", "@daily", "0 0 * * SUN", "1-30/5 * * * *"],
)
def test_a_cron_expression(cron: str) -> None:
    assert wrong_in_cron(cron) == ""


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *",
             "@never", "a * * * *", "* * * * * *", "*-2 * * * *"]
)  # fmt: skip
def test_no_cron_expression(cron: str) -> None:
    assert wrong_in_cron(cron)
