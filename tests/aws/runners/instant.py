"""Tasks that are not really run: they start at once, and do what the test says (see `Behaviour`).

A task of a service goes on for ever; another one succeeds. One of Kaniko's leaves an image in the registry.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from dataclasses import dataclass

from moto.ecr.exceptions import ImageAlreadyExistsException
from moto.ecr.models import ecr_backends

from tests.aws.runners import kaniko
from tests.aws.runners.base import Behaviour, Run, StartError

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DESTINATION = re.compile(r"--destination=?(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com/([^:@\s]+):([^\s]+)")


@dataclass
class Instant(Run):
    behaviour: Behaviour | None = None
    begun: float = 0.0
    stopping: float = 0.0

    def start(self) -> None:
        behaviour = self.behaviour
        if behaviour and behaviour.start_failure:
            raise StartError(behaviour.start_failure)
        self.started, self.begun = True, time.monotonic()
        for container in self.task.containers:
            self.health[container.name] = behaviour.health if behaviour else "HEALTHY"
        if behaviour:
            self.tell(self.task.containers[0], *behaviour.lines)

    def look(self, moment: float) -> None:
        if self.stopping and not self.ended:
            patience = self.behaviour.patience if self.behaviour else 0.0
            if moment - self.stopping >= patience:
                self._end(143)
        elif self.started and not self.ended:
            code = self._exit_code()
            if code is not None and moment - self.begun >= (self.behaviour.after if self.behaviour else 0.0):
                self._end(self._push() if code == 0 else code)

    def _exit_code(self) -> int | None:
        if self.behaviour:
            return self.behaviour.exit_code
        return None if self.task.service else 0

    def _end(self, code: int) -> None:
        self.exits = {each.name: code for each in self.task.containers}
        self.ended = True

    def stop(self) -> None:
        self.stopping = self.stopping or time.monotonic()
        self.ended = self.ended or not self.started

    def probe(self, port: int) -> bool | None:
        return self.behaviour is None or self.behaviour.health == "HEALTHY"

    def _push(self) -> int:
        """What a build leaves; its exit code."""
        for container in self.task.containers:
            if why := kaniko.refused(container):
                self.tell(container, why)
                return 1
            command = " ".join(container.definition.get("command") or ())
            for account, region, name, tag in _DESTINATION.findall(command.replace("--destination ", "--destination=")):
                push(account, region, name, tag)
        return 0


def push(account: str, region: str, name: str, tag: str) -> None:
    """Put an image, of which there is no more than a manifest, into moto's registry."""
    digest = f"sha256:{hashlib.sha256(f'{name}:{tag}'.encode()).hexdigest()}"
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": digest, "size": 2}, "layers": []}
    with contextlib.suppress(ImageAlreadyExistsException):  # as to a registry, of which moto has the other interface only
        ecr_backends[account][region].put_image(name, json.dumps(manifest), tag, MANIFEST, digest)
