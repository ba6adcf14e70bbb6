"""Servers that lie about what they can do, or hang up: what can be read is read, and everything ends."""

from __future__ import annotations

import time

import pytest

from importer.adapters.imap.factory import ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Account
from importer.engine.survey import survey
from providers.endpoint import Secret, Security
from providers.errors import MailError
from tests.rehearsal.hostile import ATTACKS, hostile_server

INBOX = FolderRef("INBOX", UidValidity(9))
TIMEOUTS = Timeouts(connect_s=5, io_s=5)
MOST_S = 60.0


@pytest.mark.parametrize("name", ["lies", "compresses-not"])
def test_a_server_without_the_extensions_that_it_offers_is_read_all_the_same(name: str) -> None:
    with hostile_server(name) as server:
        sessions = ImapSessions(timeouts=TIMEOUTS, compression="on")
        account = Account("ada@old.example", "ada", server.endpoint)
        try:
            session = sessions.open_source(account, Secret("secret"))
        except MailError:  # its compression does not work: never again
            session = sessions.open_source(account, Secret("secret"))
        found = survey(session)
        assert found.statuses["INBOX"].messages == 8
        session.close()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", [name for name in ATTACKS if name.startswith("hangs-up")])
def test_a_server_that_hangs_up_costs_little_time(name: str) -> None:
    began = time.monotonic()
    with hostile_server(name) as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        try:
            session = ImapSessions(timeouts=TIMEOUTS).open_source(account, Secret("secret"))
            survey(session)
            list(session.messages(INBOX, UidSet.of([1])))
            session.close()
        except MailError:
            pass
    assert time.monotonic() - began < MOST_S


@pytest.mark.parametrize("name", ["preauth", "injected"])
def test_nothing_is_sent_to_a_server_that_speaks_before_tls(name: str) -> None:
    with hostile_server(name, security=Security.STARTTLS) as server:
        account = Account("ada@old.example", "ada", server.endpoint)
        with pytest.raises(MailError):
            ImapSessions(timeouts=TIMEOUTS).open_source(account, Secret("secret"))
    assert not [c for c in server.commands if c.startswith(("AUTHENTICATE", "LOGIN"))]
