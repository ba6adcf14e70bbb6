"""`retry --failed-only` between real servers: it reads the failed messages, and no others."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from importer.compact.uid_set import UidSet
from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import connect
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation
from tests.rehearsal.quirks.mail import Mailbox, fill
from tests.rehearsal.quirks.server import QuirkServer, quirk_server
from tests.rehearsal.quirks.session import PASSWORD
from tests.rehearsal.quirks.verdict import read_user

FOLDERS = {b"INBOX": 23, b"Work": 9, b"Archive": 5}
LARGE = {b"INBOX": 2, b"Work": 1}
"""Messages beyond the limit of the new host at first."""
MAX_BYTES = 50_000


@pytest.fixture
def strict_host(tmp_path: Path, ca: CertificateAuthority) -> Iterator[Dovecot]:
    """Takes small messages only, until it is restarted with other options."""
    (tmp_path / "strict").mkdir()
    with dovecot(tmp_path / "strict", DovecotOptions(max_mail_bytes=MAX_BYTES), ca=ca) as host:
        yield host


@pytest.fixture
def new(strict_host: Dovecot, make_user: MakeUser) -> User:
    return make_user(strict_host)


@pytest.fixture
def old() -> Iterator[QuirkServer]:
    box = Mailbox()
    for name, number in FOLDERS.items():
        fill(box, name, number)
        fill(box, name, LARGE.get(name, 0), first=100, size=MAX_BYTES + 1000)
    with quirk_server(box=box) as server:
        yield server


@pytest.fixture
def installation(tmp_path: Path, new: User, valkey_url: str) -> Installation:
    settings = {"CA_FILE": str(new.ca_file), "REDIS_URL": valkey_url, "TICK_SECONDS": "1"}
    return Installation(tmp_path, settings)


def passwords(installation: Installation, new: User) -> tuple[str, ...]:
    words: list[str] = []
    for side, password in (("from", PASSWORD), ("to", new.password)):
        file = installation.root / f"{side}.password"
        file.write_text(password, encoding="utf-8")
        words += [f"--{side}-password-file", str(file)]
    return tuple(words)


def copy(installation: Installation, old: QuirkServer, new: User, *, ends: int) -> Any:
    endpoint = new.account.endpoint
    words = [
        *("--from", f"imap://reader@{endpoint_of(old)}"),
        *("--to", f"imaps://{new.account.login}@{endpoint.host}:{endpoint.port}"),
    ]
    return installation.json("copy", *words, *passwords(installation, new), "--allow-plaintext", ends=ends)


def endpoint_of(server: QuirkServer) -> str:
    return f"{server.endpoint.host}:{server.endpoint.port}"


def retry(installation: Installation, new: User, import_id: str) -> Any:
    """The report of the import that tries the failed messages of that one again."""
    with installation.worker():
        installation.run("retry", import_id, "--failed-only", *passwords(installation, new))
        [newest, *_] = installation.json("list")
        installation.run("watch", newest["id"], ends=None)
    return installation.json("report", newest["id"], ends=None)


def bodies_read(server: QuirkServer) -> Counter[int]:
    """How often each UID was asked for with its content, over all folders."""
    found: Counter[int] = Counter()
    for _, name, arguments in server.commands:
        uids, *items = arguments or [b""]
        if name == b"UID FETCH" and isinstance(uids, bytes) and "BODY.PEEK[]" in str(items):
            found.update(UidSet.parse(uids.decode()))
    return found


def outcomes(report: dict[str, Any]) -> dict[str, int]:
    names = ("found", "copied", "already_there", "gone", "duplicate", "skipped", "failed")
    return {name: number for name in names if (number := report["totals"][name])}


def remove_first(user: User) -> None:
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    client.select("INBOX")
    client.store("1", "+FLAGS", "\\Deleted")
    client.expunge()
    client.logout()


def test_only_the_failed_messages_are_read_and_copied(
    installation: Installation, old: QuirkServer, new: User, strict_host: Dovecot
) -> None:
    first = copy(installation, old, new, ends=1)
    assert outcomes(first) == {"found": 40, "copied": 37, "failed": 3}
    # Since then: new mail in three folders, one of them new, and a copy that its owner removed.
    for name in (b"INBOX", b"Archive", b"Later"):
        fill(old.box, name, 1, first=500)
    remove_first(new)
    strict_host.restart_with(DovecotOptions())
    old.commands.clear()

    again = retry(installation, new, first["id"])
    large = {FOLDERS[b"INBOX"] + 1, FOLDERS[b"INBOX"] + 2, FOLDERS[b"Work"] + 1}
    assert bodies_read(old) == dict.fromkeys(large, 1)
    assert again["retry_of"] == first["id"]
    assert (again["state"], again["totals"]["adds_up"]) == ("complete", True)
    assert outcomes(again) == {"found": 43, "copied": 3, "already_there": 36, "gone": 1, "skipped": 3}
    assert again["totals"]["skipped_codes"] == {"not_retried": 3}
    assert f"Only the messages that failed in import {first['id']} were tried again." in again["verdict"]
    present = read_user(new)
    assert len(present) == 39
    assert not [message for message in present if "Later" in message.folder]

    file = installation.root / "evidence.csv"
    installation.run("evidence", again["id"], "--output", str(file))
    with file.open(encoding="utf-8", newline="") as lines:
        counted: Counter[str] = Counter()
        for row in csv.DictReader(lines):
            if row["record"] in ("message", "messages", "rest"):
                counted[row["outcome"]] += int(row["messages"])
    assert counted == {"copied": 3, "present": 36, "gone": 1, "skipped": 3}

    refused = installation.run("retry", again["id"], "--failed-only", *passwords(installation, new), ends=2)
    assert "No message of the import failed" in " ".join(refused.stderr.split())
    undone = installation.json("undo", again["id"], "--yes", *passwords(installation, new)[2:])
    assert undone["totals"]["removed"] == 3
    assert len(read_user(new)) == 36
    everything = copy(installation, old, new, ends=0)
    assert outcomes(everything) == {"found": 43, "copied": 6, "already_there": 36, "gone": 1}


def test_a_folder_that_was_numbered_anew_is_looked_at_as_a_whole(
    installation: Installation, old: QuirkServer, new: User, strict_host: Dovecot
) -> None:
    first = copy(installation, old, new, ends=1)
    work = old.box.folders[b"Work"]
    work.uidvalidity += 100
    work.renumber(7001)
    strict_host.restart_with(DovecotOptions())
    old.commands.clear()
    again = retry(installation, new, first["id"])
    read = bodies_read(old)
    assert [uid for uid in read if uid < 7001] == [FOLDERS[b"INBOX"] + 1, FOLDERS[b"INBOX"] + 2]
    assert len(read) == 2 + len(work.messages)
    assert outcomes(again) == {"found": 40, "copied": 3, "already_there": 37}
    assert "numbered the messages of 1 folder anew" in again["verdict"]
    assert len(read_user(new)) == 40
