"""What goes wrong around containers, as a person meets it: one clear error, and nothing of others touched."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

import psutil
import pytest

from defang_nb.client import api
from defang_nb.errors import BuildError, DeploymentFailedError, ProviderError
from defang_nb.providers.local.docker import labels
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.process import ports
from tests.e2e.conftest import fetch
from tests.e2e.dockerd import Dockerd, without
from tests.e2e.packages import UnavailableError
from tests.e2e.registry import PASSWORD, Registry, serving

pytestmark = pytest.mark.e2e


@dataclass
class App:
    """A project in a folder of its own, brought up by the command line."""

    dockerd: Dockerd
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name.replace("_yaml", ".yaml")).write_text(text)

    def run(self, *arguments: str, **settings: str) -> tuple[int, str]:
        """Its exit code, and all that it wrote."""
        environment = os.environ | self.settings | settings
        done = subprocess.run(
            [sys.executable, "-m", "defang_nb", *arguments],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    def there(self) -> list[str]:
        """All of ours on the engine."""
        with self.dockerd.client() as client:
            mine = {"label": f"{labels.PROJECT}=faulty"}
            found = [*client.containers.list(all=True, filters=mine, ignore_removed=True), *client.volumes.list(filters=mine)]
            return [each.name for each in [*found, *client.networks.list(filters=mine)]]


@pytest.fixture
def app(dockerd: Dockerd, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("DOCKER_HOST", dockerd.host)
    monkeypatch.setenv("DEFANG_ENGINE", "docker")
    made = App(dockerd, tmp_path / "faulty")
    made.folder.mkdir()
    made.write(compose_yaml=BUILT)
    yield made
    api.down("faulty", yes=True)
    assert made.there() == []


BUILT = "name: faulty\nservices:\n  web:\n    build: .\n    command: sleep 600\n    stop_grace_period: 0s\n"
PULLED = BUILT.replace("build: .", "image: IMAGE")


def test_a_dockerfile_that_fails_or_does_not_parse_is_told_with_its_line(app: App) -> None:
    app.write(Dockerfile="FROM busybox\n\nRUN echo so far; \\\n  exit 7\n")
    code, said = app.run("up")
    assert code == BuildError.exit_code
    assert "Dockerfile:3:1: error: RUN echo so far; exit 7: exit code: 7\n    3 | RUN echo so far" in said
    assert "the last lines of its log:\nso far" in said
    app.write(Dockerfile="FROM busybox\nRUNN true\n")
    code, said = app.run("up")
    assert code == BuildError.exit_code and "Dockerfile:2:1: error: unknown instruction RUNN" in said
    app.write(Dockerfile="FROM busybox\n")
    assert app.run("up")[0] == 0


def test_a_context_over_the_limit_is_told_with_its_biggest_files_and_nothing_is_begun(app: App) -> None:
    app.write(Dockerfile="FROM busybox\n", small="x")
    (app.folder / "big.bin").write_bytes(b"x" * 300_000)
    code, said = app.run("up", DEFANG_BUILD_CONTEXT_LIMIT="100K")
    assert code and "100.0 KiB is the limit; most of it is big.bin (293.0 KiB)" in said and ".dockerignore" in said
    assert app.there() == [] and api.deployments() == []


def test_no_permission_on_the_socket(dockerd: Dockerd, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not dockerd.own:
        pytest.skip("takes root, and an engine whose socket is ours")
    # Root may do everything: so it becomes nobody, once all is imported.
    script = (
        "import os, sys\nfrom defang_nb.providers.local.docker.find import find, required\n"
        "from defang_nb.errors import ProviderError\nos.setgroups([])\nos.setegid(65534)\nos.seteuid(65534)\n"
        "try:\n    required(find({'DOCKER_HOST': sys.argv[1]}))\n"
        "except ProviderError as error:\n    print(error.message, error.hint)\n"
    )
    before = dockerd.folder.stat().st_mode
    dockerd.folder.chmod(0o755)  # the folder is no obstacle
    try:
        done = subprocess.run([sys.executable, "-c", script, dockerd.host], capture_output=True, text=True)
    finally:
        dockerd.folder.chmod(before)
    assert "you have no permission on the socket" in done.stdout and "usermod -aG docker" in done.stdout, done.stderr


def test_a_registry_that_refuses_the_credentials_of_an_image_that_is_pulled(app: App, tmp_path: Path) -> None:
    app.settings["DOCKER_CONFIG"] = str(tmp_path)
    try:
        with serving(tmp_path, passwords=True) as guarded:
            image = f"{guarded.address}/private/app:1"
            app.write(compose_yaml=PULLED.replace("IMAGE", image))
            _login(tmp_path, guarded, PASSWORD)
            subprocess.run(["docker", "tag", "busybox", image], env=app.dockerd.environment, check=True)
            pushed = ["docker", "--config", str(tmp_path), "push", "-q", image]
            subprocess.run(pushed, env=app.dockerd.environment, check=True, capture_output=True)
            app.dockerd.docker("rmi", image)
            for password in ("wrong", None):
                _login(tmp_path, guarded, password)
                code, said = app.run("up")
                assert code == ProviderError.exit_code and f"the image {image} can't be had" in said
                assert "does it need a login (docker login)?" in said
            _login(tmp_path, guarded, PASSWORD)  # a cd that runs already takes it up
            code, said = app.run("up")
            assert code == 0, said
            assert PASSWORD not in said
    except UnavailableError as problem:
        without(str(problem))


def _login(folder: Path, registry: Registry, password: str | None) -> None:
    """As `docker login` keeps it."""
    auth = base64.b64encode(f"ada:{password}".encode()).decode()
    known: Mapping[str, object] = {registry.address: {"auth": auth}} if password else {}
    (folder / "config.json").write_text(json.dumps({"auths": known}))


def test_a_container_that_is_killed_or_removed_while_a_deployment_waits_for_it(app: App) -> None:
    waiting = PULLED.replace("IMAGE", "busybox") + "    healthcheck: {test: test -f /well, interval: 1s, retries: 100}\n"
    for command in (["kill"], ["rm", "-f"]):
        app.write(compose_yaml=waiting.replace("600", f"60{len(command)}"))
        deployment = api.start_up(working_dir=app.folder)
        while not any(each.startswith("faulty-web-1") for each in app.there()) or "waiting" not in str(deployment.view):
            assert not deployment.done, deployment.view
        app.dockerd.docker(*command, "faulty-web-1")
        with pytest.raises(DeploymentFailedError, match=r"exited with code 137|a container was removed by somebody else"):
            deployment.wait(60)
    app.write(compose_yaml=PULLED.replace("IMAGE", "busybox"))
    assert app.run("up")[0] == 0


def test_an_engine_that_goes_away_and_does_not_come_back(app: App) -> None:
    if not app.dockerd.own:
        pytest.skip("the engine that answers here is not ours to end")
    slow = PULLED.replace("IMAGE", "busybox") + "    healthcheck: {test: test -f /well, interval: 1s, retries: 100}\n"
    app.write(compose_yaml=slow)
    deployment = api.start_up(working_dir=app.folder)
    while not any(each.startswith("faulty-web-1") for each in app.there()):
        assert not deployment.done, deployment.view
    app.dockerd.stop()
    try:
        with pytest.raises(DeploymentFailedError, match="the container engine does not answer"):
            deployment.wait(120)
        code, said = app.run("up")
        assert code and "no container engine answers" in said
        code, said = app.run("ps")
        assert (code and "does not answer" in said) or "no container engine answers" in said
    finally:
        app.dockerd.start()
    app.write(compose_yaml=PULLED.replace("IMAGE", "busybox"))
    assert app.run("up")[0] == 0


SITE = (
    BUILT.replace("build: .", "image: busybox").replace("sleep 600", "httpd -f -p 8000 -h /etc") + "    ports: ['PORT:8000']\n"
)


def test_after_the_machine_was_switched_off_and_on_again_all_is_as_before(app: App, until: Callable[..., None]) -> None:
    """Containers come back with the engine, and the forwarder of published ports with the first command that looks."""
    if not app.dockerd.own:
        pytest.skip("the engine that answers here is not ours to end")
    port = ports.free(())
    app.write(compose_yaml=SITE.replace("PORT", str(port)))
    assert app.run("up")[0] == 0
    page = fetch(f"http://127.0.0.1:{port}/hostname")
    app.dockerd.stop()
    for each in psutil.process_iter(["cmdline"]):
        if str(StackPaths.of("local").root / "fronts") in (each.info["cmdline"] or ()):
            each.kill()
            each.wait(10)
    with pytest.raises(URLError):
        fetch(f"http://127.0.0.1:{port}/")
    app.dockerd.start()
    until(lambda: "running" in app.run("ps")[1])

    def answers() -> bool:
        try:
            return fetch(f"http://127.0.0.1:{port}/hostname") == page  # the same container, at the same address
        except OSError:
            return False

    until(answers)
    assert "nothing to change" in app.run("up")[1]


def test_kaniko_builds_what_up_needs_and_the_engine_pulls_it(app: App, registry: Registry, kaniko: str) -> None:
    (app.folder / ".defang").mkdir()
    stack = f"DEFANG_REGISTRY={registry.address}\nDEFANG_REGISTRY_MIRROR={registry.address}\nDEFANG_KANIKO_IMAGE={kaniko}\n"
    (app.folder / ".defang" / "local").write_text(stack)
    text = "FROM busybox\nRUN echo one > /one\nCOPY main /main\n"
    app.write(Dockerfile=text, main="1")
    code, said = app.run("up", "--builder", "kaniko")
    assert code == 0, said
    with app.dockerd.client() as client:
        found = client.containers.get("faulty-web-1")
        assert found.exec_run(["cat", "/one", "/main"]).output == b"one\n1"
        assert any(each.startswith(f"{registry.address}/faulty/") for each in found.image.attrs["RepoDigests"])
    assert "nothing to change" in app.run("up", "--builder", "kaniko")[1]
    app.write(main="2")
    code, said = app.run("up", "--builder", "kaniko", "--json")
    assert code == 0, said
    events = [json.loads(each) for each in said.splitlines() if each.startswith("{")]
    lines = [each["buildLine"] for each in events if "buildLine" in each]
    assert [each["line"] for each in lines if each.get("cached")] == ["[2/3] RUN echo one > /one (cached)"], lines
