"""A slow line switches to compression in the middle of a session, and nothing is lost."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from importer.adapters.imap.connection import Connection
from importer.adapters.imap.deflate import SLOW_BYTES_PER_S
from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.folder_cursor import FolderCursor
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.wire_events import Reply
from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import AppendResult, Message, Outgoing, Stored
from importer.domain.model import Account
from providers.endpoint import Secret
from providers.errors import Side
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import DovecotOptions, dovecot
from tests.rehearsal.hosts import User, new_user
from tests.rehearsal.ports import PATIENCE_S
from tests.rehearsal.proxy import cutting_proxy

DATE = "02-Feb-2003 04:05:06 +0000"


def letters(number: int, size: int) -> bytes:
    text = random.Random(number).choices(b"abcdefgh ", k=size)
    return b"Message-ID: <%d@old.example>\r\n\r\n%s\r\n" % (number, bytes(text))


@pytest.fixture
def compressions(monkeypatch: pytest.MonkeyPatch) -> list[Side]:
    """The sides whose connections were compressed, in order."""
    sides: list[Side] = []
    compress = Connection.compress

    def noted(connection: Connection) -> None:
        sides.append(connection.peer.side)
        compress(connection)

    monkeypatch.setattr(Connection, "compress", noted)
    return sides


@pytest.mark.parametrize("slow", [True, False])
def test_only_a_slow_line_is_compressed_in_the_middle_of_a_session(
    tmp_path: Path, ca: CertificateAuthority, compressions: list[Side], slow: bool
) -> None:
    with dovecot(tmp_path, DovecotOptions(compress=True), ca=ca) as host:
        user = new_user(host, "ada")
        with cutting_proxy(host.imaps) as proxy:
            if slow:
                proxy.narrow(SLOW_BYTES_PER_S // 2)
            account = host.account("ada")
            through = replace(account, endpoint=proxy.endpoint)
            sessions = ImapSessions(ca_file=user.ca_file, timeouts=Timeouts(io_s=PATIENCE_S))
            bodies = {Uid(n): letters(n, 30_000) for n in range(1, 91)}
            destination = sessions.open_destination(through, Secret(user.password))
            inbox = destination.status("INBOX").ref("INBOX")
            results: list[AppendResult] = []
            waiting: deque[Callable[[], Sequence[AppendResult] | None]] = deque()
            for first in range(1, 91, 10):
                batch = [Outgoing(Uid(n), (), DATE, bodies[Uid(n)]) for n in range(first, first + 10)]
                waiting.append(destination.begin_append(inbox, batch))
                if len(waiting) > 2:
                    results += waiting.popleft()() or ()
            results += [result for wait in waiting for result in wait() or ()]
            assert [isinstance(result, Stored) for result in results] == [True] * 90
            assert compressions == [Side.DESTINATION] * slow
            destination.close()
            compressions.clear()
            source = sessions.open_source(through, Secret(user.password))
            uids = source.uids(inbox)
            read = [message for chunk in uids.chunks(10) for message in source.messages(inbox, chunk)]
            assert {message.body for message in read if isinstance(message, Message)} == set(bodies.values())
            assert compressions == [Side.SOURCE] * slow
            source.close()


@pytest.fixture
def slow_host(tmp_path: Path, ca: CertificateAuthority) -> Iterator[tuple[Account, User]]:
    """A mailbox at a host that compresses, behind a slow line."""
    with dovecot(tmp_path, DovecotOptions(compress=True), ca=ca) as host:
        user = new_user(host, "ada")
        with cutting_proxy(host.imaps) as proxy:
            proxy.narrow(SLOW_BYTES_PER_S // 2)
            yield replace(host.account("ada"), endpoint=proxy.endpoint), user


def test_a_connection_that_is_compressed_from_the_start_works(
    slow_host: tuple[Account, User], compressions: list[Side]
) -> None:
    account, user = slow_host
    sessions = ImapSessions(ca_file=user.ca_file, timeouts=Timeouts(io_s=PATIENCE_S), compression="on")
    destination = sessions.open_destination(account, Secret(user.password))
    inbox = destination.status("INBOX").ref("INBOX")
    (stored,) = destination.append(inbox, [Outgoing(Uid(1), (), DATE, letters(1, 1000))])
    assert isinstance(stored, Stored)
    source = sessions.open_source(account, Secret(user.password))
    (message,) = source.messages(inbox, source.uids(inbox))
    assert isinstance(message, Message)
    assert message.body == letters(1, 1000)
    assert compressions == [Side.DESTINATION, Side.SOURCE]
    source.close()
    destination.close()


def test_compression_starts_once(slow_host: tuple[Account, User]) -> None:
    account, user = slow_host
    sessions = ImapSessions(ca_file=user.ca_file, timeouts=Timeouts(io_s=PATIENCE_S), compression="on")
    source = sessions.open_source(account, Secret(user.password))
    source.link.ask(lambda _cursor, connection: connection.compress())
    assert source.uids(source.status("INBOX").ref("INBOX")) == UidSet()
    source.close()


@pytest.mark.parametrize("commands", [0, 1, 3])
def test_compression_waits_for_the_replies_that_are_outstanding(
    slow_host: tuple[Account, User], commands: int
) -> None:
    account, user = slow_host
    sessions = ImapSessions(ca_file=user.ca_file, timeouts=Timeouts(io_s=PATIENCE_S))
    source = sessions.open_source(account, Secret(user.password))

    def compress(_cursor: FolderCursor, connection: Connection) -> Reply:
        for _ in range(commands):
            connection.send_with_next(b"NOOP")
        connection.compress()
        assert connection.has("COMPRESS=DEFLATE")  # otherwise it was refused
        return connection.call(b"EXAMINE INBOX").reply

    assert source.link.ask(compress).status == "OK"
    assert source.uids(source.status("INBOX").ref("INBOX")) == UidSet()
    source.close()
