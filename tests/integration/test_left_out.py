"""Messages left out by choice, on real servers: forecast by a check, skipped in the report, copied once it is
chosen; chosen at the console and in a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import MakeUser
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import Stored
from tests.rehearsal.installation import Installation
from tests.rehearsal.valkey import Valkey

FOLDERS = {("INBOX",): 3, ("Work",): 2, ("Work", "Old"): 2, ("Junk",): 1, ("Trash", "2019"): 1}
TOTAL = sum(FOLDERS.values())


def messages() -> Iterator[Stored]:
    """The first message of each folder is of 2019, the others are of 2026."""
    for path, number in FOLDERS.items():
        for n in range(number):
            when = datetime(2026 if n else 2019, 3, 1, 12, tzinfo=UTC)
            yield Stored(path, (), when, b"Subject: %s %d\r\n\r\ntext\r\n" % ("/".join(path).encode(), n))


class Case(NamedTuple):
    """An option, a value of it, and how many messages of each folder it leaves out, with the reason."""

    option: str
    value: str
    left_out: dict[str, int]
    reason: str
    named: str  # in the report


CASES = (
    Case(
        "folders",
        "INBOX, Work/*",
        {"Work": 2, "Junk": 1, "Trash/2019": 1},
        "folder_left_out.not_chosen",
        "INBOX, Work/*",
    ),
    Case(
        "spam_and_trash",
        "skip",
        {"Junk": 1, "Trash/2019": 1},
        "folder_left_out.spam_or_trash",
        "spam or trash",
    ),
    Case(
        "since",
        "2019-03-02",
        {"INBOX": 1, "Work": 1, "Work/Old": 1, "Junk": 1, "Trash/2019": 1},
        "before_date:2019-03-02",
        "2019-03-02",
    ),
)


@pytest.fixture
def installation(tmp_path: Path, new_host: Dovecot, valkey_server: Valkey) -> Installation:
    valkey_server.flush()
    settings = {
        "CA_FILE": str(new_host.ca_file),
        "REDIS_URL": valkey_server.url,
        "TICK_SECONDS": "1",
    }
    return Installation(tmp_path, settings)


def numbers(report: dict[str, Any], column: str) -> dict[str, int]:
    """The column of each folder in which it is not 0, by the names that people see: the old host has the
    prefix `INBOX.`."""
    return {
        f["source_folder"].removeprefix("INBOX.").replace(".", "/"): f[column]
        for f in report["folders"]
        if f[column]
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.option)
def test_the_console_leaves_out_what_was_not_chosen_and_copies_it_later(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, case: Case
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(messages())
    left_out = sum(case.left_out.values())
    words = installation.copy_words(old, new)
    choice = (f"--{case.option.replace('_', '-')}", case.value)
    check = installation.json("check", *words[1:], *choice)
    assert check["to_copy"]["messages"] == TOTAL - left_out
    copied = installation.json(*words, *choice)
    assert copied["totals"]["copied"] == TOTAL - left_out
    assert copied["totals"]["skipped_codes"] == {case.reason: left_out}
    assert numbers(copied, "skipped") == case.left_out
    assert (copied["totals"]["found"], copied["totals"]["adds_up"]) == (TOTAL, True)
    assert copied["options"][case.option] == case.value
    assert new.read().count() == TOTAL - left_out
    output = " ".join(installation.run("report", copied["id"]).stdout.split())
    [sentence] = copied["totals"]["skipped_reasons"]
    assert sentence in output
    assert case.named in output
    everything = installation.json(*words)
    assert everything["totals"]["copied"] == left_out
    assert everything["totals"]["already_there"] == TOTAL - left_out
    assert new.read().count() == TOTAL
    again = installation.json(*words, *choice)
    assert (again["totals"]["copied"], again["totals"]["already_there"]) == (0, TOTAL)
    undone = installation.json("undo", everything["id"], "--yes", *words[-2:])
    assert undone["totals"]["removed"] == left_out
    assert new.read().count() == TOTAL - left_out


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.option)
def test_a_row_of_a_file_precedes_the_console(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser, case: Case
) -> None:
    pairs = [(make_user(old_host), make_user(new_host)) for _ in range(2)]
    for old, _ in pairs:
        old.fill(messages())
    file = installation.csv("people.csv", pairs)
    head, first, second = file.read_text(encoding="utf-8").splitlines()
    default = "all" if case.option in ("folders", "since") else "copy"
    file.write_text(f'{head},{case.option}\n{first},"{case.value}"\n{second},{default}\n', encoding="utf-8")
    choice = (f"--{case.option.replace('_', '-')}", case.value)
    with installation.worker():
        report = installation.json("batch", str(file), "--wait", *choice)
        left_out = sum(case.left_out.values())
        skipped = [import_["totals"]["skipped_codes"] for import_ in report["imports"]]
        assert skipped == [{case.reason: left_out}, {}]
        again = installation.json("batch", str(file), *choice)
        assert [row["fate"] for row in again[0]["rows"]] == ["done", "done"]
        file.write_text(f"{head}\n{first}\n", encoding="utf-8")
        report = installation.json("batch", str(file), "--wait")
        assert [import_["totals"]["copied"] for import_ in report["imports"]] == [left_out]


def test_a_check_names_patterns_that_match_no_folder(
    installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    old, new = make_user(old_host), make_user(new_host)
    old.fill(messages())
    words: tuple[Any, ...] = ("check", *installation.copy_words(old, new)[1:], "--folders", "INBOX, Wrok/*")
    assert installation.json(*words)["unmatched"] == ["Wrok/*"]
    assert "No folder matches “Wrok/*”" in " ".join(installation.run(*words).stdout.split())
    refused = installation.run("copy", *words[1:-1], "INBOX, !", ends=2)
    assert "Pattern 2 has no name." in " ".join(refused.stderr.split())
