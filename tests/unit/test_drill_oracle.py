"""The oracle of the drill (`tests/drill`) sees each kind of fault: without these tests it could be blind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from tests.drill.history import DestinationHistory, Removed, SourceHistory
from tests.drill.oracle import excused, judge
from tests.drill.plan import SMALL, make_plan
from tests.drill.report_check import check_last_report, check_mails, check_report
from tests.rehearsal.fill import INBOX, FolderPath
from tests.rehearsal.snapshot import Mailbox, Seen

WORK: FolderPath = ("Work",)
KEPT: FolderPath = ("Kept",)
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def seen(text: str) -> Seen:
    return Seen(sha256(text.encode()).hexdigest(), frozenset({"\\seen"}), NOON, 10, f"<{text}>", text)


ONE, TWO, OLD = seen("one"), seen("two"), seen("old")


def mailbox(**folders: Sequence[Seen]) -> Mailbox:
    return Mailbox({(name,): list(messages) for name, messages in folders.items()}, frozenset())


SOURCE = mailbox(INBOX=[ONE], Work=[TWO])
PRIOR = mailbox(INBOX=[OLD])
GOOD = mailbox(INBOX=[OLD, ONE], Work=[TWO])


def faults(
    destination: Mailbox,
    *,
    prior: Mailbox = PRIOR,
    removed: Sequence[Removed] = (),
    renumbered: Sequence[tuple[float, FolderPath]] = (),
    renamed: Sequence[tuple[FolderPath, FolderPath]] = (),
    rebuilt: bool = False,
    source: Mailbox = SOURCE,
) -> list[tuple[str, FolderPath]]:
    history = DestinationHistory(0, prior, list(removed), list(renumbered), list(renamed), rebuilt=rebuilt)
    own = SourceHistory(0)
    for folder, messages in SOURCE.folders.items():
        own.delivered(folder, (one.digest for one in messages), 0.0)
    return [(one.fault, one.folder) for one in judge(history, {0: source}, {0: own}, destination)]


def gone(
    digest: str, folder: FolderPath = WORK, *, known: bool = True, to: FolderPath | None = None
) -> Removed:
    return Removed(5.0, folder, digest, frozenset({0} if known else ()), to)


def test_a_good_copy_has_no_fault() -> None:
    assert faults(GOOD) == []


def test_a_lost_message_is_seen() -> None:
    assert faults(mailbox(INBOX=[OLD], Work=[TWO])) == [("lost", INBOX)]
    assert faults(mailbox(INBOX=[ONE], Work=[TWO])) == [("lost", INBOX)]  # of the owner's own


def test_a_doubled_message_is_seen_also_across_folders() -> None:
    assert faults(mailbox(INBOX=[OLD, ONE, ONE], Work=[TWO])) == [("doubled", INBOX)]
    kept = mailbox(INBOX=[OLD, ONE], Work=[TWO], Kept=[TWO])
    assert faults(kept, removed=[gone(TWO.digest, to=KEPT)], renamed=[(WORK, KEPT)]) == [("doubled", WORK)]


def test_what_was_there_twice_before_stays_there_twice() -> None:
    twice = mailbox(INBOX=[OLD, ONE, ONE])
    assert faults(mailbox(INBOX=[OLD, ONE, ONE], Work=[TWO]), prior=twice) == []
    assert faults(mailbox(INBOX=[OLD, ONE], Work=[TWO]), prior=twice) == [("lost", INBOX)]
    assert faults(mailbox(INBOX=[OLD, ONE, ONE, ONE], Work=[TWO]), prior=twice) == [("doubled", INBOX)]


def test_an_altered_message_is_seen() -> None:
    for changed in (
        replace(ONE, flags=frozenset[str]()),
        replace(ONE, date=NOON + timedelta(seconds=1)),
    ):
        assert faults(mailbox(INBOX=[OLD, changed], Work=[TWO])) == [("altered", INBOX)]
    other = faults(mailbox(INBOX=[OLD, seen("onf")], Work=[TWO]))
    assert sorted(other) == [("altered", INBOX), ("lost", INBOX)]


def test_flags_that_the_server_forgot_are_told_apart() -> None:
    bare = mailbox(INBOX=[OLD, replace(ONE, flags=frozenset())], Work=[TWO])
    assert faults(bare, rebuilt=True) == [("forgotten", INBOX)]
    assert faults(bare) == [("altered", INBOX)]
    other = mailbox(INBOX=[OLD, replace(ONE, flags=frozenset({"\\flagged"}))], Work=[TWO])
    assert faults(other, rebuilt=True) == [("altered", INBOX)]


def test_a_message_in_another_folder_is_seen() -> None:
    assert faults(mailbox(INBOX=[OLD, ONE, TWO])) == [("misplaced", INBOX)]


def test_a_message_that_comes_back_is_seen() -> None:
    assert faults(GOOD, removed=[gone(TWO.digest)]) == [("undead", WORK)]
    assert faults(mailbox(INBOX=[OLD, ONE]), removed=[gone(TWO.digest)]) == []


def test_what_no_import_had_recorded_may_come_again_once() -> None:
    removed = [gone(TWO.digest, known=False)]
    assert faults(GOOD, removed=removed) == []
    assert faults(mailbox(INBOX=[OLD, ONE], Work=[TWO, TWO]), removed=removed) == [("doubled", WORK)]


def test_a_folder_with_another_uidvalidity_is_a_new_folder() -> None:
    removed = [gone(TWO.digest)]
    assert faults(GOOD, removed=removed, renumbered=[(6.0, WORK)]) == []
    assert faults(GOOD, removed=removed, renumbered=[(4.0, WORK)]) == [("undead", WORK)]
    assert faults(GOOD, removed=removed, renumbered=[(6.0, INBOX)]) == [("undead", WORK)]


def test_mail_in_a_renamed_folder_is_not_lost() -> None:
    moved = mailbox(INBOX=[OLD, ONE], Kept=[TWO])
    assert faults(moved, removed=[gone(TWO.digest, to=KEPT)], renamed=[(WORK, KEPT)]) == []


def test_what_left_the_source_may_stay_or_not() -> None:
    left = mailbox(INBOX=[ONE])
    assert faults(GOOD, source=left) == []
    assert faults(mailbox(INBOX=[OLD, ONE]), source=left) == []
    assert faults(mailbox(INBOX=[OLD, ONE], Work=[TWO, TWO]), source=left) == [("doubled", WORK)]


def test_what_came_again_without_fault_is_counted_by_its_reason() -> None:
    own = SourceHistory(0, {WORK: {TWO.digest: [(0.0, 1.0)]}})
    unknown = DestinationHistory(0, PRIOR, [gone(TWO.digest, known=False)])
    assert excused(unknown, {0: own}, GOOD, []) == {"no import had recorded it": 1}
    assert not excused(unknown, {0: own}, mailbox(INBOX=[ONE]), [])
    other = {0: own, 1: own}
    known = DestinationHistory(0, PRIOR, [gone(TWO.digest)])
    assert excused(known, other, GOOD, []) == {"another source has it too": 1}
    known.renumbered.append((9.0, WORK))
    assert excused(known, other, GOOD, []) == {"the folder was renumbered": 1}


# --- Reports and mails ----------------------------------------------------------------------------------


def report(**changes: object) -> dict[str, object]:
    folder = {
        "source_folder": "INBOX",
        "destination_folder": "INBOX",
        "found": 1,
        "copied": 1,
        "already_there": 0,
        "duplicate": 0,
        "skipped": 0,
        "failed": 0,
        "gone": 0,
        "confirmed": 1,
        "source_recount": 1,
        **changes,
    }
    return {
        "id": "a",
        "state": "complete",
        "verdict": "",
        "created_at": NOON.isoformat(),
        "finished_at": (NOON + timedelta(seconds=9)).isoformat(),
        "totals": {"adds_up": True, "unchecked": 0},
        "folders": [folder],
        "refusals": [],
    }


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, 0),
        ({"copied": 0}, 1),  # does not add up
        ({"found": 2, "copied": 2}, 1),  # more than the source had
    ],
)
def test_a_report_with_wrong_numbers_is_seen(changes: dict[str, object], number: int) -> None:
    source = SourceHistory(0)
    source.delivered(INBOX, [ONE.digest, TWO.digest], -100.0)
    source.expunged(INBOX, TWO.digest, -50.0)
    assert len(check_report(report(**changes), source, NOON)) == number


@pytest.mark.parametrize(
    ("changes", "destination", "number"),
    [
        ({}, mailbox(INBOX=[ONE]), 0),
        ({"copied": 0, "confirmed": 0, "already_there": 1}, mailbox(INBOX=[ONE]), 0),
        ({"found": 2, "copied": 2}, mailbox(INBOX=[ONE]), 3),  # found, confirmed, there
        ({"copied": 0, "confirmed": 0, "already_there": 1}, mailbox(INBOX=[]), 1),
        ({"copied": 0, "confirmed": 0, "gone": 1}, mailbox(INBOX=[]), 0),
    ],
)
def test_a_report_that_differs_from_what_is_there_is_seen(
    changes: dict[str, object], destination: Mailbox, number: int
) -> None:
    problems = check_last_report(report(**changes), mailbox(INBOX=[ONE]), destination, {})
    assert len(problems) == number, problems


@pytest.mark.parametrize(
    ("code", "destination", "number"),
    [
        ("never_seen", mailbox(INBOX=[]), 0),  # its owner removed it
        ("never_seen", mailbox(INBOX=[ONE]), 1),
        ("not_taken", mailbox(INBOX=[]), 1),
    ],
)
def test_an_incomplete_import_is_seen(code: str, destination: Mailbox, number: int) -> None:
    refused = report(copied=0, confirmed=0, failed=1) | {
        "state": "incomplete",
        "refusals": [{"folder": "INBOX", "subject": ONE.subject, "code": code}],
    }
    problems = check_last_report(refused, mailbox(INBOX=[ONE]), destination, {})
    assert len([problem for problem in problems if "incomplete" in problem]) == number


def test_mails_that_come_twice_or_not_at_all_are_seen() -> None:
    notices = [
        ("<1>", "ada", "sent", "a", ""),
        ("<2>", "ada", "refused", "b", "no such mailbox"),
        ("<3>", "ada", "sending", "c", ""),
        ("<4>", "ada", "sent", "d", "no reply from the server: timeout"),
    ]
    assert check_mails([notices[0], *notices[2:]], [("ada", "<1>")]) == ([], [])
    twice, missing = check_mails(notices, [("ada", "<1>"), ("ada", "<1>")])
    assert len(twice) == 1
    assert len(missing) == 1


def test_the_same_seed_makes_the_same_plan() -> None:
    assert make_plan(3, 60) == make_plan(3, 60)
    assert make_plan(3, 60) != make_plan(4, 60)
    assert make_plan(3, 60, SMALL).actions
