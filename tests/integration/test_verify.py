"""`verify` between real servers: it finds what was altered on either side, and trusts no receipt."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import INBOX, FolderPath, Stored, connect
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation

WORK: FolderPath = ("Work",)


def stored(
    folder: FolderPath, text: str, *, content: str = "text", flags: tuple[str, ...] = (), day: int = 1
) -> Stored:
    message = f"Message-ID: <{text}@old.example>\r\nSubject: {text}\r\n\r\n{content}\r\n".encode()
    return Stored(folder, flags, datetime(2024, 5, day, 12, tzinfo=UTC), message)


def remove(user: User, folder: str, subject: str) -> None:
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    client.select(folder)
    [found] = client.search(None, "SUBJECT", f'"{subject}"')[1]
    assert len(found.split()) == 1
    client.store(found.decode(), "+FLAGS", "\\Deleted")
    client.expunge()
    client.logout()


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot) -> Installation:
    return Installation(tmp_path, {"CA_FILE": str(new_host.ca_file)})


@pytest.fixture
def pair(old_host: Dovecot, new_host: Dovecot, make_user: MakeUser) -> tuple[User, User]:
    old, new = make_user(old_host), make_user(new_host)
    old.fill([stored(INBOX, f"mail-{n}") for n in range(8)])
    old.fill([stored(INBOX, "mail-0"), stored(WORK, "work-1"), stored(WORK, "work-2")])  # one is a duplicate
    return old, new


def verify(installation: Installation, pair: tuple[User, User], id_: str, *words: str, ends: int) -> Any:
    copy = installation.copy_words(*pair)
    kept = (*copy[3:5], *copy[7:9])
    return installation.json("verify", id_, *kept, *words, ends=ends)


def test_both_sides_are_the_same(installation: Installation, pair: tuple[User, User]) -> None:
    id_ = installation.json(*installation.copy_words(*pair))["id"]
    result = verify(installation, pair, id_, "--full", ends=0)
    assert (result["agrees"], result["counts"]) == (True, {"same": 11})
    assert (result["listed"], result["compared"], result["differences"]) == (11, 11, [])
    sample = verify(installation, pair, id_, "--sample", "3", ends=0)
    assert (sample["listed"], sample["compared"], sample["counts"]) == (11, 3, {"same": 3})


def test_what_was_altered_on_either_side_is_found(
    installation: Installation, pair: tuple[User, User]
) -> None:
    old, new = pair
    id_ = installation.json(*installation.copy_words(*pair))["id"]
    # In the new mailbox: one byte, a flag, a date, a known form; one moved, one removed.
    for subject in ("mail-1", "mail-2", "mail-3", "mail-4", "mail-5", "mail-6"):
        remove(new, "INBOX", subject)
    known = stored(INBOX, "mail-4")
    marked = known.content.replace(b"Subject:", b"X-TUID: 123456789012\r\nSubject:")
    new.fill(
        [
            stored(INBOX, "mail-1", content="tExt"),
            stored(INBOX, "mail-2", flags=("\\Seen",)),
            stored(INBOX, "mail-3", day=2),
            Stored(known.folder, known.flags, known.internal_date, marked),
            stored(("Elsewhere",), "mail-5"),
        ]
    )
    # In the old one: one is new, one is gone.
    old.fill([stored(WORK, "work-3")])
    remove(old, _work(old), "work-2")
    result = verify(installation, pair, id_, "--full", ends=1)
    assert result["counts"] == {
        "same": 4,  # mail-0 twice, mail-7, work-1
        "known_form": 1,
        "content": 1,
        "flags": 1,
        "date": 1,
        "moved": 1,
        "removed": 1,
        "new": 1,
    }
    assert result["source_gone"] == 1
    found = {one["finding"]: one for one in result["differences"]}
    assert found["moved"]["destination_folder"] == "Elsewhere"
    assert found["removed"]["source_uid"] == 7
    assert "Elsewhere" in found["moved"]["sentence"]
    # It changed nothing, on either side.
    again = verify(installation, pair, id_, "--full", ends=1)
    assert again["counts"] == result["counts"]


def _work(user: User) -> str:
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    lines = [line.decode() for line in client.list()[1] if isinstance(line, bytes)]
    names = [line.rpartition(" ")[2].strip('"') for line in lines]
    client.logout()
    return next(name for name in names if name.endswith("Work"))


def test_receipts_prove_nothing(installation: Installation, pair: tuple[User, User]) -> None:
    """The ledger says that all is there; the new mailbox was emptied and filled with other mail."""
    _, new = pair
    id_ = installation.json(*installation.copy_words(*pair))["id"]
    client = connect(new.account.endpoint, new.account.login, new.password, new.ca_file)
    client.select("INBOX")
    client.store("1:*", "+FLAGS", "\\Deleted")
    client.expunge()
    client.logout()
    result = verify(installation, pair, id_, "--full", ends=1)
    assert result["counts"] == {"same": 2, "removed": 9}


def test_without_passwords_it_asks_and_a_wrong_one_is_refused(
    installation: Installation, pair: tuple[User, User]
) -> None:
    id_ = installation.json(*installation.copy_words(*pair))["id"]
    assert "No password for" in installation.run("verify", id_, ends=2).stderr
    wrong = installation.root / "wrong"
    wrong.write_text("wrong\n", encoding="utf-8")
    words = ("--from-password-file", str(wrong), "--to-password-file", str(wrong))
    installation.run("verify", id_, *words, ends=3)
