"""What AWS can't honour is said with its place and a way out, before anything starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from defang_nb.model.project import Resources
from defang_nb.model.source import Severity
from defang_nb.providers.aws import check as module
from defang_nb.providers.aws.check import check
from defang_nb.providers.aws.compile.models import on_bedrock
from defang_nb.providers.aws.compile.sizes import LADDER, Size, impossible, nearest, size
from defang_nb.providers.support import support
from tests.providers.aws.plans import project

GIB = 2**30


REST = """\
volumes: {data: {}, theirs: {external: true}}
models: {known: {model: "ai/llama3.1:8B-Q4_K_M"}, unknown: {model: hf.co/me/mine}, db: {model: chat-default}}
"""


@pytest.mark.parametrize(
    ("said", "code", "line", "words"),
    [
        (
            "image: a\n    deploy: {resources: {reservations: {cpus: '0.25', memory: 16g}}}",
            "no-such-size",
            4,
            "2 vCPU with 16 GB",
        ),
        ("image: a\n    mem_limit: 500g", "no-such-size", 4, "16 vCPU with 120 GB"),
        ("image: a\n    cpus: 64", "no-such-size", 4, "16 vCPU with 120 GB"),
        ("image: a\n    platform: linux/s390x", "platform", 4, "linux/s390x"),
        ("image: a\n    volumes: ['./src:/src']", "volume-of-this-machine", 4, "/app/src"),
        ("image: a\n    volumes: ['theirs:/data']", "external-volume", 4, "theirs"),
        (
            "image: a\n    volumes: [{type: volume, source: data, target: /x, volume: {subpath: y}}]",
            "volume-subpath",
            4,
            "y of a volume",
        ),
        ("image: a\n    ports: ['53:53/udp']", "port-protocol", 4, "udp"),
        ("image: a\n    ports: ['5432:5432']", "port-not-published", 4, "5432"),
        ("image: a\n    ports: [{target: 50051, app_protocol: grpc}]", "needs-tls", 4, "grpc"),
        (
            "image: a\n    domainname: a.example.org\n    ports: ['80', {target: 50051, app_protocol: grpc}]",
            "needs-tls",
            5,
            "domainname",
        ),
        ("image: a\n    ports: ['80']", "plain-http", 4, "plain HTTP"),
        ("image: a\n    ulimits: {nproc: 5}", "ulimits", 4, "nproc"),
        ("image: a\n    cap_add: [NET_ADMIN]", "capabilities", 4, "NET_ADMIN"),
        ("image: a\n    stop_grace_period: 5m", "stop-grace-period", 4, "300 s"),
        ("image: a\n    privileged: true", "unsupported", 4, "privileges"),
        ("image: a\n    network_mode: host", "unsupported", 4, "network"),
        ("image: a\n    gpus: all", "unsupported", 4, "GPUs"),
        ("image: a\n    hostname: x", "ignored", 4, "name"),
        ("image: a\n    links: ['db:other']", "link-alias", 4, "other"),
        ("x-defang-postgres: true\n    mem_limit: 5000g", "no-such-store", 4, "512 GB"),
        ("x-defang-postgres: true\n    command: postgres -c fsync=off", "store-ignores", 4, "command"),
        ("x-defang-postgres: true\n    volumes: ['./init.sql:/docker-entrypoint-initdb.d/a.sql']", "store-ignores", 4, "a.sql"),
        ("x-defang-postgres: true", "store-password-made", 3, "PGPASSWORD"),
        ("x-defang-postgres: true\n    environment: {POSTGRES_PASSWORD: short}", "store-value", 4, "8 to 128"),
        ("x-defang-postgres: true\n    environment: {POSTGRES_USER: admin}", "store-value", 4, "RDS's own"),
        ("x-defang-postgres: true\n    environment: {POSTGRES_DB: my-app}", "store-value", 4, "begins with a letter"),
        ("image: a\n    x-defang-llm: true", "models-of-bedrock", 4, "Bedrock"),
        ("x-defang-llm: true", "nothing-to-run", 2, "neither an image"),
        ("image: a\n    models: [known]", "model-gateway", 4, "meta.llama3-1-8b"),
        ("image: a\n    models: [unknown]", "model-unknown", 4, "hf.co/me/mine"),
        ("image: a\n    models: [db]", "model-name-taken", 4, "otherwise"),
        ("image: mongo:4.4\n    x-defang-mongodb: true", "store-documents", 4, "4.0.0"),
        ("x-defang-mongodb: true\n    environment: {MONGO_INITDB_ROOT_USERNAME: admin}", "store-value", 4, "DocumentDB's own"),
        ("x-defang-mongodb: true\n    environment: {MONGO_INITDB_ROOT_PASSWORD: short}", "store-value", 4, "8 to 100"),
        ("image: a\n    x-defang-static-files: site", "site-ignores", 3, "image"),
        ("build: /usr\n    x-defang-static-files: lib", "site-of-context", 4, "nothing is built"),
        ("x-defang-static-files: {folder: site, redirects: [www.example.org]}", "site-redirect", 3, "`/old=/new`"),
        ("x-defang-redis: true", "store-tls", 3, "rediss://"),
    ],
)
def test_what_can_not_be_honoured_is_told_with_its_place(said: str, code: str, line: int, words: str) -> None:
    text = f"services:\n  web:\n    {said}\n  db: {{image: redis}}\n{REST}"
    found = {each.code: each for each in check(project(text))}
    assert code in found, sorted(found)
    assert found[code].position is not None and found[code].position.line in (line, line - 1)
    assert words in found[code].message + found[code].hint
    assert found[code].hint or found[code].severity is not Severity.ERROR


def test_what_is_honoured_is_not_mentioned() -> None:
    text = """\
services:
  web:
    image: nginx
    domainname: example.org
    ports: ["80", {target: 5432, mode: host}]
    cpus: 0.5
    mem_limit: 1g
    volumes: [/cache, {type: tmpfs, target: /run}, 'data:/data']
    network_mode: bridge
    stop_signal: SIGTERM
    ulimits: {nofile: 1000}
    cap_add: [SYS_PTRACE]
    platform: linux/arm64
volumes: {data: {}}
"""
    assert check(project(text)) == []


@pytest.mark.parametrize("protocol", ["grpc", "http2"])
def test_what_needs_https_is_published_at_a_domain(protocol: str) -> None:
    port = f"{{target: 50051, app_protocol: {protocol}}}"
    assert check(project(f"services:\n  api: {{image: a, domainname: api.example.org, ports: [{port}]}}\n")) == []


def test_every_case_of_the_code_is_in_the_table() -> None:
    used = set(re.findall(r"""_told\("([a-z-]+)\"""", Path(module.__file__).read_text()))
    assert used == set(support("aws").by_code)


@pytest.mark.parametrize(
    ("said", "region", "made"),
    [
        ("chat-default", "eu-west-1", "eu.amazon.nova-lite-v1:0"),
        ("chat-default", "sa-east-1", "amazon.nova-lite-v1:0"),
        ("AI/Llama3.1", "us-east-1", "us.meta.llama3-1-8b-instruct-v1:0"),
        ("ai/llama3.1:70B-Q4_K_M", "us-east-1", "us.meta.llama3-1-70b-instruct-v1:0"),
        ("ai/gpt-oss:120B", "ap-south-1", "openai.gpt-oss-120b-1:0"),
        ("ai/qwen3-coder:30B", "us-east-1", "qwen.qwen3-coder-30b-a3b-v1:0"),
        ("ai/qwen3-vl", "us-east-1", None),
        ("bedrock/anthropic.claude-x-v1:0", "us-east-1", "anthropic.claude-x-v1:0"),
        (
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
            "",
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/x",
        ),
        ("gpt-4", "us-east-1", None),
        ("", "us-east-1", None),
    ],
)
def test_a_model_by_its_name_on_bedrock(said: str, region: str, made: str | None) -> None:
    assert on_bedrock(said, region) == made


def asked(cpus: float | None, gib: float | None) -> Resources:
    return Resources(cpus=cpus, memory=None if gib is None else round(gib * GIB))


@pytest.mark.parametrize(
    ("resources", "made"),
    [
        (asked(None, None), Size(256, 512)),
        (asked(0.25, 0.5), Size(256, 512)),
        (asked(0.1, 0.1), Size(256, 512)),
        (asked(0.5, 0.5), Size(512, 1024)),
        (asked(0.25, 1.5), Size(256, 2048)),
        (asked(1, 5), Size(1024, 5120)),
        (asked(2, 1), Size(2048, 4096)),
        (asked(None, 16), Size(2048, 16384)),
        (asked(8, 18), Size(8192, 20480)),
        (asked(16, 120), Size(16384, 122880)),
        (Resources(cpus_limit=1.0, memory_limit=3 * GIB), Size(1024, 3072)),
        (Resources(cpus=0.25, cpus_limit=2.0), Size(256, 512)),
    ],
)
def test_the_nearest_size_holds_what_is_asked_for(resources: Resources, made: Size) -> None:
    assert size(resources) == made
    assert impossible(made) == ()


def test_every_size_is_its_own_nearest() -> None:
    assert all(nearest(Size(cpu, memory)) == Size(cpu, memory) for cpu, sizes in LADDER.items() for memory in sizes)
    assert sum(len(sizes) for sizes in LADDER.values()) == 3 + 4 + 7 + 13 + 23 + 12 + 12


def test_an_impossible_pair_names_what_is_nearest() -> None:
    assert impossible(Size(256, 16384)) == (Size(2048, 16384), Size(256, 2048))
    assert impossible(Size(0, 200 * 1024)) == (Size(16384, 122880),)
    assert str(Size(256, 512)) == "0.25 vCPU with 512 MB"
