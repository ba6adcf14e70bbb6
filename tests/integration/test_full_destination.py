"""An import into a mailbox that is full waits for room, and goes on once its quota is larger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from importer.domain.model import State
from importer.domain.planning.retry_limits import FULL_MAILBOX_WAITS
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, Stored
from tests.rehearsal.installation import Installation, with_mail
from tests.rehearsal.smtp import SmtpCatcher
from tests.rehearsal.waits import at_rest, later, standing

MESSAGES = 40
SIZE_BYTES = 5_000
QUOTA = DovecotOptions(quota_bytes=100_000)


@pytest.fixture
def small_quota(tmp_path: Path, ca: CertificateAuthority) -> Iterator[Dovecot]:
    with dovecot(tmp_path / "small-quota", QUOTA, ca=ca) as host:
        yield host


@pytest.fixture
def installation(tmp_path: Path, small_quota: Dovecot, smtp: SmtpCatcher, valkey_url: str) -> Installation:
    settings = with_mail(small_quota.ca_file, smtp.url, valkey_url)
    return Installation(tmp_path, settings | {"BATCH_MESSAGES": "4"})


def mail(number: int) -> Stored:
    head = f"Message-ID: <{number}@friend.example>\r\nSubject: number {number}\r\n\r\n".encode()
    return Stored(INBOX, (), datetime(2020, 1, 1, tzinfo=UTC), head + b"x" * SIZE_BYTES + b"\r\n")


def test_it_waits_for_room_and_goes_on_by_itself(
    installation: Installation,
    old_host: Dovecot,
    small_quota: Dovecot,
    make_user: MakeUser,
    smtp: SmtpCatcher,
) -> None:
    old, new = make_user(old_host), make_user(small_quota)
    old.fill(mail(number) for number in range(MESSAGES))
    [batch] = installation.json("batch", str(installation.csv("people.csv", [(old, new)])))
    id_ = batch["rows"][0]["id"]
    with installation.worker():
        full = at_rest(installation, id_)
        assert standing(full) == (State.WAITING, "destination_full.waits")
        stored = new.read()
        assert 0 < stored.count() < MESSAGES
        smtp.wait_for(2)

        still_full = later(installation, id_, FULL_MAILBOX_WAITS[0])
        assert standing(still_full) == (State.WAITING, "destination_full.waits")
        assert new.read() == stored

        small_quota.restart_with(replace(QUOTA, quota_bytes=2 * MESSAGES * SIZE_BYTES))
        assert standing(later(installation, id_, FULL_MAILBOX_WAITS[1])) == (State.COMPLETE, "")
        smtp.wait_for(4)
    assert compare(old.read(), new.read()) == []
    report = installation.json("report", id_)
    assert (report["totals"]["copied"], report["totals"]["confirmed"]) == (MESSAGES, MESSAGES)

    owners = sorted(user.account.address for user in (old, new))
    for mails, end in ((smtp.messages[:2], "the new mailbox is full"), (smtp.messages[2:], " copied")):
        assert sorted(address for mail in mails for address in mail.recipients) == owners
        assert all(mail.message["Subject"].endswith(end) for mail in mails)
