"""A Kaniko build as values: the executor's arguments, and what its log says. Wherever the executor runs, this is the same.

Source: github.com/osscontainertools/kaniko, README ("Additional Flags"), and the executor's log in its JSON form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import msgspec

from defang_nb.build import where
from defang_nb.build.dockerfile import KEYWORDS, Dockerfile
from defang_nb.build.log import BASE_HINT, Log, Tell, failure
from defang_nb.errors import BuildError
from defang_nb.model.image import ImageSource

IMAGE = "ghcr.io/osscontainertools/kaniko:v1.28.3"
"""The executor's image where a stack names no other."""

DIGEST_FILE = "/kaniko/digest"
CREDENTIALS = "/kaniko/.docker/config.json"
"""Where the executor reads the registries' credentials from, in Docker's form."""

_CACHED = "Using caching version of cmd: "
_BASE = re.compile(r"Retrieving image manifest (\S+)$")
_ENDED = "error building image: "
_ORIGIN = "error resolving "
_UNAUTHORIZED = re.compile(
    r"UNAUTHORIZED|DENIED|401 Unauthorized|403 Forbidden|no basic auth|authentication required", re.IGNORECASE
)
_PUSHING = re.compile(r"checking push permissions|failed to push|error pushing|push permission", re.IGNORECASE)
_QUIET = re.compile(
    r"^(?:Retriev|Returning cached|Resolved base|Built cross|Executing \d|Cmd: |Args: |Running: |Initializing|Taking snapshot"
    r"|No files |Checking for cached|No cached layer|Storing source|Deleting file|Base image from|Changed working|Creating dir"
    r"|Pushing |Pushed |Found cached|Skipping|Unpacking|Using files)"
)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the executor. `context` is an address that it can read (`tar://…`, `s3://…`, `gs://…`, `https://…`).

    `args` are build arguments that may be seen; those named in `secret_args` it takes from its environment. `insecure` are
    registries (`host:port`) that are spoken to without TLS.
    """

    context: str
    destination: str
    cache_repo: str = ""
    dockerfile: str = "Dockerfile"
    target: str = ""
    platform: str = ""
    args: Mapping[str, str] = {}
    secret_args: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()


def arguments(job: Job) -> list[str]:
    """The executor's command line. No secret is in it."""
    given = [
        f"--context={job.context}",
        f"--dockerfile={job.dockerfile}",
        f"--destination={job.destination}",
        f"--digest-file={DIGEST_FILE}",
        "--log-format=json",
        "--push-retry=3",
        "--compressed-caching=false",  # layers of some GB would need as much memory otherwise
    ]
    if job.cache_repo:
        given += ["--cache=true", "--cache-copy-layers", f"--cache-repo={job.cache_repo}"]
    given += [f"--target={job.target}"] if job.target else []
    given += [f"--custom-platform={job.platform}"] if job.platform else []
    given += [f"--build-arg={key}={value}" for key, value in job.args.items()]
    given += [f"--build-arg={key}" for key in job.secret_args]
    given += [f"--label={key}={value}" for key, value in job.labels.items()]
    given += [f"--registry-mirror={each}" for each in job.mirrors]
    given += [f"--insecure-registry={each}" for each in job.insecure]
    return given


class Story:
    """Follows the executor's log, line by line, and says it as a build's log."""

    def __init__(self, file: Dockerfile, emit: Tell) -> None:
        self.error = ""
        self.log = Log()
        self.step = ""
        self._file = file
        self._emit = emit
        self._cached: set[str] = set()
        self._number = 0
        self._steps = sum(1 + len(stage.instructions) for stage in file.stages)
        self._base = ""

    def hear(self, line: str) -> None:
        said = _message(line)
        if said is None:
            if line.startswith((_ENDED, _ORIGIN)) or (_PUSHING.search(line) and _UNAUTHORIZED.search(line)):
                self.error = line.removeprefix(_ENDED)
            self._write(line)
            return
        level, text = said
        if match := _BASE.match(text):
            self._base = match[1]
        elif text.startswith(_CACHED):
            self._cached.add(text.removeprefix(_CACHED))
        elif text.startswith("Building stage "):
            self._begin(f"FROM {text.partition(chr(39))[2].partition(chr(39))[0]}", cached=False)
        elif text.split(" ", 1)[0] in KEYWORDS:
            self._begin(text, cached=text in self._cached)
        elif level in ("warning", "error", "fatal"):
            self._write(f"{level}: {text}")
        elif not _QUIET.match(text):
            self._emit(text)

    def _begin(self, title: str, *, cached: bool) -> None:
        self._number += 1
        steps = max(self._steps, self._number)
        self.step = title
        self.log = Log()
        line = f"[{self._number}/{steps}] {title}"
        self._emit(f"{line} (cached)" if cached else line, step=self._number, steps=steps, cached=cached)

    def _write(self, line: str) -> None:
        self.log.add(line)
        self._emit(line)

    def failure(self, source: ImageSource, registry: str) -> BuildError:
        """Why the executor ended with an error, with the Dockerfile's line where it is about one."""
        said = re.sub(r"^error building stage: (?:failed to execute command: )?", "", self.error) or "the executor failed"
        said = re.sub(r"^waiting for process to exit: exit status (\d+)$", r"exit code: \1", said)
        if _PUSHING.search(said) and _UNAUTHORIZED.search(said):
            message = f"the registry {registry} refuses the credentials, or has none to check"
            return failure(source, f"{message}: {_last(said)}", Log(), hint=f"log in to it: docker login {registry}")
        if parsed := where.parse_error(said):
            line, message = parsed
            return failure(source, message, Log(), self._file.diagnostic(line, "dockerfile-syntax", message))
        if not self.step:
            message = f"the base image {self._base} can't be had: {_last(said)}"
            return failure(source, message, Log(), where.of_base(self._file, self._base, "image-missing", message), BASE_HINT)
        message = f"{self.step}: {said}"
        about = self._missing_source(said) or self.step
        return failure(source, message, self.log, where.of_text(self._file, about, "build-failed", message))

    def _missing_source(self, said: str) -> str:
        """The COPY of a file that is not there: the executor looks before it says that it begins."""
        match = re.search(r"/kaniko/buildcontext/(\S+): no such file", said)
        if not match:
            return ""
        for stage in self._file.stages:
            for each in stage.instructions:
                if each.keyword in ("COPY", "ADD") and match[1] in each.text:
                    return f"{each.keyword} {each.text}"
        return ""


def _message(line: str) -> tuple[str, str] | None:
    """Level and text of one of the executor's own lines; None for what an instruction wrote."""
    if not line.startswith("{"):
        return None
    try:
        match json.loads(line):
            case {"level": str(level), "msg": str(text), "time": str()}:
                return level, text.strip()
    except ValueError:
        pass
    return None


def _last(said: str) -> str:
    """The end of a chain of errors, which says what happened."""
    return said if len(said) <= 300 else f"…{said[-300:]}"
