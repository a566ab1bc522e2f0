"""Take every application in a folder of samples live, one by one, and print a Markdown table: sample, outcome, why.

    python tests/e2e/samples.py [FOLDER] [NAME …]

FOLDER (default: the environment's DEFANG_SAMPLES) holds a folder for each sample, with a Compose file in it. Each gets a stack
of its own, and random values for the configuration that it needs, but for those that can't be any (a database's address).

It is *live* when each public address gives an HTTP answer below 500 (no redirect is followed); *refused* when `up` said no
before anything started; *not built* when a build failed (what it needs from the network is not to be had); *failed* when `up`
ended in an error later. Those in `CUT_OFF` get no newer packages than of that date. What `up` said is kept in the folder
`DEFANG_SAMPLES_LOGS`, when that is set. Run by hand: it takes time and the network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, build_opener

ROOT = Path(__file__).parents[2]
COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
CUT_OFF = {"fastapi": "2024-10-01", "fastapi-postgres": "2024-10-01", "langchain": "2024-10-01"}
"""Samples whose unpinned packages have moved on, and the date of packages that they run with."""
VALUES = {"SSL_MODE": "require"}
"""Configuration that has to be one of some words: what the sample's own page says."""
DATABASE = """
name: database
services:
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: sample}
    ports: [{target: 5432, mode: host}]
"""
OUTCOMES = {3: "refused", 5: "not built"}
UP_TIMEOUT = 240
ANSWER_TIMEOUT = 30


class Stay(HTTPRedirectHandler):
    """Follow no redirect: it may lead to another machine."""

    def redirect_request(self, *_arguments: object, **_named: object) -> None:
        return None


@dataclass(frozen=True)
class Result:
    name: str
    outcome: str
    seconds: float
    detail: str = ""


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0] if arguments else os.environ.get("DEFANG_SAMPLES", ""))
    if not folder.is_dir() or not (arguments or os.environ.get("DEFANG_SAMPLES")):
        say("skipped: there is no folder of samples; name one, or set DEFANG_SAMPLES")
        return 0
    names = arguments[1:] or sorted(each.name for each in folder.iterdir() if compose_file(each))
    say("| sample | outcome | why |\n|---|---|---|")
    outcomes = []
    for name in names:
        result = tried(folder / name)
        outcomes.append(result.outcome)
        say(row(result))
    say("\n" + ", ".join(f"{outcomes.count(each)} {each}" for each in sorted(set(outcomes))))
    return 1 if {"failed", "hung", "left over", "dead"} & set(outcomes) else 0


def compose_file(folder: Path) -> Path | None:
    return next((folder / name for name in COMPOSE_NAMES if (folder / name).is_file()), None)


def row(result: Result) -> str:
    outcome = f"live ({result.detail} in {result.seconds:.0f} s)" if result.outcome == "live" else result.outcome
    why = "" if result.outcome == "live" else " ".join(result.detail.replace("|", "\\|").split())
    return f"| {result.name} | {outcome} | {why} |"


def tried(folder: Path) -> Result:
    """Up, an answer of each address, down; then nothing may be left."""
    file = compose_file(folder)
    if file is None:
        return Result(folder.name, "failed", 0, "no Compose file")
    with tempfile.TemporaryDirectory(prefix="defang-nb-sample-", ignore_cleanup_errors=True) as home:
        begun = time.monotonic()
        outcome, detail = live(file, Path(home))
        seconds = time.monotonic() - begun
        if outcome == "hung":
            defang(Path(home), "cancel", "-p", project(file))
        for name in [project(file), *(["database"] if (Path(home) / "database.yaml").exists() else [])]:
            down = defang(Path(home), "down", "-p", name, "--yes")
            if down.returncode:
                outcome, detail = "left over", f"`down` ended with {down.returncode}: {down.stderr.strip()[-200:]} ({detail})"
        if left := remaining(Path(home)):
            outcome, detail = "left over", f"{left} (after: {outcome}, {detail})"
    return Result(folder.name, outcome, seconds, detail)


def remaining(home: Path) -> str:
    """The services and processes of `home` that still are there; cd gets the time to end by itself."""
    services = [each["service"] for each in json_lines(defang(home, "ps", "--json").stdout)]
    deadline = time.monotonic() + ANSWER_TIMEOUT
    while (processes := running(home)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return ", ".join([*services, *processes])


def running(home: Path) -> list[str]:
    """The processes that were started with `home` in their environment or arguments (Linux only)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
            if os.fsencode(home) in arguments + (process / "environ").read_bytes():
                found.append(f"{process.name} {arguments.replace(bytes(1), b' ').decode(errors='replace')[:80]}")
        except OSError:  # it ended
            continue
    return found


def live(file: Path, home: Path) -> tuple[str, str]:
    """(outcome, detail) of taking it up in a stack in `home`."""
    extra = {"DEFANG_EXCLUDE_NEWER": date} if (date := CUT_OFF.get(file.parent.name)) else {}
    try:
        done = defang(home, "up", "-f", str(file), extra=extra)
        if done.returncode == 4:
            configure(home, project(file), re.findall(r"(\w+) \(needed by", done.stderr))
            done = defang(home, "up", "-f", str(file), extra=extra)
    except subprocess.TimeoutExpired:
        return "hung", f"no end after {UP_TIMEOUT} s"
    if logs := os.environ.get("DEFANG_SAMPLES_LOGS"):
        (Path(logs) / f"{file.parent.name}.log").write_text(f"{done.stderr}\n{done.stdout}\nexit {done.returncode}\n")
    if done.returncode:
        return OUTCOMES.get(done.returncode, "failed"), reason(done.stderr)
    services = json_lines(defang(home, "ps", "--json").stdout)
    urls = [each["url"] for service in services for each in service.get("endpoints", ()) if each.get("public", True)]
    answers = [answered(url) for url in urls if url.startswith("http")]
    outcome = "dead" if any(outcome == "dead" for outcome, _ in answers) else "live"
    return outcome, ", ".join(detail for _, detail in answers) or "no public address"


def configure(home: Path, name: str, keys: list[str]) -> None:
    """Set random values, but for `VALUES`; for the address of a database, take one live in a project of its own."""
    values = dict(VALUES)
    if "DATABASE_URL" in keys:
        (home / "database.yaml").write_text(DATABASE)
        defang(home, "up", "-f", str(home / "database.yaml"))
        (service,) = json_lines(defang(home, "ps", "--json", "-p", "database").stdout)
        address = service["endpoints"][0]["url"].partition("://")[2]
        values["DATABASE_URL"] = f"postgresql://postgres:sample@{address}/postgres?sslmode=disable"
    for key in keys:
        value = [f"{key}={values[key]}"] if key in values else [key, "--random"]
        defang(home, "config", "set", *value, "-p", name)


def reason(said: str) -> str:
    """The lines that name the errors with their places; of a failed build or start, the log's own word on it, too."""
    lines = said.splitlines()
    named = [line for line in lines if re.match(r"\w+Error: ", line)]
    placed = [line for line in lines if re.search(r":\d+:\d+: error: ", line)]
    _, _, log = said.partition("the last lines of its log:\n")
    word = next((line.strip() for line in reversed(log.splitlines()) if re.search(r"Error|Failed|ENOTFOUND|ERR!", line)), "")
    return "; ".join(dict.fromkeys([*(placed or named[-1:] or [said.strip()[-200:]]), *([word] if word else [])]))


def answered(url: str) -> tuple[str, str]:
    """Whether something below 500 comes back, within half a minute."""
    opener = build_opener(Stay)
    deadline = time.monotonic() + ANSWER_TIMEOUT
    while True:
        try:
            with opener.open(url, timeout=10) as answer:
                return "live", f"HTTP {answer.status}"
        except HTTPError as error:
            if error.code < 500:
                return "live", f"HTTP {error.code}"
            last = f"HTTP {error.code}"
        except (URLError, OSError) as error:
            last = str(error)
        if time.monotonic() > deadline:
            return "dead", last
        time.sleep(0.5)


def project(file: Path) -> str:
    found = re.search(r"^name: *[\"']?([\w-]+)", file.read_text(), re.MULTILINE)
    return found[1] if found else re.sub(r"[^a-z0-9_-]", "", file.parent.name.lower())


def defang(home: Path, *arguments: str, extra: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DEFANG_NB_HOME": str(home), "DEFANG_CD_IDLE": "2", "DEFANG_ENGINE": "process"} | (extra or {})
    command = [sys.executable, "-m", "defang_nb", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=UP_TIMEOUT)


def json_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
