"""Label rules chosen at the console: shown by a check, applied to the copy and reported afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.hosts import User
from tests.rehearsal.imitations.gmail import GmailMailbox
from tests.rehearsal.imitations.server import Imitation
from tests.rehearsal.installation import Installation

ONCE = {"INBOX": 1, "Work": 1, "Work/Deep": 1, "[Gmail]/All Mail": 1}
FOR_EACH = {"INBOX": 3, "Work": 2, "Work/Deep": 1, "[Gmail]/All Mail": 1}


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot) -> Installation:
    return Installation(tmp_path, {"CA_FILE": str(new_host.ca_file)})


def mail(number: int) -> bytes:
    return b"Message-ID: <%d@old.example>\r\nSubject: %d\r\n\r\n%s\r\n" % (number, number, b"x" * 1000)


@pytest.fixture
def old(gmail_host: Imitation, make_user: MakeUser) -> User:
    user = make_user(gmail_host)
    mailbox = gmail_host.mailbox(user.account.login)
    assert isinstance(mailbox, GmailMailbox)
    mailbox.put(mail(1), ["\\Inbox", "Work"])
    mailbox.put(mail(2), ["\\Inbox", "Work", "Work/Deep"])
    mailbox.put(mail(3), ["\\Inbox"])
    mailbox.put(mail(4))
    return user


@pytest.mark.parametrize(("rule", "wanted"), [("one", ONCE), ("keywords", ONCE), ("each", FOR_EACH)])
def test_a_check_predicts_the_copy_and_the_report_names_the_label_rule(
    installation: Installation,
    old: User,
    new_host: Dovecot,
    make_user: MakeUser,
    rule: str,
    wanted: dict[str, int],
) -> None:
    words = (*installation.copy_words(old, make_user(new_host))[1:], "--labels", rule)
    check = installation.json("check", *words)
    assert check["labels"]["rule"] == rule
    assert {f["source_folder"]: f["messages"] for f in check["folders"] if f["messages"]} == wanted
    mean_bytes = check["source"]["size_bytes"] / sum(wanted.values())
    assert 1000 < mean_bytes < 1100
    assert check["to_copy"]["messages"] == sum(wanted.values())
    output = " ".join(installation.run("check", *words).stdout.split())
    assert check["labels"]["sentence"] in output
    assert ("more in the folders of other labels" in output) == (rule != "each")
    copied = installation.json("copy", *words)
    assert copied["labels"] == check["labels"]
    assert {f["source_folder"]: f["copied"] for f in copied["folders"] if f["copied"]} == wanted
    again = installation.json("check", *words)
    assert again["to_copy"]["messages"] == 0
    assert copied["labels"]["sentence"] in " ".join(installation.run("report", copied["id"]).stdout.split())
    assert copied["labels"]["sentence"] in " ".join(installation.run("show", copied["id"]).stdout.split())
    [explained] = installation.json("explain", copied["id"])
    assert explained["facts"]["labels"] == copied["labels"]["sentence"]


def test_a_host_without_labels_reports_no_label_rule(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    words = (*installation.copy_words(make_user(old_host), make_user(new_host))[1:], "--labels", "each")
    assert installation.json("check", *words)["labels"] is None
    assert installation.json("copy", *words)["labels"] is None
