"""Embedded Postgres and Redis, the real ones."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest

from defang_nb.model.resource import Resource
from defang_nb.model.value import Json
from defang_nb.providers.local.config import FileConfigStore
from defang_nb.providers.local.process import embedded
from defang_nb.providers.local.process.engine import Engine
from defang_nb.providers.local.process.types.postgres import PostgresType
from defang_nb.providers.local.process.types.redis import RedisType, options
from tests.providers.local.process.conftest import Driver, files_with

SECRET = 'it\'s a "quoted" secret'

needs_redis = pytest.mark.skipif(embedded.redis_server() is None, reason="no Redis server for this Python")


@pytest.fixture
def driver(engine: Engine) -> Driver:
    return Driver({each.name: each for each in (PostgresType(engine), RedisType(engine))})


def postgres(port: int, **changes: Json) -> Resource:
    inputs = {"major": "16", "user": "app", "password": {"$config": "PW"}, "database": "shop", "ports": {"5432": port}}
    return Resource(urn="p/local:process/Postgres/db", type="local:process/Postgres", inputs=inputs | changes, service="db")


def redis(port: int, **changes: Json) -> Resource:
    inputs = {"options": {}, "password": "", "ports": {"6379": port}}
    return Resource(urn="p/local:process/Redis/cache", type="local:process/Redis", inputs=inputs | changes, service="cache")


def connect(port: int, password: str, user: str = "app") -> psycopg.Connection:
    return psycopg.connect(host="127.0.0.1", port=port, user=user, password=password, dbname="shop", autocommit=True)


async def test_postgres_has_the_user_the_database_and_the_password(
    driver: Driver, config: FileConfigStore, free_port: int, engine: Engine, tmp_path: Path
) -> None:
    await config.set("p", "PW", SECRET)
    db = postgres(free_port)
    await driver.create(db)
    with connect(free_port, SECRET) as connection:
        connection.execute("CREATE EXTENSION vector; CREATE TABLE kept (a int); INSERT INTO kept VALUES (7)")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(free_port, "wrong")
    with pytest.raises(psycopg.OperationalError):
        connect(free_port, "", user="postgres")

    await config.set("p", "PW", "another secret")
    await driver.delete(db)
    await driver.create(db)
    with connect(free_port, "another secret") as connection:
        row = connection.execute("SELECT a FROM kept").fetchone()
    assert row == (7,), "the data was kept, and the password is the new one"

    assert files_with(SECRET, tmp_path, engine.paths.config) == []
    assert files_with("another secret", tmp_path, engine.paths.config) == []


async def test_postgres_without_a_password_trusts_this_machine(driver: Driver, free_port: int) -> None:
    await driver.create(postgres(free_port, password="", major="18"))
    with connect(free_port, "") as connection:
        row = connection.execute("SHOW server_version").fetchone()
    assert row and row[0].startswith("18")


@needs_redis
async def test_redis_answers_keeps_its_options_and_asks_for_its_password(
    driver: Driver, config: FileConfigStore, free_port: int
) -> None:
    await config.set("p", "PW", "s3cret word")
    cache = redis(free_port, password={"$config": "PW"}, options={"appendonly": ["yes"], "save": ["60", "1"]})
    await driver.create(cache)
    assert b"NOAUTH" in ask(free_port, b"PING\r\n")
    login = b'AUTH "s3cret word"\r\n'
    assert b"yes" in ask(free_port, login + b"CONFIG GET appendonly\r\n")
    ask(free_port, login + b"SET k kept\r\n")
    await driver.delete(cache)
    await driver.create(cache)
    assert b"kept" in ask(free_port, login + b"GET k\r\n")
    assert await driver.live(cache)


def test_options_are_read_from_the_command() -> None:
    command = ["redis-server", "--save", "60", "1", "--port", "7000", "--appendonly", "yes"]
    assert options(command) == {"save": ["60", "1"], "appendonly": ["yes"]}


@pytest.mark.parametrize(
    ("image", "name", "major"),
    [
        ("postgres", "postgres", "16"),
        ("docker.io/library/postgres:17-alpine", "postgres", "18"),
        ("pgvector/pgvector:pg16", "pgvector/pgvector", "16"),
        ("localhost:5000/postgres@sha256:00", "localhost:5000/postgres", "16"),
    ],
)
def test_image_names(image: str, name: str, major: str) -> None:
    assert embedded.image_name(image) == name
    assert embedded.postgres_major(image) == major


def ask(port: int, words: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(words + b"QUIT\r\n")
        answer = b""
        while data := connection.recv(4096):
            answer += data
        return answer
