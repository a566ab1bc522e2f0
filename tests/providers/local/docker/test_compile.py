"""A project as resources of a container engine, and as the engine's own words. No engine is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from defang_nb.compose import Source, load
from defang_nb.model.resource import Need, Resource
from defang_nb.providers.local.docker import spec
from defang_nb.providers.local.docker.check import check
from defang_nb.providers.local.docker.compile import compile_project
from defang_nb.providers.local.docker.types.service import fingerprint


def compiled(text: str, folder: Path = Path()) -> dict[str, Resource]:
    project = load([Source("compose.yaml", text)], working_dir=folder, environ={}, project_name="shop").project
    made = compile_project(project, (), {}, prefix="shop", site_script="/serve.py")
    return {each.urn.removeprefix("shop/local:docker/"): each for each in made}


def service(said: str) -> dict[str, Any]:
    inputs = compiled(f"services:\n  web:\n    image: nginx\n    {said}\n")["Service/web"].inputs
    return spec.container(inputs)


@pytest.mark.parametrize(
    ("said", "path", "value"),
    [
        ("command: echo hi", ("Cmd",), ["echo", "hi"]),
        ("entrypoint: [a]", ("Entrypoint",), ["a"]),
        ("entrypoint: [a]", ("Cmd",), []),
        ("user: '7:8'", ("User",), "7:8"),
        ("stop_signal: SIGINT", ("StopSignal",), "SIGINT"),
        ("stop_grace_period: 1m", ("StopTimeout",), 60),
        ("healthcheck: {test: exit 0, interval: 3s}", ("Healthcheck", "Interval"), 3_000_000_000),
        ("healthcheck: {disable: true}", ("Healthcheck", "Test"), ["NONE"]),
        ("mem_limit: 64m", ("HostConfig", "Memory"), 64 * 2**20),
        ("cpus: 0.5", ("HostConfig", "NanoCpus"), 500_000_000),
        ("deploy: {resources: {limits: {pids: 9}}}", ("HostConfig", "PidsLimit"), 9),
        ("shm_size: 1g", ("HostConfig", "ShmSize"), 2**30),
        ("cap_add: [NET_ADMIN]", ("HostConfig", "CapAdd"), ["NET_ADMIN"]),
        ("read_only: true", ("HostConfig", "ReadonlyRootfs"), True),
        ("init: true", ("HostConfig", "Init"), True),
        ("sysctls: {a.b: 1}", ("HostConfig", "Sysctls"), {"a.b": "1"}),
        ("ulimits: {nproc: 5}", ("HostConfig", "Ulimits"), [{"Name": "nproc", "Soft": 5, "Hard": 5}]),
        ("extra_hosts: ['h:1.2.3.4']", ("HostConfig", "ExtraHosts"), ["h:1.2.3.4"]),
        ("tmpfs: ['/run:size=1m']", ("HostConfig", "Tmpfs"), {"/run": "size=1m"}),
        ("restart: on-failure:3", ("HostConfig", "RestartPolicy"), {"Name": "on-failure", "MaximumRetryCount": 3}),
        ("hostname: h", ("HostConfig", "RestartPolicy"), {"Name": "unless-stopped", "MaximumRetryCount": 0}),
        (
            "deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
            ("HostConfig", "RestartPolicy"),
            {"Name": "on-failure", "MaximumRetryCount": 2},
        ),
        (
            "gpus: all",
            ("HostConfig", "DeviceRequests"),
            [{"Driver": "", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}],
        ),
        (
            "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0o700}}]",
            ("HostConfig", "Mounts"),
            [{"Type": "tmpfs", "Target": "/t", "ReadOnly": False, "TmpfsOptions": {"SizeBytes": 2**20, "Mode": 0o700}}],
        ),
        (
            "volumes: [{type: bind, source: /s, target: /t, bind: {recursive: writable}}]",
            ("HostConfig", "Mounts"),
            [
                {
                    "Type": "bind",
                    "Source": "/s",
                    "Target": "/t",
                    "ReadOnly": False,
                    "BindOptions": {"ReadOnlyNonRecursive": True},
                }
            ],
        ),
        ("volumes: ['/s:/t:ro,z']", ("HostConfig", "Binds"), ["/s:/t:ro,z"]),
    ],
)
def test_what_compose_says_in_the_engines_words(said: str, path: tuple[str, ...], value: object) -> None:
    found: Any = service(said)
    for key in path:
        found = found[key]
    assert found == value


def test_what_is_made_and_what_waits_for_what() -> None:
    made = compiled("""\
services:
  web:
    image: nginx
    ports: ["8080:80", "9000:9000/udp"]
    depends_on: [db]
    networks: [front]
  db:
    image: postgres:16
    networks: [front]
  job:
    image: busybox
    restart: "no"
    volumes: ["data:/data"]
networks: {front: {internal: true}}
volumes: {data: {}}
""")
    assert set(made) == {
        "Network/front", "Network/default", "Volume/data of db", "Volume/data", "Address/web", "PulledImage/nginx",
        "PulledImage/postgres:16", "PulledImage/busybox", "Service/web", "Service/db", "Job/job",
    }  # fmt: skip
    web = made["Service/web"]
    assert web.dependencies["shop/local:docker/Service/db"] is Need.READY, "a store is waited for until it is usable"
    assert web.dependencies["shop/local:docker/Network/front"] is Need.CREATED
    assert web.inputs["direct"] == [{"target": 9000, "protocol": "udp", "published": 9000, "host": ""}]
    assert made["Volume/data of db"].options.protect and made["Volume/data"].options.protect
    assert "pg_isready" in str(made["Service/db"].inputs["healthcheck"])
    assert made["Network/front"].inputs["internal"] is True


@pytest.mark.parametrize(
    ("said", "alone"),
    [
        ("ports: ['80']", False),
        ("ports: ['80']\n    volumes: ['data:/d:ro']", False),
        ("ports: ['80']\n    volumes: ['/data']", True),
        ("ports: ['80']\n    container_name: xy", True),
        ("ports: [{target: 80, published: 80, mode: host}]", True),
        ("expose: ['80']", True),
    ],
)
def test_two_of_a_service_run_side_by_side_only_where_they_can(said: str, alone: bool) -> None:
    text = f"services:\n  web:\n    image: nginx\n    {said}\nvolumes: {{data: {{}}}}\n"
    assert compiled(text)["Service/web"].inputs["alone"] is alone


def test_how_many_there_are_is_not_about_any_one_of_them() -> None:
    one = compiled("services: {web: {image: nginx}}")["Service/web"].inputs
    three = compiled("services: {web: {image: nginx, scale: 3}}")["Service/web"].inputs
    assert (one["replicas"], three["replicas"]) == (1, 3) and fingerprint(one) == fingerprint(three)


def test_a_file_of_configuration_is_mounted_and_a_text_is_written_inside(tmp_path: Path) -> None:
    (tmp_path / "app.ini").write_text("x")
    text = """\
services:
  web:
    image: nginx
    configs: [file, text]
    secrets: [token]
configs: {file: {file: ./app.ini}, text: {content: hello}}
secrets: {token: {environment: TOKEN}}
"""
    files = compiled(text, tmp_path)["Service/web"].inputs["files"]
    assert files[0] == {"target": "/file", "mode": 0o444, "source": str(tmp_path / "app.ini")}
    assert files[1] == {"target": "/text", "mode": 0o444, "content": "hello"}
    assert files[2] == {"target": "/run/secrets/token", "mode": 0o444, "content": {"$config": "TOKEN"}}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("image: a\n    scale: 2\n    ports: [{target: 80, published: 80, mode: host}]", "replicas-fixed-port"),
        ("image: a\n    x-defang-llm: true", "unsupported"),
    ],
)
def test_what_can_not_be_honoured_is_told_with_its_place(said: str, code: str) -> None:
    project = load([Source("compose.yaml", f"services:\n  web:\n    {said}\n")], working_dir=Path(), environ={}).project
    found = {each.code: each for each in check(project)}
    assert code in found and found[code].position is not None


def test_a_health_checks_words_stay_together_on_podman() -> None:
    plain = {"Test": ["CMD", "wget", "http://localhost"], "Retries": 3}
    assert spec.split_by_podman(plain) == plain
    assert spec.split_by_podman({"Test": ["CMD", "python", "-c", "import x"]}) == {
        "Test": ["CMD-SHELL", "python -c 'import x'"]
    }
    assert spec.split_by_podman({"Retries": 3}) == {"Retries": 3}
