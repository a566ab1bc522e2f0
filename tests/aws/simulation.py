"""`python -m tests.aws.simulation [--port N] [--pace SECONDS]`: a simulated AWS.

It prints where it is, as JSON, and ends with SIGTERM, or when the process that started it is gone, with all that it runs.
It is moto behind a thin layer (`layer.py`), with an ECS that moves by itself (`ecs/`).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
from typing import Any

from tests.aws import haste

LOOK = 0.1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.aws.simulation", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pace", type=float, default=0.05, metavar="SECONDS")
    parser.add_argument(
        "--docker", default="", metavar="HOST", help="an engine to run tasks on; without it they are not really run"
    )
    parser.add_argument("--registry", default="", metavar="HOST:PORT", help="a registry behind ECR")
    parser.add_argument("--kaniko", default="", metavar="IMAGE", help="Kaniko's executor, on that engine")
    options = parser.parse_args(arguments)
    haste.prepare()
    from tests.aws.assembly import assemble
    from tests.aws.server import Server

    parts = assemble(options.pace, options.registry)
    server = Server(parts.layer, options.port)
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    parts.begin(url, options.docker, options.kaniko)
    print(json.dumps({"url": url, "proxy": f"http://{parts.balancer.proxy}"}), flush=True)
    _wait(asked)
    parts.end()
    server.shutdown()
    return 0


def _wait(asked: Any) -> None:
    parent = os.getppid()
    while not asked.wait(LOOK) and os.getppid() == parent:
        pass


if __name__ == "__main__":
    raise SystemExit(main())
