"""Where the benchmarks happen: two Dovecots, a filled source, fresh destinations, a long line between.

The source has no special-use folders and neither has the destination, so that every copier is to keep
every folder's name. Connections are unencrypted: TLS costs every copier the same and hides the rest.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from benchmarks.copiers import Check, Login
from importer.domain.model import Account
from providers.endpoint import Endpoint, Security
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import Stored, connect, fill
from tests.rehearsal.ports import HOST, RehearsalError, free_ports, listens, wait_until
from tests.rehearsal.processes import kill_group, start_group
from tests.rehearsal.snapshot import Mailbox, read_mailbox

ROOT = Path(__file__).parents[1]


@dataclass(slots=True)
class Stage:
    """`near` logins reach a server directly, `far` ones over the long line (the same where there is none)."""

    home: Path
    source: Dovecot
    destination: Dovecot
    far_source_port: int
    far_destination_port: int

    def fill_source(self, name: str, messages: Iterable[Stored]) -> Login:
        """A new user of the source with these messages, as the near login."""
        login = self._new_user(self.source, name)
        fill(_endpoint(login.port), login.user, login.password, messages)
        return login

    def new_destination(self, name: str) -> Login:
        """A new and empty mailbox, as the near login. It stays until the stage goes: a copy into blocks that
        another one has just left pays for their reuse, and the shorter the copy the more that counts."""
        return self._new_user(self.destination, name)

    def far(self, login: Login) -> Login:
        """The same mailbox at the other end of the line."""
        source = login.port == self.source.starttls.port
        return replace(login, port=self.far_source_port if source else self.far_destination_port)

    def forget_index(self, login: Login) -> None:
        """Drops what the source's server has cached of a mailbox, and has it listed once: the state of a
        mailbox that is read as a whole for the first time."""
        for kept in self.source.mailbox_path(login.user).rglob("dovecot*.index*"):
            with contextlib.suppress(FileNotFoundError):
                kept.unlink()
        client = connect(_endpoint(login.port), login.user, login.password, None)
        for line in client.list()[1]:
            if isinstance(line, bytes) and (found := re.search(rb'"."\s+(.*)$', line)):
                client.select(found[1].decode("ascii"), readonly=True)
        client.logout()

    def read(self, login: Login) -> Mailbox:
        """The mailbox as the independent checker sees it; read by a process that ends, for its memory."""
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as reader:
            account = Account(login.user, login.user, _endpoint(login.port))
            return reader.submit(read_mailbox, account, login.password).result()

    @staticmethod
    def _new_user(server: Dovecot, name: str) -> Login:
        password = secrets.token_urlsafe(12)
        server.add_user(name, password)
        return Login(server.starttls.port, name, password)


@contextmanager
def stage(home: Path, *, store: str, delay_ms: int, bandwidth_mbit: float = 0) -> Iterator[Stage]:
    """Both servers running; all of it gone at exit. `store` is the destination's: "maildir" or "mdbox".
    Both lines are as long and as wide; 0 is no length, and no limit. The servers offer COMPRESS."""
    plain = DovecotOptions(special_use=False, compress=True)
    with (
        _server(home / "source", plain) as source,
        _server(home / "destination", replace(plain, mail_driver=store, fsync=True)) as destination,
        _line(home, source.starttls.port, delay_ms, bandwidth_mbit) as far_source,
        _line(home, destination.starttls.port, delay_ms, bandwidth_mbit) as far_destination,
    ):
        yield Stage(home, source, destination, far_source, far_destination)


@contextmanager
def _server(root: Path, options: DovecotOptions) -> Iterator[Dovecot]:
    """A server that offers no STARTTLS: some copiers take it wherever it is, others do not."""
    with dovecot(root, options) as server:
        with (server.home / "dovecot.conf").open("a", encoding="utf-8") as config:
            config.write("ssl = no\n")
        server.restart()
        yield server


@contextmanager
def _line(home: Path, server_port: int, delay_ms: int, bandwidth_mbit: float) -> Iterator[int]:
    """The port on which the server is `delay_ms` of round trip away, over so wide a line."""
    if not delay_ms and not bandwidth_mbit:
        yield server_port
        return
    port = free_ports()[0]
    words = ["--listen", str(port), "--to", str(server_port), "--round-trip-ms", str(delay_ms)]
    words += ["--bandwidth-mbit", str(bandwidth_mbit)] if bandwidth_mbit else []
    command = [sys.executable, "-m", "benchmarks.delay_proxy", *words]
    process = start_group(command, home / "delay_proxy.log", folder=ROOT)
    try:
        if not wait_until(lambda: listens(port), timeout_s=10):
            raise RehearsalError(f"The delay proxy did not start; {home / 'delay_proxy.log'} says why.")
        yield port
    finally:
        kill_group(process)


def differences(source: Mailbox, destination: Mailbox, check: Check) -> list[str]:
    """What is wrong with a copy by the measure of `check`, one sentence each."""
    if check is Check.COUNTS:
        return [
            f"{' / '.join(path)}: {len(messages)} messages became {len(destination.folders.get(path, ()))}"
            for path, messages in source.folders.items()
            if len(messages) != len(destination.folders.get(path, ()))
        ]
    return compare(
        source,
        destination,
        duplicates_once=check is Check.ONCE,
        subscriptions=check is not Check.UNSUBSCRIBED,
    )


def settle_disk() -> None:
    """Writes out what earlier runs left in the page cache, so that it is not charged to the next one."""
    os.sync()
    time.sleep(0.2)


def _endpoint(port: int) -> Endpoint:
    return Endpoint(HOST, port, Security.PLAINTEXT)
