"""A CSV batch between two real mail hosts, through the queue, to the completion mails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.checker import compare
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import Stored
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation, with_mail
from tests.rehearsal.postgres import fresh_database
from tests.rehearsal.sample import EMPTY_FOLDERS, FOLDER_MAP, sample_mailbox
from tests.rehearsal.smtp import SmtpCatcher
from tests.rehearsal.valkey import Valkey


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    new_host: Dovecot,
    smtp: SmtpCatcher,
    valkey_server: Valkey,
) -> Installation:
    """An installation on each database, with a mail server and a queue."""
    valkey_server.flush()
    installed = Installation(tmp_path, with_mail(new_host.ca_file, smtp.url, valkey_server.url))
    if request.param == "postgresql":
        installed.settings["DATABASE_URL"] = fresh_database(request.getfixturevalue("postgres_url"))
        installed.run("migrate")
    return installed


def mailboxes(make_user: MakeUser, old: Dovecot, new: Dovecot, count: int) -> list[tuple[User, User]]:
    """Routes from filled old mailboxes to empty new ones."""
    routes = []
    for _ in range(count):
        source = make_user(old)
        source.fill(sample_mailbox(), EMPTY_FOLDERS)
        routes.append((source, make_user(new)))
    return routes


def test_three_mailboxes_arrive_complete_and_each_recipient_is_notified_once(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, smtp: SmtpCatcher
) -> None:
    routes = mailboxes(make_user, old_host, new_host, 3)
    file = installation.csv("people.csv", routes)
    with installation.worker():
        words = ("batch", str(file), "--wait", "--notify", "admin@new.example")
        report = installation.json(*words)
        owners = [user.account.address for route in routes for user in route]
        recipients = sorted([*owners, "admin@new.example"])  # the submitter gets one summary
        smtp.wait_for(len(recipients))

    for old, new in routes:
        assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []
    assert report["exit_code"] == 0
    assert [row["state"] for row in report["imports"]] == ["complete"] * 3
    for row in report["imports"]:
        totals = row["totals"]
        assert totals["adds_up"]
        assert totals["found"] == old.read().count()
        assert totals["copied"] == totals["confirmed"] == new.read().count()
        assert totals["duplicate"] == totals["found"] - totals["copied"] > 0
    assert sorted(recipient for mail in smtp.messages for recipient in mail.recipients) == recipients
    for mail in smtp.messages:
        assert mail.message["Auto-Submitted"] == "auto-generated"
        assert mail.message["X-Mailhaul-Notice"]
    copied = report["imports"][0]["totals"]["copied"]
    to_owner = smtp.to(routes[0][0].account.address)[0].message
    assert re.search(rf"\b{copied}\b", to_owner.get_body(("plain",)).get_content())  # type: ignore[union-attr]


def test_resubmitting_a_file_starts_nothing_and_again_copies_only_new_mail(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    routes = mailboxes(make_user, old_host, new_host, 2)
    file = installation.csv("people.csv", routes)
    with installation.worker():
        first = installation.json("batch", str(file), "--wait")
        before = [new.read() for _, new in routes]

        again = installation.json("batch", str(file))
        assert [row["fate"] for row in again[0]["rows"]] == ["done", "done"]
        assert again[0]["batch_id"] is None

        second = installation.json("batch", str(file), "--wait", "--again")
        assert [row["totals"]["copied"] for row in second["imports"]] == [0, 0]
        for earlier, later in zip(first["imports"], second["imports"], strict=True):
            assert later["totals"]["already_there"] == earlier["totals"]["copied"]
        assert [new.read() for _, new in routes] == before

        sample = next(iter(sample_mailbox()))
        new_mail = Stored(("INBOX",), ("\\Seen",), sample.internal_date, b"Subject: new\r\n\r\nnew\r\n")
        routes[0][0].fill([new_mail])
        third = installation.json("batch", str(file), "--wait", "--again")
        assert [row["totals"]["copied"] for row in third["imports"]] == [1, 0]
    assert compare(routes[0][0].read(), routes[0][1].read(), folder_map=FOLDER_MAP) == []


def test_completion_mail_is_not_copied(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, smtp: SmtpCatcher
) -> None:
    [(old, new)] = mailboxes(make_user, old_host, new_host, 1)
    file = installation.csv("one.csv", [(old, new)])
    with installation.worker():
        installation.json("batch", str(file), "--wait")
        smtp.wait_for(2)
        notice = smtp.to(old.account.address)[0]
        date = next(iter(sample_mailbox())).internal_date
        old.fill([Stored(("INBOX",), (), date, notice.message.as_bytes().replace(b"\n", b"\r\n"))])
        report = installation.json("batch", str(file), "--wait", "--again")
    totals = report["imports"][0]["totals"]
    assert totals["copied"] == 0
    assert totals["skipped_reasons"] == {"completion mail of an earlier import": 1}


def test_a_bad_row_is_reported_and_the_others_continue(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, smtp: SmtpCatcher
) -> None:
    routes = mailboxes(make_user, old_host, new_host, 2)
    good, (old, new) = routes
    wrong = User(old.account, "not the password", old.ca_file)
    file = installation.csv("people.csv", [good, (wrong, new)])
    with installation.worker():
        report = installation.json("batch", str(file), "--wait", "--notify", "it@new.example", ends=3)
        smtp.wait_for(3)  # the summary, and two to the owners of the row that was copied
    states = {row["source"]["address"]: row["state"] for row in report["imports"]}
    assert states == {good[0].account.address: "complete", old.account.address: "stopped"}
    stopped = next(row for row in report["imports"] if row["state"] == "stopped")
    assert stopped["problem"]["code"] == "login_rejected"
    assert not smtp.to(old.account.address)  # no login proved that this mailbox is theirs
    bodies = [mail.message.get_body(("plain",)) for mail in smtp.to("it@new.example")]
    assert any(body is not None and "password" in body.get_content() for body in bodies)
    # With the right password the same file starts only that row.
    file = installation.csv("people.csv", routes)
    with installation.worker():
        again = installation.json("batch", str(file))
        assert [row["fate"] for row in again[0]["rows"]] == ["done", "started"]
        report = installation.json("batch", str(file), "--wait")
    assert compare(old.read(), new.read(), folder_map=FOLDER_MAP) == []
