"""Secrets in plain text are warned of, and not repeated."""

from __future__ import annotations

import pytest

TEXT = """\
services:
  a:
    image: x
    environment:
      DB_PASSWORD: "hunter2\\x21"
      API_KEY: correct-horse
  b:
    image: x
    environment:
      - AUTH_TOKEN=battery-staple
"""


def test_a_plain_secret_is_warned_of_and_masked(folder) -> None:
    warnings = folder.load(TEXT).diagnostics
    assert [(each.code, each.path, each.position.line) for each in warnings] == [
        ("likely-secret", "services.a.environment.DB_PASSWORD", 5),
        ("likely-secret", "services.a.environment.API_KEY", 6),
        ("likely-secret", "services.b.environment.AUTH_TOKEN", 10),
    ]
    assert not any(secret in str(warnings) for secret in ("hunter2", "correct-horse", "battery-staple"))
    assert warnings[1].excerpt == "      API_KEY: ••••••"
    assert "config set DB_PASSWORD" in warnings[0].hint


@pytest.mark.parametrize(
    "entry",
    [
        "PASSWORD: ${PASSWORD}",
        "PASSWORD:",
        "PASSWORD: ''",
        "PASSWORD_FILE: /run/secrets/pw",
        "TOKENS: some-words",
        "NAME: abcdef",
    ],
)
def test_what_is_no_plain_secret(folder, entry: str) -> None:
    assert folder.load(f"services:\n  a:\n    image: x\n    environment:\n      {entry}\n").diagnostics == ()
