"""Projects on a real container engine: everything that a Compose file says of containers, and what goes wrong with them."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from defang_nb.client import api
from defang_nb.errors import DeploymentFailedError
from defang_nb.model.events import Outcome
from defang_nb.model.plan import Action
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.process import ports
from tests.e2e.dockerd import Dockerd

pytestmark = pytest.mark.e2e

APP = """\
name: shop
services:
  web:
    image: busybox
    command: ["sh", "-c", "mkdir -p /www; echo {greeting} > /www/index.html; exec httpd -f -p 8000 -h /www"]
    ports: ["{port}:8000"]
    configs: [{{source: settings, target: /etc/settings.ini, mode: 0440}}]
    secrets: [token]
    networks: [front, back]
    depends_on: {{migrate: {{condition: service_completed_successfully}}}}
    stop_grace_period: 1s
  migrate:
    image: busybox
    command: ["sh", "-c", "echo migrated | tee -a /data/done"]
    volumes: ["data:/data"]
    networks: [back]
    restart: "no"
  worker:
    image: python:3.12-slim
    command: ["python", "-uc", {asking}]
    depends_on: [web]
    networks: [back]
    deploy: {{replicas: 2, resources: {{limits: {{memory: 64M, cpus: "0.5"}}}}}}
    stop_grace_period: 1s
networks: {{front: {{}}, back: {{internal: true}}}}
volumes: {{data: {{}}}}
configs: {{settings: {{content: "colour = teal\\n"}}}}
secrets: {{token: {{environment: TOKEN}}}}
"""


ASKING = """\
import time, urllib.request
while True:
    with urllib.request.urlopen("http://web:8000/", timeout=5) as answer:
        print(answer.read().decode(), end="")
    time.sleep(1)
"""
"""Finds another service by its name. Busybox does not, as its static C library falls over some answers of DNS."""


class Shop:
    """A project on the tests' engine."""

    def __init__(self, dockerd: Dockerd, folder: Path) -> None:
        self.dockerd = dockerd
        self.folder = folder
        self.port = ports.free(())

    def write(self, text: str = APP, **said: Any) -> None:
        values = {"greeting": "hello", "port": self.port, "asking": json.dumps(ASKING)} | said
        (self.folder / "compose.yaml").write_text(text.format(**values))

    def up(self, **options: Any) -> Any:
        return api.up(working_dir=self.folder, **options)

    def get(self) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
            return str(answer.read().decode().strip())

    def containers(self) -> Mapping[str, str]:
        """Name → id of all of ours that are there."""
        with self.dockerd.client() as client:
            found = client.containers.list(all=True, filters={"label": f"{labels.PROJECT}=shop"}, ignore_removed=True)
            return {each.name: each.id for each in found}


@pytest.fixture
def shop(dockerd: Dockerd, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("DOCKER_HOST", dockerd.host)
    monkeypatch.setenv("DEFANG_ENGINE", "docker")
    folder = tmp_path / "shop"
    folder.mkdir()
    made = Shop(dockerd, folder)
    api.config_set("TOKEN", "hunter2-hunter2", project="shop")
    yield made
    for project in {each.project for each in api.deployments()}:
        api.down(project, yes=True)


def test_a_project_of_everything_from_nothing_to_nothing(shop: Shop) -> None:
    shop.write()
    done = shop.up()
    assert done.endpoints["web"] == f"http://127.0.0.1:{shop.port}"
    assert shop.get() == "hello"
    there = shop.containers()
    assert set(there) == {"shop-web-1", "shop-migrate-1", "shop-worker-1", "shop-worker-2"}
    docker = shop.dockerd.docker
    assert docker("exec", "shop-web-1", "cat", "/etc/settings.ini", "/run/secrets/token") == "colour = teal\nhunter2-hunter2"
    [details] = json.loads(docker("inspect", "shop-worker-1"))
    assert (details["HostConfig"]["Memory"], details["HostConfig"]["NanoCpus"]) == (64 * 2**20, 500_000_000)
    assert "hunter2" not in docker("inspect", *there)
    wanted = {("worker", "hello"), ("migrate", "migrated")}
    following = api.logs(project="shop", follow=True)
    while wanted:
        line = next(following)
        print(line.service, line.line)
        wanted.discard((line.service, line.line))
    following.close()
    found = {each.service: each for each in api.ps("shop")}
    assert (found["web"].state, found["worker"].running, found["migrate"].exit_code) == ("running", 2, 0)

    again = shop.up()
    assert again.view.plan.mutations == () and shop.containers() == there

    def named(kind: str) -> list[str]:
        return [each for each in docker(kind, "ls", "--format", "{{.Name}}").split() if each.startswith("shop")]

    down = api.down("shop")
    assert down.outcome is Outcome.SUCCEEDED and shop.containers() == {}
    assert named("volume") == ["shop_data"], "what holds data stays until its loss was agreed to"
    with pytest.raises(URLError):
        shop.get()
    shop.up()
    assert docker("run", "--rm", "-v", "shop_data:/data", "busybox", "cat", "/data/done") == "migrated\n" * 2
    api.down("shop", yes=True)
    assert named("volume") == []
    assert named("network") == []


def test_a_change_replaces_its_own_containers_only_and_nobody_notices(shop: Shop) -> None:
    shop.write()
    shop.up()
    before = shop.containers()
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answers.append(shop.get())
            except OSError as error:
                answers.append(f"failed: {error}")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        shop.write(greeting="hi")
        done = shop.up()
    finally:
        over.set()
        asking.join()
    assert [step.urn for step in done.view.plan.mutations] == ["shop/local:docker/Service/web"]
    assert set(answers) == {"hello", "hi"} and shop.get() == "hi"
    after = shop.containers()
    assert {name for name in after if after[name] != before.get(name)} == {"shop-web-1"} and set(after) == set(before)


def test_what_does_not_get_well_is_rolled_back_and_the_old_one_answers_all_along(shop: Shop) -> None:
    shop.write()
    shop.up()
    before = shop.containers()
    shop.write(APP.replace("exec httpd", "echo out of luck; exit 3; httpd"))
    with pytest.raises(DeploymentFailedError, match="web exited with code 3") as told:
        shop.up()
    assert shop.get() == "hello" and shop.containers() == before, str(told.value)
    shop.write()
    assert shop.up().view.plan.mutations == ()


def test_what_was_done_to_containers_from_outside_is_mended(shop: Shop) -> None:
    shop.write()
    shop.up()
    before = shop.containers()
    shop.dockerd.docker("kill", "shop-web-1")
    shop.dockerd.docker("rm", "-f", "shop-worker-2")
    done = shop.up()
    assert {step.service for step in done.view.plan.mutations} == {"web", "worker"}
    after = shop.containers()
    assert {name for name in after if after[name] != before[name]} == {"shop-worker-2"}, "a stopped one is started again"
    assert shop.get() == "hello"


def test_others_containers_networks_and_volumes_are_never_touched(shop: Shop) -> None:
    docker = shop.dockerd.docker
    foreign = docker("run", "-d", "--name", "shop-web-1", "busybox", "sleep", "600").strip()
    docker("volume", "create", "shop_data")
    try:
        shop.write()
        with pytest.raises(DeploymentFailedError) as told:
            shop.up()
        said = str(told.value) + str([each.message for each in told.value.diagnostics])
        assert "there is a volume shop_data already" in said
        docker("volume", "rm", "shop_data")
        with pytest.raises(DeploymentFailedError, match="there is a container shop-web-1 already"):
            shop.up()
        api.down("shop", yes=True)
        assert docker("inspect", "-f", "{{.State.Running}} {{.Id}}", "shop-web-1").split() == ["true", foreign]
    finally:
        docker("rm", "-f", foreign)
        docker("volume", "rm", "shop_data", check=False)


def test_a_taken_port_is_told_before_anything_is_made(shop: Shop) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        shop.write(port=other.getsockname()[1])
        with pytest.raises(DeploymentFailedError, match=f"port {other.getsockname()[1]} is in use"):
            shop.up()
        assert shop.containers() == {}


def test_the_engine_ends_in_the_middle_and_comes_back(shop: Shop) -> None:
    if not shop.dockerd.own:
        pytest.skip("the engine that answers here is not ours to restart")
    shop.write(APP.replace("echo migrated |", "sleep 3; echo migrated |"))
    deployment = api.start_up(working_dir=shop.folder)
    while "shop-migrate-1" not in shop.containers():
        assert not deployment.done, deployment.view
    shop.dockerd.restart(kill=True)
    try:
        deployment.wait(120)
    except DeploymentFailedError:
        shop.up()
    assert shop.get() == "hello"
    assert shop.up().view.plan.mutations == ()
    assert len(shop.containers()) == 4


def test_an_image_is_built_once_and_again_only_when_something_changed(shop: Shop) -> None:
    (shop.folder / "Dockerfile").write_text("FROM busybox\nCOPY page /www/index.html\nCMD httpd -f -p 8000 -h /www\n")
    (shop.folder / "page").write_text("one")
    text = "name: shop\nservices:\n  web:\n    build: .\n    ports: ['{port}:8000']\n    stop_grace_period: 1s\n"
    shop.write(text)
    shop.up()
    assert shop.get() == "one"
    assert shop.up().view.plan.mutations == ()
    (shop.folder / "page").write_text("two")
    done = shop.up()
    assert shop.get() == "two"
    assert [step.action for step in done.view.plan.mutations] == [Action.REPLACE, Action.UPDATE]


def test_an_image_that_does_not_exist_is_one_clear_error(shop: Shop) -> None:
    shop.write("name: shop\nservices:\n  web:\n    image: no.such.registry.invalid/thing:1\n")
    with pytest.raises(DeploymentFailedError, match=r"the image no\.such\.registry\.invalid/thing:1 can't be had"):
        shop.up()


def test_replicas_share_one_published_port(shop: Shop) -> None:
    text = APP.replace("stop_grace_period: 1s\n  migrate", "deploy: {{replicas: 3}}\n    stop_grace_period: 1s\n  migrate")
    shop.write(text.replace("echo {greeting}", "hostname"))
    shop.up()
    assert len({shop.get() for _ in range(12)}) == 3


def test_nothing_of_a_secret_is_in_the_state(shop: Shop, home: Path) -> None:
    shop.write()
    shop.up()
    kept = [path for path in StackPaths.of("local").store.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if b"hunter2" in path.read_bytes()]


def _forget(shop: Shop) -> None:
    """The record of all that was deployed is lost, as when somebody deletes the stack's store."""
    shutil.rmtree(StackPaths.of("local").store / "projects" / "shop" / "state")


def test_what_no_record_knows_is_taken_into_it_again_and_not_made_anew(shop: Shop) -> None:
    shop.write()
    shop.up()
    there = shop.containers()
    _forget(shop)
    assert {each.urn.split("/")[2] for each in api.orphans("shop")} == {"Network", "Volume", "Service", "Job"}
    shop.up()
    assert shop.containers() == there and shop.get() == "hello"
    assert api.orphans("shop") == []
    assert shop.up().view.plan.mutations == ()


def test_orphans_are_removed_when_that_is_asked_for(shop: Shop) -> None:
    shop.write()
    shop.up()
    shop.dockerd.docker("run", "-d", "--name", "other", "busybox", "sleep", "600")
    try:
        _forget(shop)
        assert api.start_orphan_removal("shop").wait(300).outcome is Outcome.SUCCEEDED
        assert shop.containers() == {} and api.orphans("shop") == []
        docker = shop.dockerd.docker
        left = [each for kind in ("volume", "network") for each in docker(kind, "ls", "--format", "{{.Name}}").split()]
        assert not [each for each in left if each.startswith("shop")]
        assert docker("inspect", "-f", "{{.State.Running}}", "other").strip() == "true"
    finally:
        shop.dockerd.docker("rm", "-f", "other")


COUNTING = """\
name: shop
services:
  count:
    image: busybox
    command:
      - sh
      - -c
      - |
        i=0; while [ $$i -lt 3000 ]; do i=$$((i+1)); echo $$i; done
        while true; do i=$$((i+1)); echo $$i; usleep 2000; done
    stop_grace_period: 0s
"""
"""A flood of lines, and then one by one."""


def test_followed_logs_have_each_line_once(shop: Shop) -> None:
    shop.write(COUNTING)
    shop.up()
    for tail, wanted in ((None, 3500), (3, 500), (0, 500)):
        following = api.logs(project="shop", follow=True, tail=tail)
        numbers = [int(next(following).line) for _ in range(wanted)]
        following.close()
        assert numbers == list(range(numbers[0], numbers[0] + wanted))
        assert (numbers[0] == 1) == (tail is None)


HOOKED = """\
name: shop
services:
  web:
    image: busybox
    command: ["sh", "-c", "while true; do sleep 1; done"]
    environment: {{GREETING: {greeting}}}
    volumes: ["data:/data"]
    stop_grace_period: 1s
    post_start: [{{command: [sh, -c, "echo started $$GREETING >> /data/told"]}}]
    pre_stop: [{{command: [sh, -c, "echo stops $$GREETING >> /data/told"]}}]
volumes: {{data: {{}}}}
"""


def test_hooks_run_at_each_start_and_before_each_stop(shop: Shop) -> None:
    shop.write(HOOKED)
    shop.up()
    api.restart("web", project="shop")
    shop.write(HOOKED, greeting="hi")
    shop.up()
    told = shop.dockerd.docker("exec", "shop-web-1", "cat", "/data/told").splitlines()
    assert told == ["started hello", "stops hello", "started hello", "stops hello", "started hi"]


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU here")
def test_a_gpu_where_there_is_none(shop: Shop) -> None:
    shop.write("name: shop\nservices:\n  train:\n    image: busybox\n    command: sleep 100\n    gpus: all\n")
    with pytest.raises(DeploymentFailedError, match="has no such device to give"):
        shop.up()
