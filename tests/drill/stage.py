"""The environment of a drill: two Dovecots behind lines, PostgreSQL, Valkey, a mail server, four workers.

All are started here, listen on loopback only, and end with the drill.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from importer.adapters.store.schema import migrate
from tests.drill.ledger_reader import LedgerReader
from tests.drill.letters import letter
from tests.drill.line import Line
from tests.drill.plan import Plan, Route
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fault_proxy import Shape
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.installation import Installation
from tests.rehearsal.postgres import Postgres, fresh_database, postgres_server
from tests.rehearsal.processes import kill_group
from tests.rehearsal.smtp import SmtpCatcher, smtp_catcher
from tests.rehearsal.valkey import Valkey, valkey

WORKERS: Final = 4
QUOTA_BYTES: Final = 40_000_000
LEASE_S: Final = 6
SETTINGS: Final = {
    "TICK_SECONDS": "1",
    "LEASE_SECONDS": str(LEASE_S),
    "LEG_SECONDS": "6",
    "SETTLE_QUIET_SECONDS": "3",
    "BATCH_MESSAGES": "20",
    "IMAP_TIMEOUT_SECONDS": "5",
    "WORKER_THREADS": "2",
    "LANES": "2",
    "SUBMITTER": "operator@mail.example",
    "MAIL_FROM": "mailhaul@mail.example",
}


@dataclass(slots=True)
class Stage:
    """The running parts. `sources` and `destinations` are reached directly, `rows` through the lines."""

    plan: Plan
    installation: Installation
    old_host: Dovecot
    new_host: Dovecot
    old_line: Line
    new_line: Line
    database: Postgres
    database_line: Line
    queue: Valkey
    mail: SmtpCatcher
    ledger: LedgerReader
    sources: list[User]
    destinations: list[User]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    frozen: set[int] = field(default_factory=set)  # workers

    def start_worker(self, index: int) -> None:
        """Start a worker, in place of one that was killed. The first one reaches the database over a line."""
        installation = self.installation
        if index == 0:
            parts = make_url(installation.settings["DATABASE_URL"])
            far = parts.set(host="127.0.0.1", port=self.database_line.endpoint.port, query={})
            url = far.render_as_string(hide_password=False)
            installation = replace(installation, settings=installation.settings | {"DATABASE_URL": url})
        worker = installation.start_worker()
        if index < len(self.workers):
            self.workers[index] = worker
        else:
            self.workers.append(worker)

    def freeze_worker(self, index: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.workers[index].pid, signal.SIGSTOP)

    def thaw_worker(self, index: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.workers[index].pid, signal.SIGCONT)

    def kill_worker(self, index: int) -> None:
        kill_group(self.workers[index])

    def has_rebuilt(self, destination: int) -> bool:
        """Whether the new host rebuilt the indexes of that mailbox."""
        user = f"imap({self.destinations[destination].account.login})"
        return any(user in line and "rebuilding indexes" in line for line in self.new_host.log().splitlines())

    def file(self, name: str, routes: Sequence[Route]) -> Path:
        """A CSV file with those rows."""
        return self.installation.csv(
            name,
            [
                (
                    _behind(self.sources[route.source], self.old_line),
                    _behind(self.destinations[route.destination], self.new_line),
                )
                for route in routes
            ],
        )


def _behind(user: User, line: Line) -> User:
    return replace(user, account=replace(user.account, endpoint=line.endpoint))


@contextmanager
def stage(root: Path, plan: Plan, *, store: str, without: tuple[str, ...]) -> Iterator[Stage]:
    """Run a stage, with the mail of the plan in its mailboxes. `without` are hidden capabilities."""
    ca = CertificateAuthority(root / "ca")
    old_options = DovecotOptions(separator=".", prefix="INBOX.", special_use=False)
    new_options = DovecotOptions(mail_driver=store, quota_bytes=QUOTA_BYTES, special_use=False)
    with ExitStack() as stack:
        old_host = stack.enter_context(dovecot(root / "old-host", old_options, ca=ca))
        new_host = stack.enter_context(dovecot(root / "new-host", new_options, ca=ca))
        database = stack.enter_context(postgres_server(root))
        queue = stack.enter_context(valkey(root))
        mail = stack.enter_context(smtp_catcher())
        url = fresh_database(database.url)
        migrate(url)
        lines = (
            Line(old_host.starttls.port, ca, Shape()),
            Line(new_host.starttls.port, ca, Shape(hidden=without)),
            Line(database.socket_file),
        )
        for line in lines:
            stack.callback(line.stop)
        settings = SETTINGS | {
            "CA_FILE": str(ca.ca_file),
            "REDIS_URL": queue.url,
            "DATABASE_URL": url,
            "SMTP_URL": mail.url,
            "MAIL_PER_MAILBOX": "true",
        }
        installation = Installation(root, dict(settings))
        sources = [new_user(old_host, f"s{route.source}@old.example") for route in plan.routes]
        destinations = [new_user(new_host, f"d{number}@new.example") for number in plan.prior]
        ledger = LedgerReader(
            url, [u.account.login for u in sources], [u.account.login for u in destinations]
        )
        for users, contents in ((sources, plan.mail), (destinations, plan.prior)):
            for number, folders in contents.items():
                users[number].fill(
                    letter(one, path, seed=plan.seed) for path, some in folders.items() for one in some
                )
        made = Stage(
            plan,
            installation,
            old_host,
            new_host,
            *lines[:2],
            database,
            lines[2],
            queue,
            mail,
            ledger,
            sources,
            destinations,
        )
        try:
            for index in range(WORKERS):
                made.start_worker(index)
            yield made
        finally:
            for index, worker in enumerate(made.workers):
                made.thaw_worker(index)
                kill_group(worker)
