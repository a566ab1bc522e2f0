"""`python -m defang_nb.cd --stack NAME [--idle SECONDS] [--transport unix|tls]`: the cd of a local stack, until it is idle.

One at a time serves a stack: a second one leaves quietly. SIGTERM and SIGINT end it in good order.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from defang_nb.providers.base import CdAddress
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.rendezvous import Rendezvous

if TYPE_CHECKING:
    import grpc.aio

LOOK = 0.25
"""Seconds between two looks at whether it is idle."""

_log = logging.getLogger("defang_nb.cd")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m defang_nb.cd", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--transport", choices=["unix", "tls"], default="unix")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.Formatter.converter = time.gmtime
    rendezvous = Rendezvous(StackPaths.of(options.stack))
    rendezvous.prepare()
    if not _take_over(rendezvous):
        return 0
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    try:
        asyncio.run(_serve(rendezvous, options.stack, options.idle, options.transport))
    finally:
        rendezvous.withdraw()
    return 0


def _take_over(rendezvous: Rendezvous, patience: float = 30.0) -> bool:
    """Take the stack's lock; False as soon as another cd serves. One that is ending keeps the lock a moment longer."""
    deadline = time.monotonic() + patience
    while not rendezvous.hold():
        if rendezvous.find() is not None:
            return False
        if time.monotonic() > deadline:
            sys.exit("another cd holds the stack's lock and does not serve")
        time.sleep(0.02)
    return True


async def _serve(rendezvous: Rendezvous, stack: str, idle: float, transport: str) -> None:
    from defang_nb.cd.server import Service, make_server

    service = Service(stack)
    server = await make_server(service)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    if transport == "unix":
        address = CdAddress(target=f"unix:{rendezvous.socket}")
        server.add_insecure_port(address.target)
    else:
        address = _listen_with_keys(server)
    await server.start()
    if transport == "unix":
        rendezvous.socket.chmod(0o600)
    rendezvous.publish(address)
    _log.info("serving stack %s, process %d, over %s", stack, os.getpid(), transport)
    while service.idle < idle and not asked.is_set():
        try:
            async with asyncio.timeout(LOOK):
                await asked.wait()
        except TimeoutError:
            continue
    rendezvous.withdraw()
    await service.end("cd was asked to end")
    await server.stop(grace=1.0)
    _log.info("ended, %s", "as asked" if asked.is_set() else "idle")


def _listen_with_keys(server: grpc.aio.Server) -> CdAddress:
    """Mutual TLS on a free port of the loopback interface, with keys made for this launch."""
    import grpc

    from defang_nb.cd.keys import make_keys

    own, client = make_keys()
    credentials = grpc.ssl_server_credentials(
        [(own.key, own.certificate)], root_certificates=own.ca, require_client_auth=True
    )  # fmt: skip
    port = server.add_secure_port("127.0.0.1:0", credentials)
    return CdAddress(target=f"127.0.0.1:{port}", keys=client)


if __name__ == "__main__":
    raise SystemExit(main())
