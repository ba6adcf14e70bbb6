"""The evidence of an import between real servers: every message has a line, the lines add up to the report,
the file comes out the same, and a script that knows nothing of Mailhaul checks it."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.dovecot import Dovecot, DovecotOptions, dovecot
from tests.rehearsal.fill import INBOX, FolderPath, Stored, connect
from tests.rehearsal.hosts import User
from tests.rehearsal.installation import Installation

FORMULA: FolderPath = ('=HYPERLINK("x")',)
DOCUMENT = Path(__file__).parents[2] / "docs" / "evidence.md"


def stored(folder: FolderPath, text: str, *, year: int = 2024, size: int = 0) -> Stored:
    content = f"Message-ID: <{text}@old.example>\r\nSubject: {text}\r\n\r\n{'x' * size}\r\n".encode()
    return Stored(folder, ("\\Seen",), datetime(year, 5, 1, 12, tzinfo=UTC), content)


def messages() -> Iterator[Stored]:
    yield from (stored(INBOX, f"inbox {n}") for n in range(6))
    yield stored(INBOX, "inbox 0")  # a duplicate
    yield stored(INBOX, "old", year=2019)
    yield stored(("Work",), "large", size=60_000)
    yield from (stored(("Work",), f"work {n}") for n in range(3))
    yield stored(FORMULA, "formula")


@pytest.fixture(scope="module")
def small_host(tmp_path_factory: pytest.TempPathFactory, ca: CertificateAuthority) -> Iterator[Dovecot]:
    """Takes messages of 50 kB at most."""
    options = DovecotOptions(max_mail_bytes=50_000)
    with dovecot(tmp_path_factory.mktemp("small"), options, ca=ca) as server:
        yield server


@pytest.fixture
def installation(tmp_path: Path, small_host: Dovecot) -> Installation:
    return Installation(tmp_path, {"CA_FILE": str(small_host.ca_file)})


def evidence(installation: Installation, import_id: str, form: str = "csv") -> Path:
    file = installation.root / f"{import_id}.{form}"
    installation.run("evidence", import_id, "--format", form, "--output", str(file))
    return file


def rows(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_bytes().splitlines()]
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def counted(file: Path) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in rows(file):
        if row["record"] in ("message", "messages", "rest"):
            counts[row["outcome"]] += int(row["messages"])
    return dict(counts)


def reported(report: dict[str, Any]) -> dict[str, int]:
    totals = report["totals"]
    names = ("copied", "already_there", "gone", "duplicate", "skipped", "failed")
    numbers = {name.replace("already_there", "present"): totals[name] for name in names}
    return {name: number for name, number in numbers.items() if number}


def delete(user: User, folder: str, sequence: str) -> None:
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    client.select(folder)
    client.store(sequence, "+FLAGS", "\\Deleted")
    client.expunge()
    client.logout()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_every_message_has_a_line_and_the_lines_add_up(
    installation: Installation, old_host: Dovecot, small_host: Dovecot, make_user: MakeUser, form: str
) -> None:
    old, new = make_user(old_host), make_user(small_host)
    old.fill(messages())
    new.fill([stored(INBOX, "inbox 1")])  # already there
    words = (*installation.copy_words(old, new), "--since", "2020-01-01")
    first = installation.json(*words, ends=1)
    assert reported(first) == {"copied": 9, "present": 1, "duplicate": 1, "skipped": 1, "failed": 1}
    file = evidence(installation, first["id"], form)
    assert counted(file) == reported(first)
    kept = file.read_bytes()

    lines = [row for row in rows(file) if row["record"] == "message"]
    copied = [row for row in lines if row["outcome"] == "copied"]
    assert all(int(row["source_uid"]) and int(row["destination_uid"]) for row in copied)
    assert all(re.fullmatch("[0-9a-f]{32}", row["digest"]) for row in copied)
    assert {row["date"] for row in copied} == {"2024-05-01T12:00:00+00:00"}
    work = next(row for row in copied if row["source_folder"].endswith("Work"))
    content = stored(("Work",), "work 0").content
    assert (work["digest"], int(work["size_bytes"])) == (sha256(content).hexdigest()[:32], len(content))
    [failed] = [row for row in lines if row["outcome"] == "failed"]
    assert (failed["reason"], int(failed["size_bytes"])) == (
        "not_taken",
        60_000 + len(stored(INBOX, "large").content),
    )
    [left_out] = [row for row in rows(file) if row.get("outcome") == "skipped"]
    assert left_out["reason"] == "before_date:2020-01-01"

    # What its owner removed, what left the old mailbox, what is new there.
    delete(new, "INBOX", "3:4")
    delete(old, "INBOX", "6")
    old.fill([stored(INBOX, "later")])
    second = installation.json(*words, ends=1)
    assert reported(second) == {
        "copied": 1,
        "present": 7,
        "gone": 2,
        "duplicate": 1,
        "skipped": 1,
        "failed": 1,
    }
    again = evidence(installation, second["id"], form)
    assert counted(again) == reported(second)
    assert not [row for row in rows(again) if row["record"] == "rest"]
    earlier = [row for row in rows(again) if row["record"] == "messages" and row.get("outcome") == "gone"]
    assert [row["detail"] for row in earlier] == [f"settled by import {first['id']}"]
    third = installation.json(*words, ends=1)  # nothing changed: folders are taken from their checkpoints
    assert counted(evidence(installation, third["id"], form)) == reported(third)

    # A later import leaves the evidence of an earlier one as it is.
    assert evidence(installation, first["id"], form).read_bytes() == kept
    for checked in (file, again):
        result = installation.json("evidence", "check", str(checked))
        assert (result["unaltered"], result["known_key"], result["faults"]) == (True, True, [])


def test_the_report_states_the_digest_of_the_file(
    installation: Installation, old_host: Dovecot, small_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(small_host)
    old.fill(messages())
    report = installation.json(*installation.copy_words(old, new), ends=1)
    file = evidence(installation, report["id"])
    digest = sha256(file.read_bytes()).hexdigest()
    assert report["evidence_sha256"] == digest
    # With a new secret key in front, the seal of the end is still the same.
    keys = (installation.data / "secret.key").read_text(encoding="ascii")
    new_key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    (installation.data / "secret.key").write_text(f"{new_key}\n{keys}", encoding="ascii")
    assert sha256(evidence(installation, report["id"]).read_bytes()).hexdigest() == digest
    assert installation.json("evidence", "check", str(file))["known_key"] is True
    assert len(installation.run("evidence", "key").stdout.split()) == 2
    # An undo changes the ledger: another file, and it says so.
    installation.run("undo", report["id"], "--yes", *installation.copy_words(old, new)[-2:], ends=None)
    undone = installation.run("evidence", report["id"])
    assert sha256(undone.stdout.encode()).hexdigest() != digest
    assert "not the file whose SHA-256" in " ".join(undone.stderr.split())
    assert ",undone," in undone.stdout


def test_a_copy_seals_only_what_it_states(
    installation: Installation, old_host: Dovecot, small_host: Dovecot, make_user: MakeUser
) -> None:
    """Sealing takes time for each message. Without --json and mail nothing would state the SHA-256."""
    old, new = make_user(old_host), make_user(small_host)
    old.fill(messages())
    installation.run(*installation.copy_words(old, new), ends=1)
    with closing(sqlite3.connect(installation.data / "mailhaul.db")) as database:
        assert database.execute("SELECT count(*) FROM evidence_seals").fetchone() == (0,)
    (import_,) = installation.json("list")
    file = evidence(installation, import_["id"])
    assert installation.json("evidence", "check", str(file))["known_key"] is True


def test_no_cell_is_a_formula(
    installation: Installation, old_host: Dovecot, small_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(small_host)
    old.fill(messages())
    report = installation.json(*installation.copy_words(old, new), ends=1)
    file = evidence(installation, report["id"])
    cells = [cell for row in rows(file) for cell in row.values()]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_a_script_that_knows_nothing_of_us_checks_the_file(
    installation: Installation, old_host: Dovecot, small_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(small_host)
    old.fill(messages())
    report = installation.json(*installation.copy_words(old, new), ends=1)
    [script] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(script.splitlines()) <= 10
    assert "mailhaul" not in script.replace("mailhaul evidence 1", "")
    key = installation.run("evidence", "key").stdout.strip()
    for form in ("csv", "jsonl"):
        file = evidence(installation, report["id"], form)
        command = [sys.executable, "-c", script, str(file), key]
        good = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (good.returncode, good.stdout.split()[-1]) == (0, sha256(file.read_bytes()).hexdigest())
        file.write_bytes(file.read_bytes().replace(b"copied", b"gone", 1))
        assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_what_was_altered_is_found(
    installation: Installation, old_host: Dovecot, small_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(small_host)
    old.fill(messages())
    report = installation.json(*installation.copy_words(old, new), ends=1)
    file = evidence(installation, report["id"])
    lines = file.read_bytes().splitlines(keepends=True)
    altered = installation.root / "altered.csv"

    def faults(changed: list[bytes]) -> list[tuple[str, int]]:
        altered.write_bytes(b"".join(changed))
        result = installation.json("evidence", "check", str(altered), ends=1)
        return [(fault["code"], fault["line"]) for fault in result["faults"]]

    at = next(n for n, line in enumerate(lines) if b",copied," in line)
    other = lines[at].replace(b",copied,", b",skipped,")
    found = faults([*lines[:at], other, *lines[at + 1 :]])
    assert found[0] == ("line_altered", at + 1)
    assert {code for code, _ in found} == {"line_altered", "sum", "seal_digest", "seal_signature"}
    assert faults([*lines[:at], *lines[at + 1 :]])[0] == ("line_altered", at + 1)  # removed
    assert faults([*lines[: at + 1], lines[at], *lines[at + 1 :]])[0] == ("line_altered", at + 2)  # twice
    assert ("seal_missing", len(lines) - 1) in faults(lines[:-1])
    assert faults([*lines, lines[at]])[0] == ("line_altered", len(lines) + 1)
    assert "altered" in installation.run("evidence", "check", str(altered), ends=1).stdout
    # A seal by another installation is told from ours, and accepted if its key is expected.
    stranger = Installation(installation.root / "stranger", dict(installation.settings))
    (installation.root / "stranger").mkdir()
    assert stranger.json("evidence", "check", str(file), ends=1)["known_key"] is False
    key = installation.run("evidence", "key").stdout.strip()
    assert stranger.json("evidence", "check", str(file), "--key", key)["known_key"] is True
    (installation.root / "no.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    installation.run("evidence", "check", str(installation.root / "no.csv"), ends=2)
