"""`python -m defang_nb.cd --stack NAME [--idle SECONDS] [--transport unix|tls|aws]`: the cd of a stack, until it is idle.

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

from defang_nb.providers.base import CdAddress, TlsKeys
from defang_nb.providers.local.paths import StackPaths
from defang_nb.providers.local.rendezvous import Rendezvous

if TYPE_CHECKING:
    import grpc.aio

    from defang_nb.cd.server import Service

LOOK = 0.25
"""Seconds between two looks at whether it is idle."""

_log = logging.getLogger("defang_nb.cd")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m defang_nb.cd", description=__doc__)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--transport", choices=["unix", "tls", "aws"], default="unix")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.Formatter.converter = time.gmtime
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    if options.transport == "aws":
        asyncio.run(_serve_in_account(options.stack, options.idle))
        return 0
    rendezvous = Rendezvous(StackPaths.of(options.stack))
    rendezvous.prepare()
    if not _take_over(rendezvous):
        return 0
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
    if transport == "unix":
        address = CdAddress(target=f"unix:{rendezvous.socket}")
        server.add_insecure_port(address.target)
    else:
        from defang_nb.providers.keys import make_keys

        own, client = make_keys()
        port = _listen_with_keys(server, own, "127.0.0.1:0")
        address = CdAddress(target=f"127.0.0.1:{port}", keys=client)
    asked = _asked()
    await server.start()
    if transport == "unix":
        rendezvous.socket.chmod(0o600)
    rendezvous.publish(address)
    _log.info("serving stack %s, process %d, over %s", stack, os.getpid(), transport)
    await _until_idle(service, idle, asked)
    rendezvous.withdraw()
    await _end(service, server, asked)


async def _serve_in_account(stack: str, idle: float) -> None:
    """As a task in the user's account: mutual TLS with the keys of its launch, on a port that is opened for its clients."""
    from defang_nb.cd.mailbox import read_mail
    from defang_nb.cd.server import Service, make_server
    from defang_nb.providers.aws.launch.serving import PORT, Serving

    serving = Serving(stack)
    keys = await serving.begin()
    if keys is None:
        _log.info("this launch is not the latest one of %s: another cd serves it", stack)
        return
    service = Service(stack)
    server = await make_server(service)
    try:
        _listen_with_keys(server, keys, f"0.0.0.0:{PORT}")
        asked = _asked()
        await server.start()
        _log.info("serving stack %s in the account, port %d", stack, PORT)
        mail = asyncio.create_task(read_mail(service, serving.mail, serving.launch))
        await _until_idle(service, idle, asked)
        mail.cancel()
        await _end(service, server, asked)
    finally:
        await serving.end()


def _asked() -> asyncio.Event:
    """Set when this process is asked to end."""
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    return asked


async def _until_idle(service: Service, idle: float, asked: asyncio.Event) -> None:
    while service.idle < idle and not asked.is_set():
        try:
            async with asyncio.timeout(LOOK):
                await asked.wait()
        except TimeoutError:
            continue


async def _end(service: Service, server: grpc.aio.Server, asked: asyncio.Event) -> None:
    await service.end("cd was asked to end")
    await server.stop(grace=1.0)
    _log.info("ended, %s", "as asked" if asked.is_set() else "idle")


def _listen_with_keys(server: grpc.aio.Server, own: TlsKeys, address: str) -> int:
    """Mutual TLS with keys made for this launch; the port."""
    import grpc

    credentials = grpc.ssl_server_credentials(
        [(own.key, own.certificate)], root_certificates=own.ca, require_client_auth=True
    )  # fmt: skip
    return server.add_secure_port(address, credentials)


if __name__ == "__main__":
    raise SystemExit(main())
