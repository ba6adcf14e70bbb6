"""A server that trickles single bytes is cut off after the stall timeout; a slow line is not a stall."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.writer import ImapWriter
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef, Message, Outgoing
from importer.domain.model import Account
from providers.endpoint import Secret, Security
from providers.errors import ServerTooSlow, Side
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.ports import PATIENCE_S
from tests.rehearsal.proxy import cutting_proxy
from tests.rehearsal.scripted import DRIP, scripted_server

DRIP_S = 3.0
TIMES = Timeouts(connect_s=PATIENCE_S, io_s=PATIENCE_S, stall_s=DRIP_S)
INBOX = FolderRef("INBOX", UidValidity(9))
DATE = "02-Feb-2003 04:05:06 +0000"
LITERAL = b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "%s" BODY[] {4000000}\r\n' % DATE.encode()


def read(session: ImapReader) -> None:
    list(session.messages(INBOX, UidSet.of([1])))


def read_status(session: ImapReader) -> None:
    session.statuses(["INBOX"])


def append(session: ImapWriter) -> None:
    session.append(INBOX, [Outgoing(Uid(1), (), DATE, b"Subject: one\r\n\r\n")])


@pytest.mark.parametrize("security", [Security.PLAINTEXT, Security.TLS])
@pytest.mark.parametrize(
    ("command", "answer", "use"),
    [
        ("UID FETCH", LITERAL + DRIP + b"x", read),
        ("UID FETCH", DRIP + b"* OK still here\r\n", read),
        ("STATUS", DRIP + b"* OK still here\r\n", read_status),
        ("APPEND", DRIP + b"* OK still here\r\n", None),
    ],
)
def test_a_trickling_server_is_disconnected_and_not_retried_immediately(
    ca: CertificateAuthority,
    security: Security,
    command: str,
    answer: bytes,
    use: Callable[[ImapReader], None] | None,
) -> None:
    certificate = ca.issue() if security is Security.TLS else None
    with scripted_server(
        lambda received: answer if received.startswith(command) else None,
        certificate=certificate,
        security=security,
    ) as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        sessions = ImapSessions(ca_file=ca.ca_file, timeouts=TIMES)
        session: ImapReader | ImapWriter
        if use is None:
            session = sessions.open_destination(account, Secret("secret"))
            under_way = partial(append, session)
        else:
            session = sessions.open_source(account, Secret("secret"))
            under_way = partial(use, session)
        began = time.monotonic()
        with pytest.raises(ServerTooSlow) as caught:
            under_way()
        assert 0.8 * DRIP_S <= time.monotonic() - began < PATIENCE_S
        session.close()
    assert caught.value.side is (Side.DESTINATION if use is None else Side.SOURCE)
    assert server.connections == 1


def test_a_slow_line_or_a_paused_reader_is_not_a_stall(
    ca: CertificateAuthority, make_user: MakeUser, new_host: Dovecot, tmp_path: Path
) -> None:
    user = make_user(new_host)
    sessions = ImapSessions(ca_file=ca.ca_file, timeouts=TIMES, spool_folder=tmp_path)
    bodies = [b"Subject: %d\r\n\r\n" % n + b"%d\r\n" % n * 10_000 for n in range(3)]
    direct = sessions.open_destination(user.account, Secret(user.password))
    inbox = direct.status("INBOX").ref("INBOX")
    direct.append(inbox, [Outgoing(Uid(n), (), DATE, body) for n, body in enumerate(bodies)])
    direct.close()
    with cutting_proxy(new_host.imaps) as proxy:
        proxy.narrow(20_000)
        through = replace(user.account, endpoint=proxy.endpoint)
        session = sessions.open_source(through, Secret(user.password))
        began = time.monotonic()
        received: list[bytes] = []
        for message in session.messages(inbox, UidSet.of([1, 2, 3])):
            assert isinstance(message, Message)
            assert isinstance(message.body, bytes)
            received.append(message.body)
            if len(received) == 1:
                time.sleep(2 * DRIP_S)  # another part of the copy is slow
        assert time.monotonic() - began > 2 * DRIP_S
        assert received == bodies
        session.close()
    assert proxy.connections == 1
