"""What a Compose file says of containers comes to the same on a real engine, whether docker compose or we bring it up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from defang_nb.client import api
from tests.e2e.dockerd import Dockerd

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
COMPOSE = """\
name: NAME
services:
  plain:
    image: busybox
    command: [sleep, "3600"]
    hostname: here
    user: "1000:1000"
    working_dir: /tmp
    tty: true
    stdin_open: true
    init: true
    read_only: true
    tmpfs: ["/run:size=1m,mode=755"]
    stop_signal: SIGINT
    stop_grace_period: 1s
    labels: {colour: teal}
    env_file: [settings.env]
    environment: {GREETING: hello}
    platform: linux/amd64
    restart: unless-stopped
  limits:
    image: busybox
    command: [sleep, "3600"]
    deploy: {resources: {limits: {cpus: "0.5", memory: 64M, pids: 50}, reservations: {memory: 32M}}}
    memswap_limit: 96M
    cpu_shares: 512
    cpuset: "0"
    oom_score_adj: 100
    ulimits: {nofile: {soft: 1000, hard: 2000}, nproc: 500}
    shm_size: 32M
    blkio_config: {weight: 300}
    restart: always
    stop_grace_period: 1s
  powers:
    image: busybox
    entrypoint: [sleep]
    command: ["3600"]
    cap_add: [NET_ADMIN]
    cap_drop: [MKNOD]
    security_opt: ["no-new-privileges:true"]
    devices: ["/dev/null:/dev/nothing:r"]
    device_cgroup_rules: ["c 1:3 mr"]
    group_add: ["2000"]
    sysctls: {net.core.somaxconn: "1024"}
    ipc: shareable
    uts: host
    cgroup: host
    runtime: runc
    restart: on-failure:3
    stop_grace_period: 1s
  found:
    image: busybox
    command: [sleep, "3600"]
    extra_hosts: ["elsewhere:10.1.2.3"]
    dns: [192.0.2.53]
    dns_search: [example.org]
    dns_opt: ["ndots:2"]
    expose: ["7000"]
    links: [plain:simple]
    networks:
      front: {aliases: [also-found], ipv4_address: 10.213.7.9}
      back: {priority: 100}
      default: {}
      others: {}
    restart: unless-stopped
    stop_grace_period: 1s
  beside:
    image: busybox
    command: [sleep, "3600"]
    network_mode: service:found
    pid: service:powers
    ipc: service:powers
    restart: unless-stopped
    stop_grace_period: 1s
  host:
    image: busybox
    command: [sleep, "3600"]
    network_mode: host
    pid: host
    userns_mode: host
    cpu_period: 50000
    cpu_quota: 25000
    pids_limit: 40
    mem_limit: 48M
    mem_reservation: 24M
    restart: unless-stopped
    stop_grace_period: 1s
  alone:
    image: busybox
    command: [sleep, "3600"]
    network_mode: none
    restart: unless-stopped
    stop_grace_period: 1s
  mounts:
    image: busybox
    command: [sleep, "3600"]
    volumes:
      - data:/data
      - ./page:/page:ro
      - made:/made
      - {type: tmpfs, target: /scratch, tmpfs: {size: 1048576, mode: 0o700}}
      - {type: volume, source: data, target: /part, volume: {subpath: part}}
      - {type: bind, source: ./new, target: /new, bind: {create_host_path: true}}
      - {type: bind, source: ./page, target: /slave, bind: {propagation: private}}
      - ./page:/labelled:ro,z
      - {type: volume, source: data, target: /uncopied, volume: {nocopy: true}}
      - /unnamed
      - elsewhere:/elsewhere
    configs: [{source: settings, target: /etc/settings, mode: 0440}]
    secrets: [token]
    depends_on: {seed: {condition: service_completed_successfully}}
    restart: unless-stopped
    stop_grace_period: 1s
  seed:
    image: busybox
    command: [mkdir, -p, /data/part]
    volumes: ["data:/data"]
    restart: "no"
  well:
    image: busybox
    command: [sh, -c, "echo $$(hostname) is up; exec httpd -f -p 8000"]
    healthcheck:
      test: "wget -qO- http://127.0.0.1:8000/nothing || test $$? -eq 1"
      interval: 2s
      timeout: 1s
      retries: 4
      start_period: 1s
    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
    ports: ["127.0.0.1:UDP:9000/udp"]
    restart: unless-stopped
    stop_grace_period: 1s
networks:
  front:
    driver_opts: {com.docker.network.bridge.enable_icc: "true"}
    ipam: {config: [{subnet: 10.213.7.0/24, gateway: 10.213.7.1}]}
    labels: {kind: front}
  back: {internal: true}
  others: {external: true, name: nets-of-others}
volumes:
  data: {labels: {kind: data}}
  made: {driver: local, driver_opts: {type: tmpfs, device: tmpfs, o: size=2m}}
  elsewhere: {external: true, name: of-others}
configs: {settings: {content: "colour = teal\\n"}}
secrets: {token: {file: ./token}}
"""

OWN = frozenset({"NetworkMode", "IpcMode", "PidMode", "PortBindings", "Binds", "Mounts", "ContainerIDFile", "LogConfig"})
"""Of HostConfig: what names the project's own things, or is said in more than one way; it is compared as what came of it."""
FIELDS = ("Cmd", "Entrypoint", "Domainname", "User", "WorkingDir", "Tty", "OpenStdin", "StopSignal", "Healthcheck")
SERVICES = ("plain", "limits", "powers", "found", "beside", "host", "alone", "mounts", "seed", "well")


@pytest.fixture
def folder(dockerd: Dockerd, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DOCKER_HOST", dockerd.host)
    monkeypatch.setenv("DEFANG_ENGINE", "docker")
    made = tmp_path / "parity"
    (made / "page").mkdir(parents=True)
    (made / "page" / "index.html").write_text("hello")
    (made / "settings.env").write_text("FROM_FILE=yes\n")
    (made / "token").write_text("hunter2")
    dockerd.docker("volume", "create", "of-others")
    dockerd.docker("network", "create", "nets-of-others")
    yield made
    dockerd.docker("volume", "rm", "of-others")
    dockerd.docker("network", "rm", "nets-of-others")


@pytest.fixture
def reference() -> str:
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "reference.py")], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no docker compose to compare with: {done.stderr}")
    return done.stdout.strip()


def test_containers_are_as_docker_compose_makes_them(dockerd: Dockerd, folder: Path, reference: str) -> None:
    theirs = _theirs(dockerd, folder, reference)
    (folder / "compose.yaml").write_text(COMPOSE.replace("NAME", "ours").replace("UDP", "29000"))
    try:
        done = api.up(working_dir=folder)
        ours = {service: _inspected(dockerd, f"ours-{service}-1") for service in SERVICES}
        networks, volumes = _made(dockerd, "ours")
        inside = _inside(dockerd, "ours")
        told = {each.message for each in done.view.diagnostics if each.code == "engine-warning"}
        assert api.up(working_dir=folder).view.plan.mutations == ()
    finally:
        api.down("ours", yes=True)
    assert _different(ours, theirs["containers"]) == []
    assert (networks, volumes) == (theirs["networks"], theirs["volumes"])
    assert inside == theirs["inside"]
    assert [each for each in told if each.removeprefix("service ").replace(": ", " ", 1) not in theirs["said"]] == []


def _different(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Service, key, what we made of it, what docker compose did."""
    return [
        f"{service} {key}: {ours[service].get(key)!r}, not {theirs[service].get(key)!r}"
        for service in ours
        for key in sorted(ours[service].keys() | theirs[service].keys())
        if ours[service].get(key) != theirs[service].get(key)
    ]


def _theirs(dockerd: Dockerd, folder: Path, reference: str) -> dict[str, Any]:
    (folder / "compose.yaml").write_text(COMPOSE.replace("NAME", "theirs").replace("UDP", "29001"))

    def compose(*arguments: str) -> str:
        done = subprocess.run([reference, *arguments], cwd=folder, env=dockerd.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    try:
        said = compose("up", "-d", "--wait")
        networks, volumes = _made(dockerd, "theirs")
        containers = {service: _inspected(dockerd, f"theirs-{service}-1") for service in SERVICES}
        inside = _inside(dockerd, "theirs")
        return {"containers": containers, "networks": networks, "volumes": volumes, "inside": inside, "said": said}
    finally:
        compose("down", "-v", "-t", "0")


def _inspected(dockerd: Dockerd, name: str) -> dict[str, Any]:
    [found] = json.loads(dockerd.docker("inspect", name))
    project = name.partition("-")[0]
    host = {key: value for key, value in found["HostConfig"].items() if key not in OWN}
    config = found["Config"]
    mounts = {
        (each["Type"], each["Destination"], each["RW"], _named(each.get("Name", ""), project), each.get("Propagation", ""))
        for each in found["Mounts"]
        if each["Destination"] not in ("/etc/settings", "/run/secrets/token")
    }
    modes = {
        key: "container" if ":" in str(found["HostConfig"][key]) else found["HostConfig"][key] for key in ("IpcMode", "PidMode")
    }
    return {
        **{key: _plain(value) for key, value in host.items()},
        **{key: _plain(config.get(key)) for key in FIELDS},
        **{key: [each.removeprefix("CAP_") for each in host[key] or ()] for key in ("CapAdd", "CapDrop")},
        **modes,
        "Hostname": config["Hostname"] if config["Hostname"] == "here" else "",
        "Env": sorted(config["Env"] or ()),
        "Exposed": sorted(each.removesuffix("/tcp") for each in config.get("ExposedPorts") or ()),
        "Labels": {key: value for key, value in (config["Labels"] or {}).items() if "." not in key},
        "Logs": (found["HostConfig"]["LogConfig"]["Type"], _plain(found["HostConfig"]["LogConfig"]["Config"])),
        "Mounts": sorted(mounts),
        "SELinux": [each.split(":")[1:] for each in found["HostConfig"]["Binds"] or () if "z" in each.split(":")[-1]],
        "Networks": {
            key.replace(project, "NAME"): _attached(value, project, found["Id"])
            for key, value in found["NetworkSettings"]["Networks"].items()
        },
        "Grace": config.get("StopTimeout") or 10,
        "Ends": found["State"]["ExitCode"],
    }


def _named(name: str, project: str) -> str:
    return "unnamed" if len(name) == 64 else name.replace(project, "NAME")


def _attached(found: Mapping[str, Any], project: str, container: str) -> dict[str, Any]:
    """Who finds it by which names. docker compose adds the container's own; `links` are names for us, and links for it."""
    names = {each for each in found.get("Aliases") or () if not (container.startswith(each) or each.startswith(f"{project}-"))}
    said = {key: _plain(found.get(key)) for key in ("IPAMConfig", "DriverOpts")}
    return said | {"names": sorted(names - {"simple"})}


def _plain(value: Any) -> Any:
    """What is not said has several forms in the engine's answers; the order of lists of words says nothing."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items() if each not in (None, "", [], {}, 0, False)} or None
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return sorted(value, key=str)
    return value or None


def _made(dockerd: Dockerd, project: str) -> tuple[dict[str, Any], dict[str, Any]]:
    networks, volumes = {}, {}
    with dockerd.client() as client:
        for each in client.networks.list(names=[f"{project}_"], greedy=True):
            said = {key: _plain(each.attrs[key]) for key in ("Driver", "Internal", "EnableIPv6", "Options", "Attachable")}
            said["labels"] = {key: value for key, value in each.attrs["Labels"].items() if "." not in key}
            said["ipam"] = _plain(each.attrs["IPAM"]) if "front" in each.name else None
            networks[each.name.removeprefix(project)] = said
        for each in client.volumes.list():
            if each.name.startswith(project):
                own = {key: value for key, value in (each.attrs["Labels"] or {}).items() if "." not in key}
                volumes[each.name.removeprefix(project)] = (each.attrs["Driver"], _plain(each.attrs["Options"]), own)
    return networks, volumes


def _inside(dockerd: Dockerd, project: str) -> dict[str, str]:
    """What the containers see of all that."""

    def said(service: str, command: str) -> str:
        return dockerd.docker("exec", f"{project}-{service}-1", "sh", "-c", command).strip()

    return {
        "files": said("mounts", "cat /etc/settings /run/secrets/token /page/index.html; stat -c '%a %n' /etc/settings"),
        "mounts": said(
            "mounts",
            "ls -d /new /part /elsewhere; grep -c ' /scratch tmpfs' /proc/mounts; df -m /made | tail -1 | awk '{print $2}'",
        ),
        "names": said(
            "plain", "for each in found limits well; do nslookup $each 127.0.0.11 >/dev/null 2>&1 && echo $each; done; true"
        ),
        "links": said(
            "found",
            "nslookup simple 127.0.0.11 >/dev/null 2>&1 && echo simple; grep elsewhere /etc/hosts; cat /etc/resolv.conf",
        ),
        "shared": said("beside", "ip -4 -o addr | grep -o 10.213.7.9; ip -4 -o addr | wc -l; pidof sleep | wc -w"),
        "limits": said("limits", "ulimit -n; ulimit -u; df -m /dev/shm | tail -1 | awk '{print $2}'; nproc"),
        "user": said("plain", "id -u; id -g; echo $GREETING $FROM_FILE; touch /nothing 2>/dev/null || echo read only"),
    }
