"""A throw-away PostgreSQL server on a unix socket. It is fast because durability is switched off.

A small shell script, the keeper, is the parent of the server and reads from a pipe of the test process. When
the pipe is closed, at the end of the tests or by a crash, it ends the server and removes its files.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.rehearsal.ports import RehearsalError, home_folder, listens, wait_until

_ACCOUNT = "postgres"  # the server refuses to run as root

# SIGQUIT is the signal of `pg_ctl stop -m immediate`. The script's stdin is the pipe, the server's is not.
# Each line that it reads is a command: stop, start or restart.
_KEEPER = """
start() {
    "$1" -D "$2/data" -k "$2" -p 5432 -c listen_addresses= -c fsync=off -c synchronous_commit="$3" \
        -c full_page_writes=off -c max_connections=200 -c timezone=Pacific/Chatham </dev/null &
    server=$!
}
stop() {
    kill -QUIT "$server"
    wait "$server"
}
start "$@"
while read -r order; do
    case "$order" in stop | restart) stop ;; esac
    case "$order" in start | restart) start "$@" ;; esac
done
stop
rm -rf "$2"
"""


class Postgres:
    """A running server. `url` is that of its first database for SQLAlchemy, as superuser without password."""

    def __init__(self, home: Path, log: Path, keeper: subprocess.Popen[bytes]) -> None:
        self.url = f"postgresql://{_ACCOUNT}@:5432/postgres?host={home}"
        self.socket_file = home / ".s.PGSQL.5432"
        self._log = log
        self._keeper = keeper

    @property
    def pid(self) -> int:
        """The process id of the keeper, whose child is the server."""
        return self._keeper.pid

    def restart(self) -> None:
        """End the server as `pg_ctl stop -m immediate` does, start it again and wait until logins succeed."""
        with connect(self.url) as connection:
            started = connection.execute("SELECT pg_postmaster_start_time()").fetchone()
        self._order("restart")

        def restarted() -> bool:
            with contextlib.suppress(psycopg.OperationalError), connect(self.url) as connection:
                return connection.execute("SELECT pg_postmaster_start_time()").fetchone() != started
            return False

        if not wait_until(restarted, every_s=0.05):
            raise RehearsalError(f"PostgreSQL did not restart:\n{_end_of(self._log)}")

    def stop(self) -> None:
        """End the server as `restart` does, until `start`."""
        self._order("stop")
        if not wait_until(lambda: not listens(self.socket_file), every_s=0.05):
            raise RehearsalError("PostgreSQL did not stop")

    def start(self) -> None:
        self._order("start")
        _wait_until_ready(self.url, self._log)

    def _order(self, order: str) -> None:
        assert self._keeper.stdin
        self._keeper.stdin.write(f"{order}\n".encode())
        self._keeper.stdin.flush()


@contextmanager
def postgres(root: Path) -> Iterator[str]:
    """Run a server as `postgres_server` does and yield its URL. A crash may lose the last transactions."""
    with postgres_server(root, safe=False) as server:
        yield server.url


@contextmanager
def postgres_server(root: Path, *, safe: bool = True) -> Iterator[Postgres]:
    """Start a server. If `safe`, a transaction that was committed survives `restart`.

    The server logs to `root/postgres.log`. Its files are in a folder of the system's temporary folder (the
    path of a unix socket is limited to 107 bytes) and are removed at the end, even if this process is killed.
    The session time zone is an unusual one, to detect naive datetimes.
    Raises RehearsalError if PostgreSQL is missing or does not start.
    """
    bin_folder = programs()
    runs_as = _runs_as()
    log = root / "postgres.log"
    home = home_folder("mailhaul-postgres-")
    if runs_as:
        shutil.chown(home, _ACCOUNT)
    try:
        with log.open("ab") as out:
            _create_cluster(bin_folder, home, out, runs_as)
            keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "keeper", bin_folder / "postgres", home, "on" if safe else "off"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C is for the tests only; closing the pipe ends the keeper
                cwd="/",
                **runs_as,
            )
        with keeper:
            server = Postgres(home, log, keeper)
            if not wait_until(lambda: listens(server.socket_file), every_s=0.05):
                raise RehearsalError(f"PostgreSQL did not start:\n{_end_of(log)}")
            _wait_until_ready(server.url, log)
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


def fresh_database(url: str) -> str:
    """Create an empty database with a unique name on the server of `url`, and return its URL."""
    name = f"rehearsal_{uuid.uuid4().hex}"
    with connect(url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def programs() -> Path:
    """The folder with the newest `postgres` and `initdb`. Debian does not put them on PATH."""
    on_path = shutil.which("postgres")
    candidates = [Path(on_path)] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    if not candidates:
        raise RehearsalError("PostgreSQL is missing; install it (Debian: apt-get install postgresql)")
    return candidates[-1].resolve().parent


def _runs_as() -> dict[str, Any]:
    """Arguments for subprocess that switch to another account if this process runs as root."""
    if os.geteuid() != 0:
        return {}
    try:
        pwd.getpwnam(_ACCOUNT)
    except KeyError:
        raise RehearsalError(
            f"PostgreSQL does not run as root, and there is no account “{_ACCOUNT}” to run it; "
            "create it (useradd --system postgres) or run the tests as another user"
        ) from None
    return {"user": _ACCOUNT, "group": _ACCOUNT, "extra_groups": ()}


def _create_cluster(bin_folder: Path, home: Path, out: Any, runs_as: dict[str, Any]) -> None:
    result = subprocess.run(
        [
            bin_folder / "initdb",
            f"--pgdata={home / 'data'}",
            f"--username={_ACCOUNT}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        cwd="/",
        **runs_as,
    )
    if result.returncode != 0:
        raise RehearsalError(f"initdb failed:\n{_end_of(Path(out.name))}")


def _wait_until_ready(url: str, log: Path) -> None:
    """Wait until logins succeed. The server listens a moment earlier."""

    def accepts_logins() -> bool:
        try:
            connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    if not wait_until(accepts_logins, every_s=0.05):
        raise RehearsalError(f"PostgreSQL lets nobody in:\n{_end_of(log)}")


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection of psycopg to a URL for SQLAlchemy. Each statement is a transaction."""
    parts = make_url(url)
    return psycopg.connect(
        dbname=parts.database,
        user=parts.username,
        password=parts.password,
        host=parts.host or str(parts.query.get("host", "")),
        port=parts.port,
        autocommit=True,
    )


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
