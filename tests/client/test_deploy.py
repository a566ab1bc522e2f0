"""The whole path with nothing faked: workspace → cd process → engine → a live service, and back down."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from defang_nb.client import api
from defang_nb.client.deployment import Deployment
from defang_nb.errors import (
    BuildError,
    ConfigMissingError,
    DeploymentCancelledError,
    DeploymentFailedError,
    LeaseHeldError,
    NotFoundError,
    UsageError,
)
from defang_nb.model.events import Finished, Outcome, Requested, ServiceState, Stage
from defang_nb.model.view import replay
from defang_nb.providers.local.paths import StackPaths
from tests.client.conftest import App, make_app, until
from tests.conftest import processes_of


def test_up_goes_live_and_down_leaves_nothing(app: App, home: Path) -> None:
    app.open()
    first = api.up(working_dir=app.folder)
    with urlopen(first.endpoints["web"], timeout=10) as answer:
        assert answer.status == 200
    assert [(each.service, each.running) for each in api.ps()] == [("web", 1)]
    assert first.services["web"].state is ServiceState.DEPLOYMENT_COMPLETED
    again = api.up(working_dir=app.folder)
    assert (again.view.message, again.services["web"].detail) == ("nothing to change", "unchanged")
    assert again.endpoints == first.endpoints
    down = api.down(working_dir=app.folder)
    assert down.services["web"].state is ServiceState.DEPLOYMENT_SCALED_IN
    assert api.ps() == []
    left = {" ".join(each.cmdline()[:4]) for each in processes_of(home)}
    assert {each for each in left if "defang_nb.cd" not in each} == set()
    assert [each.id for each in api.deployments()] == [down.id, again.id, first.id]


def test_a_story_begins_with_the_request_and_ends_once(app: App) -> None:
    app.open()
    events = api.up(working_dir=app.folder).events
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert isinstance(events[0].payload, Requested)
    assert [isinstance(event.payload, Finished) for event in events].count(True) == 1
    assert isinstance(events[-1].payload, Finished)


def test_another_process_attaches_and_sees_the_whole_history(begun: Deployment, app: App) -> None:
    code = """
import sys, json
from defang_nb.client import api
found = api.attach("latest")
print("attached", flush=True)
found.wait(60)
from defang_nb.wire import event_to_json
print(json.dumps([event_to_json(each) for each in found.events]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "attached\n"
        app.open()
        told = json.loads(other.stdout.read())
    from defang_nb.wire import event_from_json

    begun.wait(60)
    assert [event_from_json(each) for each in told] == begun.events
    assert replay(begun.id, begun.events) == begun.view


def test_history_is_the_same_when_cd_is_gone(app: App, cd: Callable[[], psutil.Process]) -> None:
    app.open()
    deployment = api.up(working_dir=app.folder)
    process = cd()
    process.terminate()
    psutil.wait_procs([process], timeout=20)
    later = api.attach(deployment.id[:9]).wait(20)
    assert later.events == deployment.events
    assert later.view == deployment.view


def test_a_killed_cd_is_noticed_and_the_next_up_continues(
    begun: Deployment, app: App, cd: Callable[[], psutil.Process]
) -> None:
    cd().kill()
    with pytest.raises(DeploymentFailedError, match="cd ended unexpectedly") as caught:
        begun.wait(60)
    assert "up" in caught.value.hint
    app.open()
    again = api.up(working_dir=app.folder)
    with urlopen(again.endpoints["web"], timeout=10) as answer:
        assert answer.status == 200
    story = api.attach(begun.id).wait(20, check=False)
    assert (story.outcome, story.view.message) == (Outcome.FAILED, "cd was ended before this deployment was over")
    assert len(api.ps()) == 1


BUILD = """
import pathlib, time
gate = pathlib.Path({gate!r})
gate.with_suffix(".building").touch()
while not gate.exists():
    time.sleep(0.02)
"""


def test_a_cd_that_is_killed_while_it_builds(app: App, home: Path, cd: Callable[[], psutil.Process]) -> None:
    (app.folder / "build.py").write_text(BUILD.format(gate=str(app.gate)))
    text = (app.folder / "Dockerfile").read_text()
    (app.folder / "Dockerfile").write_text(text.replace("EXPOSE", "RUN python build.py\nEXPOSE"))
    building = api.start_up(working_dir=app.folder)
    while not app.gate.with_suffix(".building").exists():
        assert not building.done, building.view
        time.sleep(0.02)
    # Looked for before the death: from then on any other build of this machine may end them.
    left = [process for process in processes_of(home) if "build.py" in process.cmdline()]
    assert left
    cd().kill()
    with pytest.raises(DeploymentFailedError, match="cd ended unexpectedly"):
        building.wait(60)
    (app.folder / "build.py").write_text("")
    again = api.start_up(working_dir=app.folder)
    assert psutil.wait_procs(left, timeout=20)[1] == [], "what the dead build still did would come in the way of this one"
    app.open()
    with urlopen(again.wait(60).endpoints["web"], timeout=10) as answer:
        assert answer.status == 200
    assert api.up(working_dir=app.folder).view.message == "nothing to change"
    images = {each.name for each in StackPaths.of("local").images.iterdir()} - {".built-for"}
    assert [each.startswith("shop_app") for each in images] == [True], "no half-made image is left"


def test_a_cd_that_is_asked_to_end_tells_so_first(begun: Deployment, app: App, cd: Callable[[], psutil.Process]) -> None:
    cd().terminate()
    with pytest.raises(DeploymentFailedError, match="cd was asked to end"):
        begun.wait(60)
    assert isinstance(begun.events[-1].payload, Finished)
    app.open()
    assert api.up(working_dir=app.folder).outcome is Outcome.SUCCEEDED


def test_cancel_ends_it_and_up_continues(begun: Deployment, app: App) -> None:
    begun.cancel()
    with pytest.raises(DeploymentCancelledError):
        begun.wait(60)
    begun.cancel()
    assert api.cancel(begun.id).outcome is Outcome.CANCELLED
    app.open()
    assert api.up(working_dir=app.folder).outcome is Outcome.SUCCEEDED


def test_a_second_up_of_the_same_project_is_told_who_is_at_it(begun: Deployment, app: App) -> None:
    with pytest.raises(DeploymentFailedError, match=begun.id) as caught:
        api.up(working_dir=app.folder)
    assert caught.value.exit_code == LeaseHeldError.exit_code
    assert not begun.done


def test_a_second_up_waits_if_asked(begun: Deployment, app: App) -> None:
    second = api.start_up(working_dir=app.folder, lease_wait=60)
    until(second, lambda view: begun.id in view.detail)
    app.open()
    assert begun.wait(60).view.finished is not None
    assert second.wait(60).view.message == "nothing to change"


def test_one_that_waits_can_be_cancelled(begun: Deployment, app: App) -> None:
    second = api.start_up(working_dir=app.folder, lease_wait=600)
    until(second, lambda view: begun.id in view.detail)
    second.cancel()
    with pytest.raises(DeploymentCancelledError):
        second.wait(60)
    assert not begun.done


def test_projects_are_deployed_side_by_side(begun: Deployment, tmp_path: Path) -> None:
    other = make_app(tmp_path, "other")
    other.open()
    assert api.up(working_dir=other.folder).outcome is Outcome.SUCCEEDED
    assert not begun.done


def test_an_interrupt_detaches(begun: Deployment, app: App) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            begun.wait()
    finally:
        signal.signal(signal.SIGALRM, before)
    app.open()
    assert begun.wait(60).outcome is Outcome.SUCCEEDED


def test_what_takes_too_long_is_ended(app: App) -> None:
    with pytest.raises(DeploymentFailedError, match=r"not done within 0\.5 s"):
        api.up(working_dir=app.folder, wait_timeout=0.5)


def test_waiting_has_an_end_of_its_own(begun: Deployment) -> None:
    with pytest.raises(TimeoutError):
        begun.wait(0.05)
    assert not begun.done


def test_a_preview_plans_and_changes_nothing(app: App, home: Path) -> None:
    preview = api.preview(working_dir=app.folder)
    assert preview.view.plan is not None
    assert preview.view.plan.mutations
    assert preview.view.stage is Stage.FINISHED
    assert api.ps() == []
    assert not StackPaths.of("local").images.exists()
    assert not (StackPaths.of("local").store / "contexts").exists()


def test_a_failed_build_says_why(app: App) -> None:
    (app.folder / "Dockerfile").write_text(
        "FROM python:3-slim\nRUN python -c 'raise SystemExit(\"no luck\")'\nCMD python app.py\n"
    )
    with pytest.raises(DeploymentFailedError) as caught:
        api.up(working_dir=app.folder)
    failed = api.attach()
    assert failed.services["web"].state is ServiceState.BUILD_FAILED
    assert caught.value.message == failed.view.message
    assert caught.value.exit_code == BuildError.exit_code


def test_missing_configuration_stops_it_before_anything_starts(app: App, home: Path) -> None:
    app.write("name: shop\nservices:\n  web:\n    build: .\n    environment:\n      TOKEN:\n")
    with pytest.raises(ConfigMissingError, match=r"TOKEN \(needed by web\)") as caught:
        api.up(working_dir=app.folder)
    assert "config set TOKEN" in caught.value.hint
    assert not StackPaths.of("local").sockets.exists()
    assert api.check(working_dir=app.folder).missing == {"TOKEN": ("web",)}


def test_configuration_is_kept_and_its_values_are_not_shown(app: App, tmp_path: Path) -> None:
    about = {"working_dir": app.folder}
    api.config_set("TOKEN", "t0p-secret-value", **about)
    (tmp_path / "key").write_text("from-a-file")
    api.config_set("KEY", file=tmp_path / "key", **about)
    api.config_set("RANDOM", random=True, **about)
    assert api.config_ls(**about) == ["KEY", "RANDOM", "TOKEN"]
    api.config_rm("KEY", **about)
    assert api.config_ls(project="shop") == ["RANDOM", "TOKEN"]
    with pytest.raises(NotFoundError):
        api.config_rm("KEY", **about)
    with pytest.raises(UsageError):
        api.config_set("KEY", "a", random=True, **about)


def test_a_secret_is_in_no_event_state_or_log(app: App, home: Path) -> None:
    secret = "t0p-secret-value"
    app.write((app.folder / "compose.yaml").read_text() + "      TOKEN:\n")
    api.config_set("TOKEN", secret, working_dir=app.folder)
    app.open()
    api.up(working_dir=app.folder)
    config = StackPaths.of("local").config
    found = [path for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert [path for path in found if not path.is_relative_to(config)] == []
    arguments = [argument for process in processes_of(home) for argument in process.cmdline()]
    assert not [argument for argument in arguments if secret in argument]


def test_a_renamed_service_takes_over_its_published_port(app: App) -> None:
    app.open()
    port = free_port()
    text = (app.folder / "compose.yaml").read_text().replace('ports: ["8000"]', f'ports: ["{port}:8000"]')
    app.write(text)
    api.up(working_dir=app.folder)
    app.write(text.replace("  web:", "  site:"))
    renamed = api.up(working_dir=app.folder)
    assert renamed.endpoints == {"site": f"http://127.0.0.1:{port}"}
    with urlopen(renamed.endpoints["site"], timeout=10) as answer:
        assert answer.status == 200
    assert [each.service for each in api.ps()] == ["site"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
