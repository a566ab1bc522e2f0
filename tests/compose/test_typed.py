"""The typed project."""

from __future__ import annotations

import pytest

from defang_nb.model.project import (
    Build,
    Condition,
    Dependency,
    FileMount,
    FileObject,
    Healthcheck,
    Managed,
    ManagedKind,
    ModelUse,
    Mount,
    Port,
    PortMode,
    Resources,
    StaticFiles,
    Volume,
)


def _service(folder, body: str, rest: str = "", **options):
    return folder.load(f"services:\n  a: {{image: x, {body}}}\n  b: {{image: y}}\n{rest}", **options).project.services["a"]


@pytest.mark.parametrize(
    ("written", "ports"),
    [
        ("80", [Port(target=80)]),
        ("'8080:80'", [Port(target=80, published=8080)]),
        ("'127.0.0.1:8080:80/udp'", [Port(target=80, published=8080, host_ip="127.0.0.1", protocol="udp")]),
        ("'[::1]:80:80'", [Port(target=80, published=80, host_ip="::1")]),
        ("'80-81'", [Port(target=80), Port(target=81)]),
        ("'9000-9001:80-81'", [Port(target=80, published=9000), Port(target=81, published=9001)]),
        ("22:22", [Port(target=22, published=22)]),
        (
            "{target: 80, mode: host, app_protocol: http, name: w}",
            [Port(target=80, mode=PortMode.HOST, app_protocol="http", name="w")],
        ),
        ("{target: '80', published: 8080}", [Port(target=80, published=8080)]),
    ],
)
def test_ports(folder, written: str, ports: list[Port]) -> None:
    assert list(_service(folder, f"ports: [{written}]").ports) == ports


@pytest.mark.parametrize(
    "written", ["''", "'a:80'", "'80:'", "'70000'", "'1-2:1-3'", "'80/http'", "'1.2.3:1:1'", "{published: 80}", "[80]"]
)
def test_ports_that_are_refused(folder, written: str) -> None:
    (found,) = folder.refused(f"services:\n  a:\n    image: x\n    ports:\n      - {written}\n")
    assert (found.position.line, found.path.startswith("services.a.ports[0]")) == (5, True)


def test_volumes(folder) -> None:
    mounts = _service(
        folder, "volumes: ['data:/d:ro', './x:/x', '/anon', '~/h:/h', {type: tmpfs, target: /t}]", "volumes: {data: }"
    ).volumes
    assert mounts == (
        Mount(kind="volume", source="data", target="/d", read_only=True),
        Mount(kind="bind", source=str(folder.path / "x"), target="/x", options={"create_host_path": True}),
        Mount(kind="volume", target="/anon"),
        Mount(kind="bind", source="/home/u/h", target="/h", options={"create_host_path": True}),
        Mount(kind="tmpfs", target="/t"),
    )


def test_named_resources(folder) -> None:
    project = folder.load(
        "services: {a: {image: x, volumes: ['v1:/1', 'v2:/2'], secrets: [s], configs: [{source: c, target: x, mode: 0440}]}}\n"
        "volumes: {v1: {}, v2: {external: true}, unused: {}}\nsecrets: {s: {file: ./s.txt}}\nconfigs: {c: {content: hello}}\n"
    ).project
    assert project.name == "proj"
    assert project.volumes == {"v1": Volume(name="proj_v1"), "v2": Volume(name="v2", external=True)}
    assert project.secrets == {"s": FileObject(name="proj_s", file=str(folder.path / "s.txt"))}
    assert project.configs == {"c": FileObject(name="proj_c", content=("hello",))}
    assert project.services["a"].secrets == (FileMount(source="s", target="/run/secrets/s"),)
    assert project.services["a"].configs == (FileMount(source="c", target="/x", mode=0o440),)


def test_a_build_says_which_dockerfile_only_when_the_user_did(folder) -> None:
    loaded = folder.load("services: {a: {build: .}, b: {build: {context: sub, dockerfile: D, target: t}}}")
    assert loaded.project.services["a"].build == Build(context=str(folder.path))
    assert loaded.project.services["b"].build == Build(context=str(folder.path / "sub"), dockerfile="D", target="t")
    assert loaded.canonical["services"]["a"]["build"]["dockerfile"] == "Dockerfile"


def test_dependencies(folder) -> None:
    service = _service(folder, "depends_on: {b: {condition: service_healthy, required: false}}")
    assert service.depends_on == {"b": Dependency(condition=Condition.HEALTHY, required=False)}
    assert _service(folder, "links: [b]").depends_on == {"b": Dependency(restart=True)}
    assert _service(folder, "depends_on: [b]").depends_on == {"b": Dependency()}


def test_health_and_time(folder) -> None:
    service = _service(
        folder, "healthcheck: {test: curl x, interval: 1m30s, retries: 5, start_period: 500ms}, stop_grace_period: 2d"
    )
    assert service.healthcheck == Healthcheck(test=("CMD-SHELL", "curl x"), interval=90.0, retries=5, start_period=0.5)
    assert service.stop_grace_period == 172800.0
    assert _service(folder, "healthcheck: {test: [NONE]}").healthcheck.disable is True


def test_resources(folder) -> None:
    reserved = "{memory: 64M, devices: [{capabilities: [gpu], count: 2}]}"
    deploy = f"{{replicas: 3, resources: {{limits: {{cpus: '1.5'}}, reservations: {reserved}}}}}"
    service = _service(folder, f"deploy: {deploy}")
    assert service.replicas == 3
    assert service.resources == Resources(memory=64 * 2**20, gpus=2, cpus_limit=1.5)
    assert _service(folder, "mem_limit: 1.5gb, cpus: 2").resources == Resources(memory_limit=1610612736, cpus_limit=2.0)


def test_commands(folder) -> None:
    assert _service(folder, "command: 'sh -c \"echo $$X; ls\" a\\ b'").command == ("sh", "-c", "echo $X; ls", "a b")
    assert _service(folder, "command: [], entrypoint: [/x]").command == ()
    assert _service(folder, "tty: true").command is None


def test_restart_keeps_what_was_said(folder) -> None:
    assert _service(folder, 'restart: "no"').restart == "no"
    assert _service(folder, 'restart: "no"').one_off
    assert _service(folder, "tty: true").restart == ""


@pytest.mark.parametrize(
    ("written", "managed"),
    [
        ("x-defang-postgres: true", Managed(kind=ManagedKind.POSTGRES)),
        ("x-defang-redis: ", Managed(kind=ManagedKind.REDIS)),
        ("x-defang-mongodb: 'yes'", Managed(kind=ManagedKind.MONGODB)),
        ("x-defang-llm: false", None),
        (
            "x-defang-postgres: {allow-downtime: true, from-snapshot: s1}",
            Managed(kind=ManagedKind.POSTGRES, allow_downtime=True, from_snapshot="s1"),
        ),
        ("x-defang-autoscaling: true, x-other: [1]", None),
    ],
)
def test_managed_stores(folder, written: str, managed: Managed | None) -> None:
    assert _service(folder, written).managed == managed


def test_managed_stores_that_are_refused(folder) -> None:
    (found,) = folder.refused("services: {a: {image: x, x-defang-postgres: {allow_downtime: true}}}")
    assert (found.code, found.hint) == ("unknown-key", 'did you mean "allow-downtime"?')
    (found,) = folder.refused("services: {a: {image: x, x-defang-redis: true, x-defang-postgres: true}}")
    assert found.code == "exclusive-keys"


def test_static_files(folder) -> None:
    assert _service(folder, "x-defang-static-files: ./public").static_files == StaticFiles(folder="./public")
    made = _service(folder, "x-defang-static-files: {folder: /static, redirects: [/a]}").static_files
    assert made == StaticFiles(folder="/static", redirects=("/a",))


def test_models(folder) -> None:
    assert _service(folder, "models: [m]", "models: {m: {model: ai/x}}").models == {"m": ModelUse()}
    told = _service(folder, "models: {m: {endpoint_var: AT, model_var: IS}}", "models: {m: {model: ai/x}}").models
    assert told == {"m": ModelUse(endpoint_var="AT", model_var="IS")}


def test_other_extensions_are_typed(folder) -> None:
    made = _service(
        folder,
        "x-defang-autoscaling: true, x-defang-policies: [p1, p2], x-defang-aliases: {cluster: 'urn:x'}, x-defang-dns-role: r",
    )
    assert (made.autoscaling, made.policies, made.aliases, made.dns_role) == (True, ("p1", "p2"), {"cluster": "urn:x"}, "r")
    assert _service(folder, "x-defang-policies: 'p1, p2'").policies == ("p1", "p2")
    assert _service(folder, "x-defang-autoscaling: 'no'").autoscaling is False
    assert _service(folder, "x-defang-autoscaling: ").autoscaling is True


@pytest.mark.parametrize(
    ("written", "code", "place", "hint"),
    [
        ("x-defang-postgres: [1]", "wrong-type", "x-defang-postgres", ""),
        ("x-defang-postgres: {allow-downtime: 3}", "wrong-type", "x-defang-postgres.allow-downtime", ""),
        ("x-defang-redis: {from-snapshot: [a]}", "wrong-type", "x-defang-redis.from-snapshot", ""),
        ("x-defang-llm: maybe", "wrong-value", "x-defang-llm", "x-defang-llm: true"),
        ("x-defang-autoscaling: {min: 1}", "wrong-type", "x-defang-autoscaling", ""),
        ("x-defang-policies: [{a: 1}]", "wrong-type", "x-defang-policies[0]", ""),
        ("x-defang-policies: {a: 1}", "wrong-type", "x-defang-policies", ""),
        ("x-defang-aliases: {a: [1]}", "wrong-type", "x-defang-aliases.a", ""),
        ("x-defang-aliases: [a]", "wrong-type", "x-defang-aliases", ""),
        ("x-defang-dns-role: 7", "wrong-type", "x-defang-dns-role", "quotes"),
        ("x-defang-static-files: {redirect: [a], folder: b}", "unknown-key", "x-defang-static-files.redirect", "redirects"),
        ("x-defang-static-files: {redirects: [a]}", "missing-key", "x-defang-static-files.folder", "folder"),
        ("x-defang-static-files: [a]", "wrong-type", "x-defang-static-files", ""),
    ],
)
def test_extensions_that_are_refused(folder, written: str, code: str, place: str, hint: str) -> None:
    found = folder.refused(f"services:\n  a:\n    image: x\n    {written}\n    foo: 1\n")
    assert [(each.code, each.path) for each in found] == [(code, f"services.a.{place}"), ("unknown-key", "services.a.foo")]
    assert found[0].position.line == 4
    assert hint in found[0].hint
    assert folder.load(f"services:\n  a:\n    image: x\n    {written}\n", as_compose=True).diagnostics == ()


def test_an_unknown_extension_is_warned_of(folder) -> None:
    text = "services: {a: {image: x, x-defang-postgre: true, x-mine: 1}}\nx-defang-redis: true\n"
    found = folder.load(text).diagnostics
    assert [(each.code, each.path) for each in found] == [
        ("unknown-extension", "services.a.x-defang-postgre"),
        ("extension-place", "x-defang-redis"),
    ]
    assert found[0].hint == 'did you mean "x-defang-postgres"?'
