"""Answers without end or far too large, at each command: an error that names the limit, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import pytest
from imapclient import imap_utf7

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.writer import ImapWriter
from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef, Outgoing
from importer.domain.model import Account
from importer.engine.survey import survey
from importer.ports.mailbox_errors import FolderUnusable
from providers.endpoint import Secret
from providers.errors import MailError
from tests.english import said
from tests.rehearsal.hostile import hostile_server
from tests.rehearsal.memory import MIB, watch_peak
from tests.rehearsal.scripted import scripted_server, usual_answer

INBOX = FolderRef("INBOX", UidValidity(9))
DATE = "02-Feb-2003 04:05:06 +0000"
MOST_BYTES = 100 * MIB
MOST_S = 90.0
"""On a busy machine. Alone each takes a few seconds."""


def look(session: ImapReader) -> str:
    found = survey(session)
    return "; ".join(map(said, found.unusable.values())).replace(",", "")


def uids(session: ImapReader) -> str:
    listed = session.uids(INBOX)
    return f"{len(listed)} listed, {session.unlisted(INBOX)} not"


def sizes(session: ImapReader) -> str:
    return f"{len(list(session.sizes(INBOX, UidSet.from_ranges([(1, 5_000_000)]))))} sizes"


def headers(session: ImapReader) -> str:
    return ", ".join(f"header of {len(h.header)}" for h in session.headers(INBOX, UidSet.of([1])))


def flags(session: ImapReader) -> str:
    return f"{len(list(session.flags(INBOX, UidSet.from_ranges([(1, 8)]))))} flags"


def messages(session: ImapReader) -> str:
    return f"{len(list(session.messages(INBOX, UidSet.from_ranges([(1, 8)]))))} messages"


def append(session: ImapWriter) -> str:
    return str(session.append(INBOX, [Outgoing(Uid(1), (), DATE, b"Subject: one\r\n\r\n")]))


CASES: list[tuple[str, Callable[[ImapReader], str] | None, str]] = [  # None: append
    ("endless-list", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-list-lines", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("many-folders", look, "lists more folders than Mailhaul accepts (the limit is 30000)"),
    ("endless-status", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-untagged", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-alerts", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-continuations", look, "more lines in one answer than Mailhaul accepts"),
    ("wrong-tags", look, "more lines in one answer than Mailhaul accepts"),
    ("wrong-tags-at-append", None, "more than 250000 responses"),
    ("endless-select", uids, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-fetch", uids, "more lines in one answer than Mailhaul accepts (the limit is 250016)"),
    ("endless-fetch", messages, "more lines in one answer than Mailhaul accepts (the limit is 250000)"),
    ("endless-flags", flags, "more in one answer than Mailhaul accepts (the limit is "),
    ("endless-search", uids, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-login", look, "more lines before a login than Mailhaul accepts (the limit is 1000)"),
    ("endless-capabilities", look, "more lines before a login than Mailhaul accepts (the limit is 1000)"),
    ("huge-status", look, "has more messages than Mailhaul accepts (the limit is 5000000)"),
    ("huge-exists", uids, "0 listed, 8 not"),
    ("huge-name", look, "sends a longer name than Mailhaul accepts (the limit is "),
    ("huge-line", look, "invalid response"),
    ("huge-header", headers, "header of 0"),
    ("huge-envelope", messages, "8 messages"),
    ("huge-search", uids, "0 listed|cannot be opened|invalid response"),
    ("invented-messages", uids, "0 listed, 5000000 not"),
    ("invented-messages", sizes, "0 sizes"),
    ("compression-bomb", look, "more in one answer than Mailhaul accepts|more lines in one answer"),
]


@pytest.mark.sampled(8)
@pytest.mark.parametrize(("name", "use", "words"), CASES)
def test_an_answer_without_measure_is_refused_with_the_limit_and_in_bounded_memory(
    name: str, use: Callable[[ImapReader], str] | None, words: str
) -> None:
    with hostile_server(name) as server:
        sessions = ImapSessions(timeouts=Timeouts(connect_s=5, io_s=20), compression="on")
        account = Account("ada@old.example", "ada", server.endpoint)
        growth, began = watch_peak(), time.monotonic()
        try:
            if use is None:
                with closing(sessions.open_destination(account, Secret("secret"))) as writer:
                    outcome = append(writer)
            else:
                with closing(sessions.open_source(account, Secret("secret"))) as reader:
                    outcome = use(reader)
        except MailError as error:
            outcome = f"{said(error)} {error.server_text}".replace(",", "")
        assert any(part in outcome for part in words.split("|")), outcome
        assert growth() < MOST_BYTES, f"{growth() / MIB:.0f} MiB"
        assert time.monotonic() - began < MOST_S


def test_a_folder_beyond_a_limit_costs_that_folder_alone() -> None:
    with hostile_server("endless-fetch") as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        session = ImapSessions(timeouts=Timeouts(connect_s=5, io_s=20)).open_source(account, Secret("secret"))
        with pytest.raises(FolderUnusable):
            session.uids(INBOX)
        assert session.status("INBOX").messages == 8
        session.close()


def test_the_largest_supported_mailbox_is_within_the_limits() -> None:
    """20,000 folders, listed twice and with their status, in one answer to what is sent together."""
    names = [f"Kunden/{n % 100:02}/Rechnungen und Verträge/{n:05} Müller & Söhne" for n in range(19_999)]
    encoded = [b"INBOX", *map(imap_utf7.encode, names)]
    plain = b"".join(b'* LIST (\\HasNoChildren) "/" "%s"\r\n' % name for name in encoded)
    status = b"".join(
        b'* STATUS "%s" (MESSAGES 1000000 UIDNEXT 1000001 UIDVALIDITY 9)\r\n' % name for name in encoded
    )

    def answer(command: str) -> bytes:
        if command.startswith("LIST"):
            return plain + status * ("RETURN" in command) + b"TAG OK done\r\n"
        return usual_answer(command, "IMAP4rev1 AUTH=PLAIN LIST-EXTENDED LIST-STATUS SPECIAL-USE")

    with scripted_server(answer) as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        session = ImapSessions().open_source(account, Secret("secret"))
        found = survey(session)
        session.close()
    assert len(found.statuses) == 20_000
    assert found.messages == 20_000 * 1_000_000
