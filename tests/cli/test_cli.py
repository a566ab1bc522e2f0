"""The command line as a process: exit codes, streams, no tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import defang_nb


def run(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEFANG_NB_HOME": str(cwd / "home"), "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-m", "defang_nb", *arguments], capture_output=True, text=True, cwd=cwd, env=environment, input=stdin
    )


def test_version(tmp_path: Path) -> None:
    for arguments in (["version"], ["--version"]):
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"defang-nb {defang_nb.__version__} (Python ")


def test_help_documents_the_exit_codes(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "exit codes:" in done.stdout
    assert "130  interrupted" in done.stdout


def test_help_of_a_command(tmp_path: Path) -> None:
    done = run("up", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: defang-nb up [options] [SERVICE …]")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs a command"),
        (["upp"], "did you mean up?"),
        (["up", "--bild"], "did you mean --build?"),
        (["config", "set", "A"], "no value"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_a_line_on_stderr(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_is_json_when_asked(tmp_path: Path) -> None:
    done = run("doctor", "--json", cwd=tmp_path)
    assert done.returncode == 0
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"python", "uv", "node"} <= {each["name"] for each in found}


def test_a_wrong_compose_file_is_exit_code_3_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: nginx\n    prots: [80]\n")
    done = run("compose", "config", cwd=tmp_path)
    assert done.returncode == 3
    assert "compose.yaml:4:5" in done.stderr
    assert "    prots: [80]" in done.stderr
    assert "^" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_compose_config_prints_the_canonical_file(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("name: shop\nservices:\n  web:\n    image: nginx:${TAG:-1}\n")
    done = run("compose", "config", "--as-compose", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model = json.loads(done.stdout)
    assert model["name"] == "shop"
    assert model["services"]["web"]["image"] == "nginx:1"
    kept = run("compose", "config", "--no-interpolate", cwd=tmp_path)
    assert "nginx:${TAG:-1}" in kept.stdout


def test_compose_config_prints_what_loads_again_and_lists_what_is_in_it(tmp_path: Path) -> None:
    web = "web: {build: ., environment: [A=a$$b, KEY], privileged: 'yes'}"
    (tmp_path / "compose.yaml").write_text(f"name: shop\nservices:\n  {web}\n  db: {{image: pg, profiles: [all]}}\n")
    first = run("compose", "config", "-o", "made.yaml", cwd=tmp_path)
    assert (first.returncode, first.stdout) == (0, "")
    made = (tmp_path / "made.yaml").read_text()
    assert "A: a$$b" in made
    assert 'KEY: "${KEY}"' in made
    assert "db:" not in made
    assert "command:" not in made
    assert "compose.yaml:3:59: warning" in first.stderr
    again = run("compose", "config", "-f", "made.yaml", cwd=tmp_path)
    assert again.stdout == made
    assert run("compose", "config", "--services", "--profile", "all", cwd=tmp_path).stdout.split() == ["web", "db"]
    assert run("compose", "config", "--images", cwd=tmp_path).stdout == "shop-web\n"
    assert run("compose", "config", "--profiles", cwd=tmp_path).stdout == "all\n"
    assert run("compose", "config", "-q", cwd=tmp_path).stdout == ""


def test_a_compose_file_may_come_from_stdin(tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("services: {web: {tty: true}}\n")
    text = "services: {web: {image: nginx, hostname: h, volumes: ['./d:/d']}}\n"
    done = run("compose", "config", "--format", "json", "-f", "-", "-f", "over.yaml", cwd=tmp_path, stdin=text)
    web = json.loads(done.stdout)["services"]["web"]
    assert (web["tty"], web["volumes"][0]["source"]) == (True, str(tmp_path / "d"))
    wrong = run("preview", "-f", "-", cwd=tmp_path, stdin="services: {web: {immage: nginx}}\n")
    assert "stdin:1:18: unknown key" in wrong.stderr
    assert run("preview", "-f", "-", "-f", "over.yaml", cwd=tmp_path, stdin=text).returncode == 2


def test_no_compose_file_is_said_in_a_line(tmp_path: Path) -> None:
    done = run("up", cwd=tmp_path)
    assert done.returncode in (3, 11)
    assert "Traceback" not in done.stderr
