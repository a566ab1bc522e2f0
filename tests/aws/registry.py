"""ECR's repositories in front of a real registry: what was pushed there is what ECR's calls show, and delete.

Images are pushed to, and pulled from, `<registry>/<repository>`, by whoever runs a task (see `local`).
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from moto.core.responses import ActionResult
from moto.ecr.models import ecr_backends
from moto.ecr.responses import ECRResponse

from tests.aws.calls import Call

_HOST = re.compile(r"(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com(?=/|$)")
_READS = ("DescribeImages", "BatchGetImage", "ListImages")
_KINDS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)


class Registry:
    """`address`: host:port of a registry without passwords, for one account; "" where there is none."""

    def __init__(self, address: str, account: str = "123456789012") -> None:
        self.address = address
        self._account = account

    def local(self, text: str) -> str:
        """`text` (an image, an argument) with the real registry in place of ECR's host."""
        return _HOST.sub(self.address, text) if self.address else text

    def mend(self) -> None:
        """moto does not tell where a layer is."""

        def told(own: Any) -> ActionResult:
            name, digest = own._get_param("repositoryName"), own._get_param("layerDigest")
            return ActionResult({"downloadUrl": f"http://{self.address}/v2/{name}/blobs/{digest}", "layerDigest": digest})

        ECRResponse.get_download_url_for_layer = told

    def before(self, call: Call, body: bytes) -> None:
        """Bring moto up to date before a call that looks; carry a deletion out."""
        if not self.address or call.service != "ecr" or call.operation not in (*_READS, "BatchDeleteImage", "DeleteRepository"):
            return
        given = json.loads(body)
        name = given.get("repositoryName", "")
        self.sync(call.region, name)
        if call.operation == "BatchDeleteImage":
            for each in given["imageIds"]:
                self._delete(name, each.get("imageTag") or each.get("imageDigest"))
        elif call.operation == "DeleteRepository" and given.get("force"):
            for each in self._tags(name):
                self._delete(name, each)

    def sync(self, region: str, name: str) -> None:
        backend = ecr_backends[self._account][region]
        repository = backend.repositories.get(name)
        if repository is None or not self.address:
            return
        known = {(tag, each.get_image_digest()) for each in repository.images for tag in each.image_tags}
        for tag in self._tags(name):
            with suppress(HTTPError):  # it may go meanwhile
                text, kind, digest = self._manifest(name, tag)
                if (tag, digest) not in known:
                    backend.put_image(name, text, tag, kind, digest)

    def _tags(self, name: str) -> list[str]:
        try:
            with urlopen(f"http://{self.address}/v2/{name}/tags/list", timeout=10) as answer:
                return json.load(answer).get("tags") or []
        except HTTPError as refused:
            refused.close()
            return []

    def _manifest(self, name: str, reference: str) -> tuple[str, str, str]:
        """Its text, media type and digest."""
        with self._ask("GET", f"/v2/{name}/manifests/{reference}") as answer:
            return answer.read().decode(), answer.headers["Content-Type"], answer.headers["Docker-Content-Digest"]

    def _delete(self, name: str, reference: str) -> None:
        with suppress(HTTPError):
            *_, digest = self._manifest(name, reference)
            self._ask("DELETE", f"/v2/{name}/manifests/{digest}").close()

    def _ask(self, method: str, path: str) -> Any:
        return urlopen(
            Request(f"http://{self.address}{path}", method=method, headers={"Accept": ", ".join(_KINDS)}), timeout=10
        )
