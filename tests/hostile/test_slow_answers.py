"""Work ends in the midst of a command: on a wish at any server, at its deadline where there is no headway."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from importer.adapters.imap import stall_watchdog
from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.writer import ImapWriter
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef, Outgoing
from importer.domain.model import Account
from importer.engine.survey import survey
from importer.ports.work_limit import WorkEnded, WorkLimit
from providers.endpoint import Secret
from providers.errors import ServerTooSlow
from tests.rehearsal.hostile import hostile_server
from tests.rehearsal.scripted import scripted_server, usual_answer

INBOX = FolderRef("INBOX", UidValidity(9))
DATE = "02-Feb-2003 04:05:06 +0000"
MOST_S = 5.0
"""Until a wish is obeyed. The test allows more, for busy machines, and less than the timeouts."""


def look(session: ImapReader) -> None:
    survey(session)


def read(session: ImapReader) -> None:
    list(session.messages(INBOX, UidSet.of([1])))


def append(session: ImapWriter) -> None:
    session.append(INBOX, [Outgoing(Uid(1), (), DATE, b"Subject: one\r\n\r\n")])


CASES: list[tuple[str, Callable[[ImapReader], None] | None]] = [  # None: append
    ("list-drip", look),
    ("status-drip", look),
    ("message-drip", read),
    ("byte-drip", read),
    ("silent-list", look),
    ("silent-fetch", read),
    ("silent-append", None),
    ("silent-login", look),
    ("login-drip", look),
]


def run(name: str, use: Callable[[ImapReader], None] | None, limit: WorkLimit) -> None:
    with hostile_server(name) as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        if use is None:
            with closing(ImapSessions().open_destination(account, Secret("secret"), limit)) as writer:
                append(writer)
        else:
            with closing(ImapSessions().open_source(account, Secret("secret"), limit=limit)) as reader:
                use(reader)


@pytest.fixture
def ends_soon() -> Iterator[tuple[WorkLimit, list[float]]]:
    """A limit that ends while a command is under way, and when it did."""
    limit, ended = WorkLimit(), list[float]()

    def end() -> None:
        ended.append(time.monotonic())
        limit.end()

    timer = threading.Timer(1.0, end)
    timer.start()
    yield limit, ended
    timer.cancel()


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("name", "use"), CASES)
def test_a_wish_is_obeyed_in_the_midst_of_a_command(
    name: str,
    use: Callable[[ImapReader], None] | None,
    ends_soon: tuple[WorkLimit, list[float]],
) -> None:
    limit, ended = ends_soon
    with pytest.raises(WorkEnded):
        run(name, use, limit)
    assert time.monotonic() - ended[0] < 8 * MOST_S


@pytest.mark.parametrize(
    ("name", "use"), [("list-drip", look), ("message-drip", read), ("silent-fetch", read)]
)
def test_overdue_work_ends_at_a_server_without_headway(
    name: str, use: Callable[[ImapReader], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stall_watchdog, "OVERTIME_WINDOW_S", 2.0)
    began = time.monotonic()
    with pytest.raises(ServerTooSlow):
        run(name, use, WorkLimit(1.5, overtime_s=600))
    assert time.monotonic() - began < 8 * MOST_S


def test_overdue_work_goes_on_at_a_slow_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message at 20 kB/s takes longer than its leg, and arrives."""
    monkeypatch.setattr(stall_watchdog, "OVERTIME_WINDOW_S", 3.0)
    now_s = 0.0
    body = b"Subject: one\r\n\r\n" + b"x" * 100_000

    def slowly() -> Iterator[bytes]:
        nonlocal now_s
        now_s = 1.0
        yield b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "%s" RFC822.SIZE %d BODY[] {%d}\r\n' % (
            DATE.encode(),
            len(body),
            len(body),
        )
        for start in range(0, len(body), 2_000):
            yield body[start : start + 2_000]
            time.sleep(0.1)
        yield b")\r\nTAG OK done\r\n"

    def answer(command: str) -> bytes | Iterator[bytes]:
        return slowly() if command.startswith("UID FETCH") else usual_answer(command)

    limit = WorkLimit(0.5, overtime_s=600, clock=lambda: now_s)
    with scripted_server(answer) as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        session = ImapSessions().open_source(account, Secret("secret"), limit=limit)
        [message] = session.messages(INBOX, UidSet.of([1]))
        assert limit.overdue
        assert getattr(message, "body", b"") == body
        session.close()


def test_nothing_is_begun_once_work_is_overdue() -> None:
    with scripted_server() as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        with pytest.raises(WorkEnded):
            ImapSessions(timeouts=Timeouts()).open_source(
                account, Secret("secret"), limit=WorkLimit(0.0, overtime_s=600)
            )
        assert server.connections == 0
