"""A wrong text for every place in the loader that finds something wrong. `§` stands before the column that is to be named."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple


class Case(NamedTuple):
    """`code` is found at `path`; `files` are the project's, the first `load`ed ones being those in `loaded`."""

    code: str
    path: str
    files: dict[str, str]
    options: dict[str, Any]
    loaded: tuple[str, ...]


def case(code: str, path: str, text: str, *, over: str = "", options: dict[str, Any] | None = None, **more: str) -> Case:
    """Files beside compose.yaml are given as `a_env="…"`: `_` is `.` there."""
    files = {"compose.yaml": text, **{name.replace("_", "."): each for name, each in more.items()}}
    if over:
        files["over.yaml"] = over
    return Case(code, path, files, options or {}, ("compose.yaml", "over.yaml") if over else ("compose.yaml",))


def service(code: str, inside: str, body: str, rest: str = "", **more: Any) -> Case:
    """A finding inside of the service `a`, whose lines are `body`."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    path = f"services.a.{inside}".removesuffix(".")
    return case(code, path, f"services:\n  a:\n    image: x\n{lines}{rest}", **more)


OTHER = "  b: {image: y}\n"
DEEP = "x: " + "[" * 100 + "§[" + "]" * 101
BOMB = "services: {}\nx-a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"x-{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcde", "bcdef", strict=True)
)

CHAIN = {f"b{n}_yaml": f"include: [{'§' if n == 49 else ''}b{n + 1}.yaml]\n" for n in range(50)}

LARGE = f"A={'x' * 1000}\nB={'$A' * 1000}\n"
"""A million characters."""

SURROGATE = "services:\n  a: {image: \udce9}\n"
"""No text at all; it can't come from a file."""

SYNTAX = [
    case("empty-file", "", "§# nothing"),
    case("wrong-type", "", "§[a]"),
    case("yaml-syntax", "services.a.ports", "services:\n  a:\n    ports: §[1\n"),
    case("yaml-syntax", "services.a", "services:\n  a:\n    §\timage: x\n"),
    case("yaml-syntax", "services.a.image", "services:\n  a:\n    image: §'x\n"),
    case("yaml-syntax", "services.a", "services:\n  a:\n    image: x§: y\n"),
    case("yaml-syntax", "services.a.image", "services:\n  a:\n    image: §@x\n"),
    case("yaml-syntax", "services.a", "services:\n  a:\n    image: x\n    §oops\n    tty: true\n"),
    case("yaml-syntax", "services.a.image", 'services:\n  a:\n    image: "§\\q"\n'),
    case("yaml-syntax", "", "services: §\x01\n"),
    case("yaml-syntax", "services.a", "services: {a: §*b}\n"),
    case("yaml-syntax", "services.a[0]", "services: {a: &a [§*a]}\n"),
    case("yaml-syntax", "services", "services: {<<: §7}\n"),
    case("yaml-syntax", "x" + "[0]" * 100, DEEP),
    case("key-type", "services.7", "services: {§7: {image: x}}\n"),
    service("duplicate-key", "tty", "tty: true\n§tty: false"),
    service("duplicate-key", "<<", "<<: {x-a: 1}\n§<<: {x-b: 1}"),
    case("obsolete", "version", "§version: '3'\nservices: {a: {image: x}}\n"),
]
TOP = [
    case("unknown-key", "servces", "§servces: {}\nservices: {a: {image: x}}\n"),
    case("bad-name", "services.a b", "services: {§a b: {image: x}}\n"),
    case("wrong-type", "services", "services: §[a]\n"),
    case("wrong-type", "services.a", "services: {a: §7}\n"),
    case("wrong-type", "services.a", "services:\n  a:§\n  b: {image: x}\n"),
    case("wrong-type", "services.image", "services:\n  a:\n  §image: x\n"),
    case("missing-key", "secrets.s", "services: {a: {image: x}}\nsecrets: {§s: {}}\n"),
    case("exclusive-keys", "configs.c.content", "services: {a: {image: x}}\nconfigs:\n  c:\n    file: a\n    §content: b\n"),
    case(
        "exclusive-keys",
        "volumes.v.external.name",
        "services: {a: {image: x}}\nvolumes: {v: {name: m, external: {§name: n}}}\n",
    ),
    case("deprecated", "volumes.v.external", "services: {a: {image: x}}\nvolumes: {v: {external: §{name: n}}}\n"),
    case("missing-key", "models.m.model", "services: {a: {image: x}}\nmodels: {m: §{}}\n"),
    case("project-name", "name", "services: {a: {image: x}}\n", options={"project_name": "Not Valid"}),
    case("project-name", "name", "services: {a: {image: x}}\n", options={"working_dir": Path("/--"), "as_compose": True}),
    case("unknown-service", "", "services: {web: {image: x}}\n", options={"services": ["wbe"]}),
]
OFF = "  b: {build: ., profiles: [q]}\n"
TYPES = [
    service("inactive-service", "build.additional_contexts.k", "build: {additional_contexts: {k: §'service:b'}}", OFF),
    service(
        "inactive-service",
        "network_mode",
        "depends_on: {b: {condition: service_started, required: false}}\nnetwork_mode: §service:b",
        OFF,
    ),
    service("wrong-type", "user", "user: §7"),
    service("wrong-type", "user", "user:§"),
    service("wrong-type", "user", "user: §2024-01-01"),
    service("wrong-value", "cgroup", "cgroup: §hots"),
    service("wrong-value", "pull_policy", "pull_policy: §allways"),
    service("wrong-type", "hostname", "hostname: §[x]"),
    service("wrong-type", "expose[0]", "expose: [§{a: 1}]"),
    service("wrong-type", "tty", "tty: §7"),
    service("old-boolean", "tty", "tty: §yes"),
    service("wrong-value", "tty", "tty: §maybe"),
    service("wrong-value", "cpu_count", "cpu_count: §many"),
    service("wrong-type", "cpu_count", "cpu_count: §1.5"),
    service("wrong-value", "cpu_count", "cpu_count: §-1"),
    service("wrong-value", "oom_score_adj", "oom_score_adj: §1001"),
    service("wrong-value", "cpus", "cpus: §few"),
    service("wrong-type", "cpus", "cpus: §[1]"),
    service("wrong-type", "mem_limit", "mem_limit: §true"),
    service("wrong-value", "mem_limit", "mem_limit: §12xb"),
    service("ignored", "mem_limit", "mem_limit: §1e9"),
    case("bad-name", "services.a.labels.", "services: {a: {image: x, labels: {§'': x}}}\n"),
    service("wrong-type", "stop_grace_period", "stop_grace_period: §10"),
    service("wrong-value", "stop_grace_period", "stop_grace_period: §10 seconds"),
    service("wrong-type", "cap_add", "cap_add: §x"),
    service("wrong-type", "storage_opt", "storage_opt: §x"),
    service("wrong-type", "deploy", "deploy: §x"),
    service("wrong-type", "environment", "environment: §x"),
    service("wrong-type", "environment.A", "environment: {A: §[1]}"),
    service("wrong-type", "environment[0]", "environment: [§{A: 1}]"),
    service("wrong-value", "environment[0]", "environment: [§A =1]"),
    service("wrong-type", "pid", "pid:§"),
    service("wrong-type", "command", "command: §7"),
    service("wrong-value", "command", "command: §a 'b"),
    service("wrong-value", "command", "command: §a (b"),
    service("wrong-value", "command", "command: §a\\"),
    service("wrong-type", "healthcheck.test", "healthcheck: {test: §7}"),
    service("wrong-value", "healthcheck.test", "healthcheck: {test: §[curl, x]}"),
    service("exclusive-keys", "gpus[0].device_ids", "gpus: [{count: 1, §device_ids: ['0']}]"),
    service("wrong-value", "gpus[0].count", "gpus: [{count: §al}]"),
    service("wrong-type", "gpus", "gpus: §1"),
    service("wrong-type", "depends_on", "depends_on: §b", OTHER),
    service("wrong-type", "depends_on[0]", "depends_on: [§7]", OTHER),
    service("wrong-value", "depends_on.b.condition", "depends_on: {b: {condition: §service_health}}", OTHER),
    service("wrong-type", "extends", "extends: §[b]", OTHER),
    service("wrong-type", "build", "build: §7"),
    service("wrong-type", "env_file[0]", "env_file: [§7]"),
    service("wrong-type", "label_file[0]", "label_file: [§7]"),
    service("wrong-type", "extra_hosts", "extra_hosts: §7"),
    service("wrong-value", "extra_hosts[0]", "extra_hosts: [§nohost]"),
    service("wrong-type", "ulimits.nofile", "ulimits: {nofile: §[1]}"),
    service("wrong-type", "devices[0]", "devices: [§7]"),
    service("wrong-value", "devices[0]", "devices: [§'a:b:c:d']"),
    service("unknown-key", "immage", "§immage: x"),
    service("unknown-key", "healthcheck.intervall", "healthcheck: {§intervall: 1s}"),
]
PORTS_AND_MOUNTS = [
    service("wrong-type", "ports", "ports: §80"),
    service("wrong-type", "ports[0]", "ports: [§true]"),
    service("wrong-port", "ports[1]", "ports:\n  - 80\n  - §80:eighty"),
    service("wrong-port", "ports[0]", "ports: [§'80/http']"),
    service("wrong-port", "ports[0]", "ports: [§'80:']"),
    service("wrong-port", "ports[0]", "ports: [§'1.2.3:1:1']"),
    service("wrong-port", "ports[0]", "ports: [§'1-2:1-3']"),
    service("wrong-port", "ports[0]", "ports: [§'70000']"),
    service("wrong-port", "ports[0]", "ports: [§'90-80']"),
    service("wrong-port", "ports[0]", "ports: [§'8080:0']"),
    service("wrong-port", "ports[0]", "ports: [§'::1:80:80']"),
    service("wrong-value", "ports[0].target", "ports: [{target: §70000}]"),
    service("wrong-value", "ports[0].target", "ports: [{target: §-1}]"),
    service("missing-key", "ports[0].target", "ports: [§{published: 80}]"),
    service("wrong-port", "ports[0].host_ip", "ports: [{target: 80, host_ip: §here}]"),
    service("wrong-type", "volumes", "volumes: §x"),
    service("missing-key", "volumes[0].source", "volumes: [§{type: bind, target: /x}]"),
    service("wrong-type", "volumes[0]", "volumes: [§7]"),
    service("wrong-volume", "volumes[0]", "volumes: [§'']"),
    service("wrong-volume", "volumes[0]", "volumes: [§'data:']"),
    service("wrong-volume", "volumes[0]", "volumes: [§'data:/b:ro:xx']"),
    service("wrong-value", "volumes[0].type", "volumes: [{type: §bnd, target: /x}]"),
    service("wrong-type", "secrets[0]", "secrets: [§7]"),
    service("wrong-type", "secrets[0].mode", "secrets: [{source: s, mode: §rw}]", "secrets: {s: {file: x}}\n"),
]
EXTENSIONS = [
    service("wrong-value", "x-defang-llm", "x-defang-llm: §maybe"),
    service("wrong-type", "x-defang-redis", "x-defang-redis: §[1]"),
    service("wrong-type", "x-defang-static-files", "x-defang-static-files: §[1]"),
    service("wrong-type", "x-defang-policies", "x-defang-policies: §{a: 1}"),
    service("unknown-extension", "x-defang-postgre", "§x-defang-postgre: true"),
    service("exclusive-keys", "x-defang-redis", "x-defang-postgres: true\n§x-defang-redis: true"),
    case("extension-place", "x-defang-redis", "services: {a: {image: x}}\n§x-defang-redis: true\n"),
]
REFERENCES = [
    case("no-image", "services.a", "services: {§a: {command: x}}\n"),
    service("exclusive-keys", "build.dockerfile_inline", "build: {dockerfile: D, §dockerfile_inline: FROM x}"),
    service("platform", "build.platforms", "platform: linux/arm64\nbuild: {platforms: §[linux/amd64]}"),
    service("exclusive-keys", "networks", "network_mode: host\n§networks: [n]", "networks: {n: {}}\n"),
    service("wrong-value", "restart", "restart: §allways"),
    service("exclusive-keys", "scale", "§scale: 2\ndeploy: {replicas: 3}"),
    service("exclusive-keys", "container_name", "scale: 2\n§container_name: one"),
    service("wrong-value", "container_name", "container_name: §'-'"),
    service("repeated", "security_opt[1]", "security_opt:\n  - a\n  - §a"),
    case("repeated", "services.b.container_name", "services:\n  a: {image: x, container_name: one}\n"
         "  b: {image: x, container_name: §one}\n"),
    service("missing-key", "depends_on.b", "depends_on: {§b: {}}", OTHER),
    service("unknown-service", "depends_on.dbb", "depends_on: [§dbb]", "  db: {image: y}\n"),
    service("inactive-service", "depends_on.b", "depends_on: [§b]", "  b: {image: y, profiles: [p]}\n"),
    service("unknown-network", "networks.frnt", "networks: [§frnt]", "networks: {front: {}}\n"),
    service("unknown-volume", "volumes[0]", "volumes: [§'dta:/d']", "volumes: {data: {}}\n"),
    service("unknown-secret", "secrets[0]", "secrets: [§s]", "secrets: {z: {file: x}}\n"),
    service("unknown-config", "configs[0]", "configs: [§s]"),
    service("unknown-model", "models.m", "models: [§m]"),
    service("unknown-service", "build.additional_contexts.x", "build: {additional_contexts: {x: §'service:zz'}}"),
    case("dependency-cycle", "services.c.depends_on.a", "services:\n  a: {image: x, depends_on: [b]}\n"
         "  b: {image: x, depends_on: [c]}\n  c: {image: x, depends_on: [§a]}\n"),
]  # fmt: skip
FILES = [
    case("wrong-type", "include", "services: {a: {image: x}}\ninclude: §x.yaml\n"),
    case("ignored", "include[0]", "services: {a: {image: x}}\ninclude:\n  - §path: []\n"),
    case("wrong-type", "include[0].path[0]", "services: {a: {image: x}}\ninclude: [{path: [§1]}]\n"),
    case("file-missing", "include[0]", "services: {a: {image: x}}\ninclude: [§gone.yaml]\n"),
    case("include-cycle", "include[0]", "services: {a: {image: x}}\ninclude: [b.yaml]\n", b_yaml="include: [§compose.yaml]\n"),
    case("too-deep", "include[0]", "include: [b0.yaml]\n", **CHAIN),
    case("yaml-syntax", "", "---\n" * 2001 + "§x"),
    case("env-file-syntax", "", "services: {a: {image: x}}\n", _env=LARGE + "C=$B\n" * 7 + "C=§$B\n"),
    case("too-large", "x-a[32]", f"services: {{a: {{image: x}}}}\nx-a: [{'$B, ' * 32}§$B]\n", _env=LARGE),
    case("wrong-value", "services.a.pids_limit", "services: {a: {image: x, pids_limit: §99999999999999999999}}\n"),
    case("too-large", "services.a.hostname", f"services: {{a: {{image: x, hostname: §{'$B' * 9}}}}}\n", _env=LARGE),
    case("ignored", "include[0]", "services: {a: {image: x}}\ninclude: [§{env_file: e.env}]\n"),
    case("unknown-key", "include[0].paths", "services: {a: {image: x}}\ninclude: [{path: b.yaml, §paths: e}]\n",
         b_yaml="{}\n"),
    case("unknown-key", "services.b.immage", "services: {a: {image: x}}\ninclude: [b.yaml]\n",
         b_yaml="services: {b: {image: x, §immage: y}}\n"),
    service("unknown-service", "extends", "extends: §bb", OTHER),
    service("unknown-service", "extends", "extends: §{file: b.yaml, service: web}", b_yaml="services: {wob: {image: x}}\n"),
    service("unknown-service", "extends", "extends: §{file: b.yaml, service: web}", b_yaml="name: x\n"),
    service("file-missing", "extends", "extends: §{file: gone.yaml, service: web}"),
    case("extends-cycle", "services.b.extends", "services:\n  a: {image: x, extends: b}\n  b: {image: x, extends: §a}\n"),
    case("wrong-type", "services.b.user", "services: {a: {extends: {file: b.yaml, service: b}}}\n",
         b_yaml="services: {b: {image: x, user: §7}}\n"),
    case("yaml-syntax", "services.b", "services: {a: {extends: {file: b.yaml, service: b}}}\n",
         b_yaml="services: {b: §*nope}\n"),
    case("unknown-key", "services.a.immage", "services: {a: {image: x}}\n", over="services:\n  a: {§immage: y}\n"),
    service("file-missing", "env_file[0]", "env_file: §gone.env"),
    service("file-unreadable", "env_file[0]", "env_file: §."),
    service("file-unreadable", "env_file[0]", "env_file: §latin.env", latin_env="A=\udce9\n"),
    service("env-file-syntax", "env_file[0]", "env_file: x.env", x_env="A=1\nB§*C=2\n"),
    service("env-file-syntax", "env_file[0]", "env_file: x.env", x_env="A=1\n§B C=2\n"),
    service("env-file-syntax", "env_file[0]", "env_file: x.env", x_env="A=1\n§=2\n"),
    service("env-file-syntax", "env_file[0]", "env_file: x.env", x_env="A=1\nB=§'2\n"),
    service("env-file-syntax", "env_file[0]", "env_file: x.env", x_env="A=1\nB=x§${C:?why}\n"),
    service("env-file-syntax", "env_file[0]", "env_file: [{path: x.env, format: raw}]", x_env="A=1\n§B C=2\n"),
    case("file-missing", "", "services: {a: {image: x}}\n", options={"env_files": ["gone.env"]}),
]  # fmt: skip
VARIABLES = [
    service("variable-unset", "hostname", "hostname: x-§${NOT_SET}"),
    service("variable-unset", "hostname", 'hostname: "x\\x24{A:-b}§$NOT_SET"'),
    service("variable-unset", "hostname", "hostname: ${NOT_SET:-${B:-§${C}}}"),
    service("variable-unset", "command", "command: >  # $5\n  echo $$HOME\n  and §$NOT_SET"),
    service("variable-unset", "labels.a", "labels:\n  a: |\n    one ${A:-b}\n    two §${NOT_SET}"),
    service("variable-unset", "command[1]", "command: [a, 'it''s §$NOT_SET']"),
    service("variable-unset", "hostname", "hostname: plain\n  and §${NOT_SET}"),
    service("variable-required", "hostname", "hostname: a§${NOT_SET:?must be}"),
    service("interpolation-syntax", "hostname", "hostname: a§${A.B}"),
    service("interpolation-syntax", "hostname", "hostname: a§${A!}"),
    service("interpolation-syntax", "hostname", "hostname: a§${"),
    service("interpolation-syntax", "hostname", "hostname: a§${1}"),
    service("interpolation-syntax", "hostname", f"hostname: §{'${A:-' * 60}x{'}' * 60}"),
    service("config-name", "environment.X", f"environment: {{X: 'a§${{{'L' * 65}}}'}}"),
    service("config-name", "environment.a-b", "environment: {§a-b: }"),
    case("variable-unset", "services.a.hostname", "services: {a: {image: x, hostname: 'a-§$NOT_SET'}}\n",
         options={"as_compose": True}),
    service("likely-secret", "environment.PASSWORD", "environment: {§PASSWORD: hunter22}"),
    service("likely-secret", "environment.URL", "environment:\n  - §URL=postgres://user:hunter22@db/x"),
    service("likely-secret", "command[1]", "command: [a, §postgres://user:hunter22@db/x]"),
    service("likely-secret", "environment.DB_PASSWORD", "env_file: x.env", x_env="A=1\n§DB_PASSWORD=hunter22\n"),
    service("likely-secret", "build.args.TOKEN", "build: {args: {§TOKEN: hunter22}}"),
]  # fmt: skip

MORE = [
    service("exclusive-keys", "cpus", "§cpus: 1\ndeploy: {resources: {limits: {cpus: 2}}}"),
    service("repeated", "volumes", "tmpfs: /t\nvolumes: [§'vol:/t']", "volumes: {vol: {}}\n"),
    service("missing-key", "develop.watch[0].target", "develop: {watch: [§{path: ., action: sync}]}"),
    service("wrong-value", "develop.watch[0].path", "develop: {watch: [{path: §'', action: rebuild}]}"),
    service("wrong-value", "build.additional_contexts.q", "build: {additional_contexts: {q: §'service:b'}}", OTHER),
    service("wrong-type", "build.additional_contexts.q", "build: {additional_contexts: {q: §7}}"),
    service("wrong-value", "build.additional_contexts", "build: {additional_contexts: [§q]}"),
    service("wrong-value", "build.ssh", "build: {ssh: [§key]}"),
    service("wrong-value", "extra_hosts.a:b", "extra_hosts: {§'a:b': 1.1.1.1}"),
    case("missing-key", "jobs.j.triggers", "services: {a: {image: x}}\njobs: {j: §{image: x}}\n"),
    case("no-image", "jobs.j", "services: {a: {image: x}}\njobs: {§j: {schedule: '@daily'}}\n"),
    case("wrong-type", "jobs.j.schedule[0]", "services: {a: {image: x}}\njobs: {j: {image: x, schedule: [§7]}}\n"),
    case("wrong-cron", "jobs.j.triggers.schedule[0]", "jobs: {j: {image: x, triggers: {schedule: [§'0 3 * *']}}}\n"),
    service("repeated", "build.ssh[1]", "build: {ssh: [default, §default]}"),
    case("exclusive-keys", "volumes.v.driver", "services: {a: {image: x}}\nvolumes: {v: {external: true, §driver: d}}\n"),
    case("project-name", "name", "name: §'!!'\nservices: {a: {image: x}}\n"),
    case(
        "wrong-variable", "", "services: {a: {image: x}}\n", options={"environ": {"COMPOSE_DISABLE_ENV_FILE": "maybe"}}
    ),
]  # fmt: skip
CASES = [*SYNTAX, *TOP, *TYPES, *PORTS_AND_MOUNTS, *EXTENSIONS, *REFERENCES, *FILES, *VARIABLES, *MORE]
NO_PLACE = {"project-name", "wrong-variable", "file-missing", "unknown-service"}
"""What was given on the command line stands in no file."""
