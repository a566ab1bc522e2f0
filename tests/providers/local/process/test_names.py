"""Names of services in environment values; ports in commands and health checks."""

from __future__ import annotations

import pytest

from defang_nb.model.project import Healthcheck
from defang_nb.model.value import ConfigRef, Json, Text, resolve
from defang_nb.providers.local.process.command import with_ports
from defang_nb.providers.local.process.names import Listener, mentioned, rewrite
from defang_nb.providers.local.process.probe import Probe, of_healthcheck

PASSWORD = ConfigRef("PW")


def listener(name: str, here: dict[int, int], managed: str = "") -> Listener:
    ports: dict[int, Json] = {target: {"$ref": f"{name}#{port}"} for target, port in here.items()}
    return Listener(name=name, targets=tuple(here), host={"$ref": f"{name}#host"}, ports=ports, managed=managed)


LISTENERS = {
    each.name: each
    for each in (
        listener("db", {5432: 15432}, "postgres"),
        listener("django", {8000: 18000}),
        listener("postgres", {5432: 25432}, "postgres"),
        listener("cache", {6379: 6379}, "redis"),
        listener("api", {8080: 18080}),
    )
}


def shown(environment: dict[str, Text]) -> dict[str, str]:
    """The values as the program will see them, with configuration values as `<NAME>`."""

    def text(value: Json) -> str:
        match resolve(value, lambda urn, output: "HERE" if output == "host" else output):
            case {"$join": parts}:
                return "".join(text(part) for part in parts)
            case {"$config": key}:
                return f"<{key}>"
            case other:
                return str(other)

    return {key: text(value) for key, value in rewrite(environment, LISTENERS).items()}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (("postgres://u:p@db:5432/x",), "postgres://u:p@HERE:15432/x"),
        (
            ("postgresql+asyncpg://postgres:", PASSWORD, "@postgres:5432/postgres"),
            "postgresql+asyncpg://postgres:<PW>@HERE:25432/postgres",
        ),
        (("postgres://postgres:1234@db/postgres",), "postgres://postgres:1234@HERE:15432/postgres"),
        (("redis://cache:6379/0",), "redis://HERE:6379/0"),
        (
            (
                "redis://:",
                PASSWORD,
                "@cache",
            ),
            "redis://:<PW>@HERE:6379",
        ),
        (("http://api:8080/v1?next=http://api:8080/",), "http://HERE:18080/v1?next=http://HERE:18080/"),
        (("http://api",), "http://HERE:18080"),
        (("api:8080",), "HERE:18080"),
        (("api:8080,cache:6379",), "HERE:18080,HERE:6379"),
        (("host=db port=5432 dbname=db",), "host=HERE port=15432 dbname=db"),
        (("http://api.example.com:8080/",), "http://api.example.com:8080/"),
        (("http://my-api:8080/",), "http://my-api:8080/"),
        (("api:9999",), "api:9999"),
        (("user@api:8080",), "user@api:8080"),
        (("api",), "api"),
        (("jdbc:postgresql://db:5432/x",), "jdbc:postgresql://HERE:15432/x"),
    ],
)
def test_values(written: Text, meant: str) -> None:
    assert shown({"VALUE": written})["VALUE"] == meant


def test_a_lone_name_counts_only_where_a_host_is_expected() -> None:
    result = shown({"POSTGRES_USER": ("django",), "POSTGRES_DB": ("db",), "API_HOST": ("api",)})
    assert result == {"POSTGRES_USER": "django", "POSTGRES_DB": "db", "API_HOST": "HERE", "API_PORT": "18080"}


def test_the_port_beside_a_host_is_told() -> None:
    assert shown({"DB_HOST": ("db",)}) == {"DB_HOST": "HERE", "DB_PORT": "15432", "PGPORT": "15432"}
    assert shown({"DB_HOST": ("db",), "DB_PORT": ("5432",)})["DB_PORT"] == "15432"
    assert shown({"PGHOST": ("db",)})["PGPORT"] == "15432"
    assert shown({"DB_HOST": ("db",), "DB_PORT": (PASSWORD,)})["DB_PORT"] == "<PW>"


def test_ports_by_which_others_call_a_service() -> None:
    text = ("http://u:", PASSWORD, "@api:9000/, db:5433")
    assert list(mentioned(text, ["api", "db"])) == [("api", 9000), ("db", 5433)]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["python", "manage.py", "runserver", "0.0.0.0:8000"], ["python", "manage.py", "runserver", "0.0.0.0:9001"]),
        (
            ["uvicorn", "a:app", "--port", "8000", "--timeout", "8000"],
            ["uvicorn", "a:app", "--port", "9001", "--timeout", "8000"],
        ),
        (["gunicorn", "--bind=:8000", "x"], ["gunicorn", "--bind=:9001", "x"]),
        (["sh", "-c", "exec flask run -p 8000 --x 18000"], ["sh", "-c", "exec flask run -p 9001 --x 18000"]),
        (["runserver", "8000"], ["runserver", "9001"]),
        (["app8000", "8000.py"], ["app8000", "8000.py"]),
    ],
)
def test_ports_in_commands(words: list[str], meant: list[str]) -> None:
    assert with_ports(words, {8000: 9001}) == meant


@pytest.mark.parametrize(
    ("test", "probe"),
    [
        (
            ("CMD", "curl", "-f", "http://localhost:8000/health"),
            Probe(kind="http", url="http://127.0.0.1:9001/health", port=9001),
        ),
        (
            ("CMD-SHELL", "curl -s localhost:8000 || exit 1"),
            Probe(kind="http", url="http://127.0.0.1:9001", port=9001, fail=False),
        ),
        (
            ("CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8000/"),
            Probe(kind="http", url="http://127.0.0.1:9001/", port=9001),
        ),
        (("CMD-SHELL", "pg_isready -U postgres -d app"), Probe(kind="postgres", port=5432)),
        (("CMD", "redis-cli", "-p", "6380", "ping"), Probe(kind="redis", port=6380)),
        (
            ("CMD-SHELL", "curl -f http://localhost:8000 | grep ok"),
            Probe(kind="exec", command=("/bin/sh", "-c", "curl -f http://localhost:9001 | grep ok")),
        ),
        (
            ("CMD", "python", "-c", "connect(('localhost', 8000))"),
            Probe(kind="exec", command=("python", "-c", "connect(('localhost', 9001))")),
        ),
        (("NONE",), Probe(kind="tcp", port=9001)),
    ],
)
def test_health_checks(test: tuple[str, ...], probe: Probe) -> None:
    assert of_healthcheck(Healthcheck(test=test), {8000: 9001}) == probe


def test_without_a_check_or_a_port_running_is_enough() -> None:
    assert of_healthcheck(None, {}).kind == "none"
