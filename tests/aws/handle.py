"""The simulated AWS as a test has it: a process of its own, and what can be asked of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener, urlopen

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"
ACCOUNT = "123456789012"
HIDDEN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_PROFILE")


@cache
def _client(url: str, service: str) -> Any:
    """One for all tests: boto3 takes a while to make a client."""
    import boto3

    return boto3.client(service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")


@dataclass(frozen=True)
class Counts:
    """How often each call was made: (service, operation) → times, as boto3's clients name services and AWS its operations."""

    calls: Mapping[tuple[str, str], int]
    changing: Mapping[tuple[str, str], int]
    """Those of them that change something."""

    @property
    def total(self) -> int:
        return sum(self.calls.values())

    def of(self, *services: str) -> int:
        return sum(count for (service, _), count in self.calls.items() if service in services)

    def mutations(self, *, besides: tuple[str, ...] = ()) -> dict[tuple[str, str], int]:
        """The changing calls, but for those of the services `besides` (such as s3, where the record is kept)."""
        return {call: count for call, count in self.changing.items() if call[0] not in besides}

    def __sub__(self, before: Counts) -> Counts:
        return Counts(Counter(self.calls) - Counter(before.calls), Counter(self.changing) - Counter(before.changing))


@dataclass(frozen=True)
class Visit:
    """An answer, with its headers' names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Simulation:
    """A simulated AWS at `url`. `proxy`: an HTTP proxy for which its load balancers' names lead to them."""

    url: str
    proxy: str
    process: subprocess.Popen[bytes]

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """What boto3 (and cd) need to find it, added to `base` (this process's environment)."""
        plain = {key: value for key, value in (os.environ if base is None else base).items() if key not in HIDDEN}
        return plain | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
            "AWS_EC2_METADATA_DISABLED": "true",
            "http_proxy": self.proxy,  # by which load balancers are found at their own names
            "no_proxy": "localhost,127.0.0.1,127.0.0.0/8",
        }

    def client(self, service: str) -> Any:
        """boto3's own client, for looking behind the scenes; its calls are counted too."""
        return _client(self.url, service)

    def counts(self) -> Counts:
        rows = self.ask("counts")
        return Counts(
            {(each["service"], each["operation"]): each["count"] for each in rows},
            {(each["service"], each["operation"]): each["count"] for each in rows if each["mutation"]},
        )

    def faults(self, *rules: Mapping[str, Any], seed: int = 0) -> None:
        """Replace the faults in force: see `tests.aws.faults.Rule`. With no rule: none."""
        self.ask("faults", {"rules": list(rules), "seed": seed})

    def behaviours(self, *rules: Mapping[str, Any]) -> None:
        """Replace what tasks do that are not really run: see `tests.aws.runners.base.Behaviour`."""
        self.ask("behaviours", list(rules))

    def finish(self, match: str) -> None:
        """Let the tasks that do as the rule with this `match` says succeed: those that run now, and those to come."""
        self.ask("finish", match)

    def runners(self, *rules: tuple[str, str]) -> None:
        """How tasks are run, before what is usual (cd: as a process; all else: not really).

        A rule is a regular expression over family, image and command, and one of `process`, `docker`, `instant`.
        """
        self.ask("runners", list(rules))

    def enforce(self) -> None:
        """From now on, until the next reset, sessions of roles may do what their policies say, within their boundaries."""
        self.ask("enforce")

    def denied(self) -> list[str]:
        """What was refused for that: `role: action on resource (why)`."""
        found: list[str] = self.ask("denied")
        return found

    def fail_in_stacks(self, **reasons: str) -> None:
        """Which resources of CloudFormation stacks (by their logical ids) shall fail, and why. Until the next reset."""
        self.ask("formation", reasons)

    def bodies(self) -> list[dict[str, str]]:
        """Every request but those that may hold secrets (SSM's, Secrets Manager's): service, operation, address, body."""
        found: list[dict[str, str]] = self.ask("bodies")
        return found

    def search(self, text: str) -> list[str]:
        """service:operation of each of those that holds `text`, plain, as in a URL, in base64 or compressed."""
        found: list[str] = self.ask("search", {"text": text})
        return found

    def problems(self) -> list[str]:
        """Calls that the simulation does not know, and what crashed in it."""
        found: list[str] = self.ask("problems")
        return found

    def tasks(self) -> list[dict[str, Any]]:
        """Every task of ECS, without a counted call."""
        found: list[dict[str, Any]] = self.ask("tasks")
        return found

    def address_of(self, url: str) -> str:
        """Where a load balancer answers on this machine: `http://127.0.0.1:<port>`, for its DNS name or an address with it."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        for each in self.ask("balancers"):
            if (each["host"], each["port"]) == (parts.hostname, parts.port or 80):
                return f"http://{each['address']}{parts.path}"
        raise LookupError(f"no load balancer listens at {url}")

    def get(self, url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Ask a load balancer by its own name, or by a domain name that it has a rule for: status and body of the answer.

        With `data` (JSON, unless `headers` say otherwise) it is a POST.
        """
        opener = build_opener(ProxyHandler({"http": self.proxy}))
        try:
            with opener.open(Request(url, data, headers or {"Content-Type": "application/json"}), timeout=20) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def visit(self, url: str, method: str = "GET") -> Visit:
        """As a browser that follows no redirects, at an address of CloudFront, by HTTPS or not."""
        there = http.client.HTTPConnection(urlsplit(self.proxy).netloc, timeout=20)
        try:
            there.request(method, url, headers={"Host": urlsplit(url).netloc})
            answer = there.getresponse()
            return Visit(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            there.close()

    def forget(self) -> None:
        """Count and record anew."""
        self.ask("forget")

    def pace(self, seconds: float) -> None:
        self.ask("pace", {"seconds": seconds})

    def reset(self) -> None:
        """An account with nothing in it: whatever runs is ended, faults and counts are forgotten."""
        self.ask("reset")

    def ask(self, name: str, given: Any = None) -> Any:
        request = Request(f"{self.url}/_simulation/{name}", data=json.dumps(given or {}).encode(), method="POST")
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)


@contextlib.contextmanager
def simulated(*options: str, log: Path | None = None) -> Iterator[Simulation]:
    """A simulated AWS in a process of its own, ended at the end with all that it runs."""
    command = [sys.executable, "-m", "tests.aws.simulation", *options]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    with (log or Path(os.devnull)).open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise AssertionError(f"the simulated AWS did not start: {log.read_text() if log else ''}")
        yield Simulation(**json.loads(said), process=process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def until(condition: Any, what: str = "", *, seconds: float = 20) -> Any:
    """What `condition` gives once that is true; it fails after a while, saying `what`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it never came to be so: {what}"
        time.sleep(0.02)
    return found
