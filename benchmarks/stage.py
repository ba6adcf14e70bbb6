"""The environment of the benchmarks: two Dovecots, a filled source, new destinations, a simulated distant
line.

Neither server has special-use folders, so every copier has to keep all folder names. Connections are
unencrypted: TLS costs each copier the same and would hide other differences.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

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
    """`near` logins reach a server directly, `far` logins over the simulated line, if there is one."""

    home: Path
    source: Dovecot
    destination: Dovecot
    far_source_port: int
    far_destination_port: int
    line_pids: tuple[int, ...] = ()

    def fill_source(self, name: str, messages: Iterable[Stored]) -> Login:
        """Creates a user with these messages at the source. Returns the near login."""
        login = self._new_user(self.source, name)
        fill(_endpoint(login.port), login.user, login.password, messages)
        return login

    def new_source(self, name: str) -> Login:
        """Creates an empty mailbox at the source. Returns the near login."""
        return self._new_user(self.source, name)

    def new_destination(self, name: str) -> Login:
        """Creates an empty mailbox. Returns the near login. The mailbox is kept until the stage ends: a copy
        that reuses freed disk blocks is slower, and the shorter the copy, the larger the effect."""
        return self._new_user(self.destination, name)

    def far(self, login: Login) -> Login:
        """The login for the same mailbox over the simulated line."""
        source = login.port == self.source.starttls.port
        return replace(login, port=self.far_source_port if source else self.far_destination_port)

    def near_destination(self, login: Login) -> Login:
        """The login for the same destination mailbox without the line."""
        return replace(login, port=self.destination.starttls.port)

    def forget_index(self, login: Login) -> None:
        """Deletes the index files of a source mailbox and lists its folders once: the state of a mailbox that
        is read as a whole for the first time."""
        for index in self.source.mailbox_path(login.user).rglob("dovecot*.index*"):
            with contextlib.suppress(FileNotFoundError):
                index.unlink()
        client = connect(_endpoint(login.port), login.user, login.password, None)
        for line in client.list()[1]:
            if isinstance(line, bytes) and (match := re.search(rb'"."\s+(.*)$', line)):
                client.select(match[1].decode("ascii"), readonly=True)
        client.logout()

    def turns(self) -> dict[str, tuple[int, int]]:
        """Side -> numbers of closed connections and of turns on them. A turn is a client's transmission after
        one of the server."""
        found = {}
        for side in ("source", "destination"):
            path = self.home / f"{side}.turns"
            connections, turns = path.read_text(encoding="ascii").split() if path.exists() else ("0", "0")
            found[side] = int(connections), int(turns)
        return found

    def read(self, login: Login) -> Mailbox:
        """The mailbox as the independent checker reads it, in a separate process to bound memory."""
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as reader:
            account = Account(login.user, login.user, _endpoint(login.port))
            return reader.submit(read_mailbox, account, login.password).result()

    @staticmethod
    def _new_user(server: Dovecot, name: str) -> Login:
        password = secrets.token_urlsafe(12)
        server.add_user(name, password)
        return Login(server.starttls.port, name, password)


@dataclass(frozen=True, slots=True)
class _Line:
    """The port at which a server is reached, and the process of its line; 0: none."""

    port: int
    pid: int = 0


@contextmanager
def stage(
    home: Path, *, store: str, delay_ms: int, bandwidth_mbit: float = 0, counts: bool = False
) -> Iterator[Stage]:
    """Runs both servers until the block ends, then deletes everything. `store` is the destination's format,
    "maildir" or "mdbox". Both lines have the same delay and bandwidth; 0 means none and no limit. The servers
    offer COMPRESS. With `counts`, both lines count their turns (`Stage.turns`)."""
    plain = DovecotOptions(special_use=False, compress=True)
    with (
        _server(home / "source", plain) as source,
        _server(home / "destination", replace(plain, mail_driver=store, fsync=True)) as destination,
        _line(home, "source", source.starttls.port, delay_ms, bandwidth_mbit, counts) as far_source,
        _line(
            home, "destination", destination.starttls.port, delay_ms, bandwidth_mbit, counts
        ) as far_destination,
    ):
        pids = tuple(line.pid for line in (far_source, far_destination) if line.pid)
        yield Stage(home, source, destination, far_source.port, far_destination.port, pids)


@contextmanager
def _server(root: Path, options: DovecotOptions) -> Iterator[Dovecot]:
    """A server without STARTTLS, which some copiers always use and others do not."""
    with dovecot(root, options) as server:
        with (server.home / "dovecot.conf").open("a", encoding="utf-8") as config:
            config.write("ssl = no\n")
        server.restart()
        yield server


@contextmanager
def _line(
    home: Path, side: str, server_port: int, delay_ms: int, bandwidth_mbit: float, counts: bool
) -> Iterator[_Line]:
    """A proxy that adds `delay_ms` of round-trip time and limits the bandwidth, if it is needed."""
    if not delay_ms and not bandwidth_mbit and not counts:
        yield _Line(server_port)
        return
    port = free_ports()[0]
    options = ["--listen", str(port), "--to", str(server_port), "--round-trip-ms", str(delay_ms)]
    options += ["--bandwidth-mbit", str(bandwidth_mbit)] if bandwidth_mbit else []
    options += ["--counts", str(home / f"{side}.turns")] if counts else []
    command = [sys.executable, "-m", "benchmarks.delay_proxy", *options]
    process = start_group(command, home / "delay_proxy.log", folder=ROOT)
    try:
        if not wait_until(lambda: listens(port), timeout_s=10):
            raise RehearsalError(f"The delay proxy did not start; {home / 'delay_proxy.log'} says why.")
        yield _Line(port, process.pid)
    finally:
        kill_group(process)


def differences(source: Mailbox, destination: Mailbox, check: Check) -> list[str]:
    """The differences of a copy according to `check`, one sentence each."""
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


_REUSED_AFTER_S: Final = 61.0
"""Without a journal, ext4 reuses no inode within a minute of its removal, and its search skips all of those
(RECENTCY_MIN in fs/ext4/ialloc.c, Linux 6.18). That cost one batch up to half of its CPU time."""
_last_removal_s = -math.inf


@contextmanager
def home_of_case(prefix: str) -> Iterator[Path]:
    """A directory for the mail of one case, which all users may enter. The removal of an earlier case's mail
    does not slow this one down."""
    global _last_removal_s  # noqa: PLW0603 - the file system is shared by all cases of this process
    home = Path(tempfile.mkdtemp(prefix=prefix))
    home.chmod(0o755)
    try:
        os.sync()  # an inode that is not yet written counts as recent for longer
        time.sleep(max(0.0, _last_removal_s + _REUSED_AFTER_S - time.monotonic()))
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
        _last_removal_s = time.monotonic()


def settle_disk() -> None:
    """Flushes dirty pages of earlier runs, so that they do not slow the next run down."""
    os.sync()
    time.sleep(0.2)


def _endpoint(port: int) -> Endpoint:
    return Endpoint(HOST, port, Security.PLAINTEXT)
