"""Answers without end or far too large, at each command: an error that names the limit, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.session import ImapSession
from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.model import Account, FolderRef
from importer.engine.survey import survey
from providers.endpoint import Secret
from providers.errors import FolderUnusable, MailError, Side
from tests.rehearsal.hostile import hostile_server
from tests.rehearsal.memory import MIB, watch_peak

INBOX = FolderRef("INBOX", UidValidity(9))
MOST_BYTES = 100 * MIB
MOST_S = 90.0
"""On a busy machine. Alone each takes a few seconds."""


def look(session: ImapSession) -> str:
    found = survey(session)
    return "; ".join(map(str, found.unusable.values()))


def uids(session: ImapSession) -> str:
    listed = session.uids(INBOX)
    return f"{len(listed)} listed, {session.unlisted(INBOX)} not"


def sizes(session: ImapSession) -> str:
    return f"{len(list(session.sizes(INBOX, UidSet.from_ranges([(1, 5_000_000)]))))} sizes"


def headers(session: ImapSession) -> str:
    return ", ".join(f"header of {len(h.header)}" for h in session.headers(INBOX, UidSet.of([1])))


def flags(session: ImapSession) -> str:
    return f"{len(list(session.flags(INBOX, UidSet.from_ranges([(1, 8)]))))} flags"


def messages(session: ImapSession) -> str:
    return f"{len(list(session.messages(INBOX, UidSet.from_ranges([(1, 8)]))))} messages"


CASES: list[tuple[str, Callable[[ImapSession], str], str]] = [
    ("endless-list", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-list-lines", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("many-folders", look, "lists more folders than Mailhaul accepts (the limit is 30000)"),
    ("endless-status", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-untagged", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-alerts", look, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-continuations", look, "more lines in one answer than Mailhaul accepts"),
    ("wrong-tags", look, "more lines in one answer than Mailhaul accepts|unknown tag"),
    ("endless-select", uids, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-fetch", uids, "more lines in one answer than Mailhaul accepts (the limit is 250016)"),
    ("endless-fetch", messages, "more lines in one answer than Mailhaul accepts (the limit is 250000)"),
    ("endless-flags", flags, "more in one answer than Mailhaul accepts (the limit is "),
    ("endless-search", uids, "more lines in one answer than Mailhaul accepts (the limit is 100000)"),
    ("endless-login", look, "more lines before a login than Mailhaul accepts (the limit is 1000)"),
    ("endless-capabilities", look, "more lines before a login than Mailhaul accepts (the limit is 1000)"),
    ("huge-status", look, "has more messages than Mailhaul accepts (the limit is 5000000)"),
    ("huge-exists", uids, "has more messages than Mailhaul accepts (the limit is 5000000)"),
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
    name: str, use: Callable[[ImapSession], str], words: str
) -> None:
    with hostile_server(name) as server:
        sessions = ImapSessions(timeouts=Timeouts(connect_s=5, io_s=20), compression="on")
        account = Account("ada@old.example", "ada", server.endpoint)
        growth, began = watch_peak(), time.monotonic()
        try:
            session = sessions.open(account, Secret("secret"), Side.SOURCE)
            try:
                outcome = use(session)
            finally:
                session.close()
        except MailError as error:
            outcome = f"{error} {error.server_text}"
        assert any(part in outcome for part in words.split("|")), outcome
        assert growth() < MOST_BYTES, f"{growth() / MIB:.0f} MiB"
        assert time.monotonic() - began < MOST_S


def test_a_folder_beyond_a_limit_costs_that_folder_alone() -> None:
    with hostile_server("endless-fetch") as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        session = ImapSessions(timeouts=Timeouts(connect_s=5, io_s=20)).open(
            account, Secret("secret"), Side.SOURCE
        )
        with pytest.raises(FolderUnusable):
            session.uids(INBOX)
        assert session.status("INBOX").messages == 8
        session.close()
