"""Lines of source without the secrets in them."""

from __future__ import annotations

import pytest

from defang_nb.model.masking import is_plain_secret, is_secret_name, is_secret_text, masked


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("DB_PASSWORD: hunter2", "DB_PASSWORD: ••••••"),
        ('  DB_PASSWORD: "hunt er\\"2" # why', '  DB_PASSWORD: "••••••" # why'),
        ("  apiKey: 'it''s'", "  apiKey: '••••••'"),
        ("  - AUTH_TOKEN=abc=def", "  - AUTH_TOKEN=••••••"),
        ('  - "AUTH_TOKEN=abc def"', '  - "AUTH_TOKEN=••••••'),
        ("a: {PASSWORD: x y, USER: u}", "a: {PASSWORD: ••••••, USER: u}"),
        ("a: [PASSWORD=x, USER=u]", "a: [PASSWORD=••••••, USER=u]"),
        ("URL: postgres://user:pa:ss@word@db:5432/x", "URL: postgres://user:••••••@db:5432/x"),
        ("URL: redis://:pw@cache", "URL: redis://:••••••@cache"),
        ("URL: postgres://user:${PASSWORD}@db", "URL: postgres://user:${PASSWORD}@db"),
        ("URL: http://localhost:8000/@scope", "URL: http://localhost:8000/@scope"),
        ("PASSWORD: ${PASSWORD}", "PASSWORD: ${PASSWORD}"),
        ("PASSWORD: ${PASSWORD:?set it}", "PASSWORD: ${PASSWORD:?set it}"),
        ("PASSWORD: pre${PASSWORD}post", "PASSWORD: ••••••${PASSWORD}••••••"),
        ("PASSWORD: ${PASSWORD:-fallback}", "PASSWORD: ••••••"),
        ("command: redis-server --requirepass s3cret", "command: redis-server --requirepass ••••••"),
        ("command: app --password=s3cret", "command: app --password=••••••"),
        ("KEY: AKIAABCDEFGHIJKLMNOP", "KEY: ••••••"),
        ("NAME: ghp_0123456789abcdefghij0123", "NAME: ••••••"),
        ("image: nginx:1.25", "image: nginx:1.25"),
        ("- DB_PASSWORD hunter2", "- DB_PASSWORD ••••••"),
        ("- DB_PASSWORD:hunter2", "- DB_PASSWORD:••••••"),
        ("secrets: [db_password, token]", "secrets: [db_password, token]"),
        ("- db_password", "- db_password"),
        ('a: {x: {"DB_PASSWORD" "hunter2"}}', 'a: {x: {"DB_PASSWORD" ••••••'),
        ("image: vault-secret:1.2", "image: vault-secret:1.2"),
        ("secrets:", "secrets:"),
        ("PASSWORD_FILE: /run/secrets/pw", "PASSWORD_FILE: /run/secrets/pw"),
        ("", ""),
    ],
)
def test_masked(line: str, shown: str) -> None:
    assert masked(line) == shown


def test_what_stands_before_the_caret_keeps_its_place() -> None:
    line = "a: {PASSWORD: abc, user: 1}"
    assert masked(line, caret=line.index("1")) == "a: {PASSWORD: •••, user: 1}"
    line = "PASSWORD: abcdef${X"
    shown = masked(line, caret=line.index("$"))
    assert "abcdef" not in shown
    assert shown.startswith("PASSWORD: ••••••")


def test_a_line_of_a_secret_that_has_several() -> None:
    assert masked("      MIIEvQIBADANBg", secret=True) == "      ••••••"
    assert masked("a: {PASSWORD: x1234, B: [1]}", secret=True) == "a: {PASSWORD: ••••••, B: [1]}"
    assert masked("      a$${X}b", secret=True) == "      ••••••$$••••••"


@pytest.mark.parametrize(
    "name", ["PASSWORD", "DB_PASSWORD", "apiKey", "api-key", "authToken", "POSTGRES_PASS", "client_secret"]
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["TOKENS", "bypass", "PASSWORD_FILE", "monkey", "secrets", "tokenizer", "COMPASS"])
def test_names_of_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_values_that_are_secrets() -> None:
    assert is_secret_text("postgres://u:p@h")
    assert is_secret_text("mysql+pymysql://root:pw@db/x?y=1")
    assert not is_secret_text("postgres://u:${P}@h")
    assert not is_secret_text("http://user@h:80/")
    assert not is_secret_text("git@github.com:a/b")
    assert is_plain_secret("PASSWORD", "hunter2")
    assert not is_plain_secret("PASSWORD", "true")
