"""A mailbox is followed until its domain has moved: real servers, a real worker, recorded DNS answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from importer.domain.model import State
from tests.conftest import MakeUser
from tests.recorded import domains
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation, with_mail
from tests.rehearsal.name_server import command, from_zone, name_server, with_code
from tests.rehearsal.ports import wait_until
from tests.rehearsal.sample import FOLDER_MAP, sample_mailbox
from tests.rehearsal.smtp import SmtpCatcher
from tests.rehearsal.waits import at_rest, later, standing

PASSES = timedelta(hours=6)
"""Between two passes, and from the move to the last pass: the defaults."""
MX: dict[str, list[str]] = {row["name"]: row["mx"] for row in domains()}
OLD_MX = MX["google-customer.example"]
NEW_MX = MX["infomaniak-customer.example"]
DOMAIN = ("mail.example.", "MX")  # of the users that `make_user` makes


class Domain:
    """The DNS of the domain. Changes hold from the next query on."""

    def __init__(self) -> None:
        self.zone = {DOMAIN: OLD_MX}
        self.is_away = False

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        return with_code(dns.rcode.SERVFAIL, query) if self.is_away else from_zone(self.zone, query)


@pytest.fixture
def domain() -> Domain:
    return Domain()


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot, smtp: SmtpCatcher, valkey_url: str) -> Installation:
    return Installation(tmp_path, with_mail(new_host.ca_file, smtp.url, valkey_url))


@pytest.fixture
def asking(installation: Installation, domain: Domain) -> Iterator[Installation]:
    """The same installation, on a machine whose name server knows the domain."""
    with name_server(domain.answer) as server:
        yield replace(installation, command=command(server))


def arrives(user: User, subject: str) -> None:
    content = f"Message-ID: <{subject}@friend.example>\r\nSubject: {subject}\r\n\r\ntext\r\n".encode()
    user.fill([Stored(INBOX, (), datetime.now(UTC).replace(microsecond=0), content)])


def subjects(user: User) -> Counter[str]:
    return Counter(message.subject for messages in user.read().folders.values() for message in messages)


def messages_read(host: Dovecot, user: User) -> int:
    """How many messages the user's sessions have read that are over."""
    ends = re.findall(rf"imap\({re.escape(user.account.login)}\).* body_count=(\d+)", host.log())
    return sum(map(int, ends))


def test_a_cutover_from_the_first_copy_to_the_final_mail(
    installation: Installation,
    asking: Installation,
    domain: Domain,
    old_host: Dovecot,
    new_host: Dovecot,
    make_user: MakeUser,
    smtp: SmtpCatcher,
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    there = old.fill(sample_mailbox())
    file = installation.csv("people.csv", [(old, new)], until_cutover="yes", cutover_mx="infomaniak.ch")
    [batch] = installation.json("batch", str(file))
    id_ = batch["rows"][0]["id"]
    hours_pass = partial(later, installation, id_, PASSES)

    with asking.worker():
        assert standing(at_rest(installation, id_)) == (State.WAITING, "awaiting_cutover.not_moved")
        first = subjects(new)
        assert first.total() == there - 1  # one is there twice
        smtp.wait_for(2)

        arrives(old, "between")
        domain.is_away = True
        assert standing(hours_pass()) == (State.WAITING, "awaiting_cutover.unknown")
        assert subjects(new) - first == {"between": 1}

        arrives(old, "before")
        domain.is_away, domain.zone[DOMAIN] = False, NEW_MX
        moved = hours_pass()
        assert standing(moved) == (State.WAITING, "awaiting_cutover.moved")
        assert moved.moved_at is not None
        assert moved.not_before == moved.moved_at + PASSES
        assert subjects(new) - first == {"between": 1, "before": 1}

        arrives(old, "after")
        assert standing(hours_pass()) == (State.COMPLETE, "")
        smtp.wait_for(4)
    assert subjects(new) - first == {"between": 1, "before": 1, "after": 1}
    assert wait_until(lambda: messages_read(old_host, old) == there + 3)  # each of them once
    assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []
    report = installation.json("report", id_)
    assert (report["state"], report["totals"]["adds_up"]) == ("complete", True)
    assert report["totals"]["confirmed"] == there + 2

    owners = sorted(user.account.address for user in (old, new))
    for mails, end in ((smtp.messages[:2], "copied, new mail follows"), (smtp.messages[2:], " copied")):
        assert sorted(address for mail in mails for address in mail.recipients) == owners
        assert all(mail.message["Subject"].endswith(end) for mail in mails)
