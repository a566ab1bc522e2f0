"""A model that Compose names, on the simulated AWS: the real gateway, in a container, asked by the service that uses it."""

from __future__ import annotations

import json

import pytest

from defang_nb.providers.aws.compile.models import IMAGE
from tests.aws.test_apps import Desk, desk, nothing_is_left
from tests.e2e.dockerd import Dockerd

__all__ = ["desk"]
pytestmark = pytest.mark.e2e

APP = """
import http.server, os, urllib.request
class Asks(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
        asked = urllib.request.Request(os.environ["SMALL_URL"] + "models", headers=headers)
        body = urllib.request.urlopen(asked).read() if self.path != "/health" else b"{}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8000), Asks).serve_forever()
"""


def test_a_service_asks_its_model_through_a_gateway(desk: Desk, dockerd: Dockerd) -> None:
    _, _, version = IMAGE.rpartition(":v")
    recipe = f'FROM python:3.12-slim\nRUN pip install "litellm[proxy]=={version}" boto3\nENTRYPOINT ["litellm"]\n'
    dockerd.docker("build", "--network", "host", "-t", IMAGE, "-", data=recipe.encode())
    project = {
        "name": "chat",
        "services": {
            "app": {
                "image": "python:3.12-slim",
                "command": ["python", "-c", APP],
                "ports": ["8000"],
                "healthcheck": {
                    "test": "python -c \"__import__('urllib.request').request.urlopen('http://localhost:8000/health')\""
                },
                "models": ["small"],
            }
        },
        "models": {"small": {"model": "chat-default"}},
    }
    (desk.folder / "compose.yaml").write_text(json.dumps(project))
    said = desk.run("up")
    assert "amazon.nova-lite-v1:0 of Bedrock" in said, said
    services = desk.services("chat")
    assert set(services) == {"app", "small"}
    status, body = desk.simulation.get(services["app"]["endpoints"][0]["url"])
    assert status == 200, body
    assert [each["id"] for each in json.loads(body)["data"]] == ["bedrock/eu.amazon.nova-lite-v1:0"]
    desk.run("down", "-p", "chat", "--yes")
    assert desk.simulation.problems() == []
    assert nothing_is_left(desk.simulation) == []
