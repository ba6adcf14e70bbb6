"""The report of an import: totals, verdict, JSON and exit code."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from importer.compact.uid_set import Uid, UidValidity
from importer.domain.messages.skip_reason import OWN_NOTICE, SkipReason
from importer.domain.model import Account, Alert, Batch, BatchId, Import, ImportId, Problem, State
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.reporting.csv_cell import cell
from importer.domain.reporting.formatting import printable
from importer.domain.reporting.report import BatchReport, ExitCode, Report, exit_code
from importer.domain.reporting.server_alerts import MAX_IMPORT_ALERTS, each_once
from importer.i18n.alert_texts import alert_texts
from importer.i18n.outcome_texts import batch_text, outcome_text
from importer.i18n.report_json import batch_json, report_json
from importer.i18n.translations import LANGUAGES, texts
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text

T = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
IMPORT = Import(
    ImportId("i1"),
    Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example")),
    Account("ada@new.example", "ada", Endpoint("imap.new.example")),
    T,
    state=State.COMPLETE,
    started_at=T,
    finished_at=T + timedelta(minutes=3, seconds=12),
)
FULL = Problem(Text("destination_full"), Side.DESTINATION, "NO [OVERQUOTA]")
LOGIN = Problem(Text("login_rejected", host="old.example"), Side.SOURCE)
WRONG_HOST = Problem(Text("host_unknown", host="imap.old.example"), Side.SOURCE)

READ_ONLY = Text("folder_unusable.read_only", folder="A")
TOO_LARGE = Text("too_large", size="60 MB")


def report(*tallies: FolderTally, refusals: tuple[Refusal, ...] = (), **changes: Any) -> Report:
    return Report(replace(IMPORT, **changes), tallies, refusals)


def unseen(count: int) -> tuple[Refusal, ...]:
    """The refusals of messages that an earlier import copied and no recount has seen."""
    return tuple(
        Refusal(IMPORT.id, "INBOX", UidValidity(1), Uid(n), Text("never_seen"), code=RefusalCode.NEVER_SEEN)
        for n in range(1, count + 1)
    )


def verdict(it: Report) -> str:
    return outcome_text(texts("en"), it.outcome)


def folder(name: str = "INBOX", **numbers: Any) -> FolderTally:
    return FolderTally(name, name, **numbers)


def test_every_found_message_is_counted_once_in_the_totals() -> None:
    it = report(
        folder(
            found=10,
            copied=4,
            present=3,
            duplicate=1,
            skipped={SkipReason("a"): 1},
            failed=1,
            copied_bytes=500,
        ),
        folder(
            "Sent",
            found=5,
            copied=2,
            skipped={SkipReason("a"): 1, SkipReason("b"): 2},
            copied_bytes=70,
            keywords_dropped=2,
        ),
    )
    totals = it.totals
    assert (totals.found, totals.copied, totals.present, totals.duplicate) == (15, 6, 3, 1)
    assert (totals.skipped_total, totals.failed, totals.copied_bytes, totals.keywords_dropped) == (
        4,
        1,
        570,
        2,
    )
    assert sorted(totals.skipped.items()) == [(SkipReason("a"), 2), (SkipReason("b"), 2)]
    assert totals.accounted == totals.found
    assert it.adds_up


def test_errors_of_two_folders_do_not_cancel_each_other_out() -> None:
    it = report(folder(found=2, copied=1), folder("Sent", found=1, copied=2))
    assert it.totals.adds_up
    assert not it.adds_up


@pytest.mark.parametrize(
    ("tallies", "confirmed"),
    [
        ((folder(found=2, copied=2, confirmed=2), folder("Sent", found=1, copied=1, confirmed=1)), 3),
        ((folder(found=2, copied=2, confirmed=2), folder("Sent", found=1, copied=1)), None),
        ((folder(found=2, copied=2, confirmed=2), folder("Sent", found=1, present=1)), 2),
        ((folder(found=2, present=2),), None),
    ],
)
def test_a_recount_counts_only_when_it_covers_every_copy(
    tallies: tuple[FolderTally, ...], confirmed: int | None
) -> None:
    assert report(*tallies).totals.confirmed == confirmed


@pytest.mark.parametrize(
    ("it", "words"),
    [
        (
            report(folder(found=4211, copied=4203, duplicate=8)),
            "All 4,211 messages listed by the old mailbox are in the new one.",
        ),
        (
            report(folder(found=1, copied=1)),
            "The one message listed by the old mailbox is in the new one.",
        ),
        (
            report(folder(found=30, copied=2, present=28)),
            "All 30 messages listed by the old mailbox are in the new one: 2 new, 28 already there.",
        ),
        (
            report(folder(found=30, copied=2, present=25, duplicate=3)),
            "All 30 messages listed by the old mailbox are in the new one: 2 new, 25 already there,"
            " 3 duplicates.",
        ),
        (
            report(folder(found=30, present=28, duplicate=2)),
            "All 30 messages listed by the old mailbox were already in the new one:"
            " there was nothing new to copy.",
        ),
        (
            report(folder(found=30, present=28, skipped={OWN_NOTICE: 2})),
            "All messages listed by the old mailbox are in the new one (28),"
            " except for 2 left out (completion mail of an earlier import:\u00a02).",
        ),
        (
            report(folder(found=10, present=7, gone=3)),
            "7 of 10 messages listed by the old mailbox are in the new one: there was nothing new to"
            " copy. 3 messages were copied before and are no longer in their folders of the new mailbox: they"
            " stay away, because their owner deleted or moved them.",
        ),
        (
            report(folder(found=5, copied=1, gone=3, skipped={OWN_NOTICE: 1})),
            "1 of 5 messages listed by the old mailbox is in the new one, 1 of them new."
            " 3 messages were copied before and are no longer in their folders of the new mailbox: they stay"
            " away, because their owner deleted or moved them. 1 left out"
            " (completion mail of an earlier import:\u00a01).",
        ),
        (
            report(folder(found=10, present=9, gone=1, unchecked=9), state=State.INCOMPLETE),
            "1 message was copied before and is no longer in its folder of the new mailbox: it stays away,"
            " because its owner deleted or moved it."
            " 9 messages could not be checked in the new mailbox: start the import again.",
        ),
        (report(), "The old mailbox listed no messages: there was nothing to copy."),
        (
            report(folder(found=4211, copied=4208, failed=3), state=State.INCOMPLETE),
            "4,208 of 4,211 messages listed by the old mailbox are in the new one, 3 could not be copied.",
        ),
        (
            report(folder(found=9, present=5, failed=4), refusals=unseen(3), state=State.INCOMPLETE),
            "5 of 9 messages listed by the old mailbox are in the new one, 1 could not be copied."
            " 3 messages were sent by an earlier import, but never seen in the new mailbox.",
        ),
        (
            report(folder(found=9, present=8, failed=1), refusals=unseen(1), state=State.INCOMPLETE),
            "8 of 9 messages listed by the old mailbox are in the new one."
            " 1 message was sent by an earlier import, but never seen in the new mailbox.",
        ),
        (
            report(folder(found=9, copied=5), state=State.INCOMPLETE),
            "Only 5 of 9 messages listed by the old mailbox are accounted for: start the import again.",
        ),
        (
            report(folder(found=9, copied=4), state=State.STOPPED, problem=FULL),
            "Stopped. The new mailbox is full. Free up space or get more, then start the import again:"
            " it resumes where it stopped. The server said: “NO [OVERQUOTA]”."
            " So far, 4 of 9 messages are in the new mailbox.",
        ),
        (
            report(state=State.STOPPED, problem=LOGIN),
            "Stopped. old.example does not accept this password. Check it; many providers require an app"
            " password. Nothing has been copied yet.",
        ),
        (
            report(state=State.WAITING, problem=WRONG_HOST, not_before=T),
            "Waiting until Mar 1, 2026, 14:30 UTC. There is no server called imap.old.example."
            " Check the address or the server name."
            " It continues automatically. Nothing has been copied yet.",
        ),
        (report(state=State.QUEUED), "Not started yet."),
    ],
)
def test_the_verdict_describes_the_outcome(it: Report, words: str) -> None:
    assert verdict(it) == words


@pytest.mark.parametrize(
    ("copied", "words"),
    [
        (230, "All 230 messages listed by the old mailbox are in the new one. "),
        (0, ""),
    ],
)
def test_closed_folders_are_not_the_whole_verdict(copied: int, words: str) -> None:
    closed = [Refusal(IMPORT.id, name, UidValidity(1), None, READ_ONLY, count=0) for name in ("A", "B")]
    it = report(
        folder(found=copied, copied=copied, confirmed=copied), refusals=tuple(closed), state=State.INCOMPLETE
    )
    assert verdict(it) == (
        f"{words}2 folders of the old mailbox could not be opened, so nothing in them was copied."
    )


def test_an_incomplete_import_without_a_named_gap_was_not_verified() -> None:
    it = report(folder(found=9, copied=9, confirmed=9), state=State.INCOMPLETE)
    assert verdict(it) == (
        "All 9 messages listed by the old mailbox are in the new one."
        " Not everything could be verified: start the import again."
    )


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_verdict_and_an_exit_code(state: State) -> None:
    it = report(folder(found=1), state=state)
    assert verdict(it).endswith(".")
    assert "None" not in verdict(it)
    assert isinstance(it.exit_code, ExitCode)


def test_previously_copied_mail_does_not_read_like_an_error() -> None:
    words = verdict(report(folder(found=30, present=30))).casefold()
    assert not any(word in words for word in ("fail", "could not", "skip", "left out", "error", "only"))


def test_an_unconfirmed_copy_and_an_unreadable_folder_are_mentioned() -> None:
    closed = Refusal(IMPORT.id, "Shared", UidValidity(1), None, READ_ONLY, count=0)
    words = verdict(
        report(folder(found=9, copied=9, confirmed=7), refusals=(closed,), state=State.INCOMPLETE)
    )
    assert "2 of 9 copied messages were not found" in words
    assert "1 folder of the old mailbox could not be opened" in words
    assert not words.startswith("All")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": State.COMPLETE}, 0),
        ({"state": State.INCOMPLETE}, 1),
        ({"state": State.STOPPED, "problem": LOGIN}, 3),
        ({"state": State.STOPPED, "problem": FULL}, 4),
        ({"state": State.STOPPED, "problem": WRONG_HOST}, 5),
        ({"state": State.STOPPED}, 5),
        ({"state": State.WAITING, "problem": FULL}, 4),
        ({"state": State.RUNNING, "problem": FULL}, 5),
        ({"state": State.QUEUED}, 5),
        ({"state": State.FAILED, "problem": LOGIN}, 6),
    ],
)
def test_the_exit_code_reflects_the_outcome(changes: Mapping[str, Any], code: int) -> None:
    assert exit_code(replace(IMPORT, **changes)) == code


def batch(*reports: Report) -> BatchReport:
    return BatchReport(Batch(BatchId("b1"), T, "move.csv", "it@new.example"), reports)


def test_the_exit_code_of_a_batch_is_that_of_its_worst_row() -> None:
    rows = [
        report(),
        report(state=State.INCOMPLETE),
        report(state=State.WAITING),
        report(state=State.STOPPED, problem=FULL),
        report(state=State.STOPPED, problem=LOGIN),
        report(state=State.FAILED),
    ]
    assert [int(batch(*rows[: n + 1]).exit_code) for n in range(len(rows))] == [0, 1, 5, 4, 3, 6]
    assert batch().exit_code == 0


def test_a_batch_verdict_counts_done_mailboxes_and_other_outcomes() -> None:
    good = report(folder(found=5, copied=4, present=1))
    assert (
        batch_text(texts("en"), batch(good, good))
        == "All 2 mailboxes are complete: 8 messages copied, 2 already there."
    )
    stopped = report(folder(found=3, copied=1, failed=1), state=State.STOPPED, problem=FULL)
    unfinished = batch(good, stopped, report(state=State.RUNNING))
    assert batch_text(texts("en"), unfinished) == (
        "1 of 3 mailboxes complete; 1 stopped, 1 in progress."
        " So far: 5 messages copied, 1 already there, 1 could not be copied."
    )
    again = report(folder(found=3, present=1, failed=2), refusals=unseen(2), state=State.INCOMPLETE)
    assert batch_text(texts("en"), batch(again)) == (
        "0 of 1 mailbox complete; 1 finished with gaps."
        " So far: 0 messages copied, 1 already there, 2 sent, but never seen there."
    )


def test_what_servers_want_to_be_read_is_told_once_and_within_bounds() -> None:
    heard = [Alert(Side.SOURCE, f"Maintenance {n}") for n in (1, 1, 2)]
    assert each_once(heard) == (heard[0], heard[2])
    assert len(each_once(Alert(Side.SOURCE, str(n)) for n in range(1000))) == MAX_IMPORT_ALERTS
    it = report(folder(found=1, copied=1), alerts=(heard[0], Alert(Side.DESTINATION, "Your quota shrinks")))
    accounts = it.import_.source, it.import_.destination
    hosts = [account.endpoint.host for account in accounts]
    assert report_json(texts("en"), it)["alerts"] == [
        {"side": "source", "server": hosts[0], "text": "Maintenance 1"},
        {"side": "destination", "server": hosts[1], "text": "Your quota shrinks"},
    ]
    for language in LANGUAGES:
        said = alert_texts(texts(language), it.import_.alerts, *accounts)
        for host, alert, sentence in zip(hosts, it.import_.alerts, said, strict=True):
            assert host in sentence
            assert alert.text in sentence


def test_json_has_all_fields() -> None:
    refusal = Refusal(
        IMPORT.id,
        "INBOX",
        UidValidity(7),
        Uid(9),
        TOO_LARGE,
        "2019-03-01",
        "Pictures",
        61_400_000,
    )
    it = report(
        folder(found=3, copied=1, skipped={OWN_NOTICE: 1}, failed=1, copied_bytes=10, source_recount=4),
        refusals=(refusal,),
        state=State.INCOMPLETE,
    )
    read = json.loads(json.dumps(batch_json(texts("en"), batch(it))))
    assert (read["batch_id"], read["exit_code"], read["states"]) == ("b1", 1, {"incomplete": 1})
    (row,) = read["imports"]
    assert row["source"] == {"address": "ada@old.example", "server": "imaps://imap.old.example"}
    assert row["finished_at"] == "2026-03-01T14:33:12+00:00"
    assert row["duration_s"] == 192
    sums = {
        "found": 3,
        "copied": 1,
        "already_there": 0,
        "gone": 0,
        "duplicate": 0,
        "skipped": 1,
        "skipped_codes": {"own_notice": 1},
        "skipped_reasons": {"completion mail of an earlier import": 1},
        "failed": 1,
        "copied_bytes": 10,
        "keywords_dropped": 0,
        "flags_updated": 0,
        "recognised": 0,
        "changes": {},
        "confirmed": None,
        "unchecked": 1,
        "still_to_do": 0,
        "adds_up": True,
    }
    assert row["totals"] == read["totals"] == sums
    names = {"source_folder": "INBOX", "destination_folder": "INBOX", "source_recount": 4, "elsewhere": 0}
    assert row["folders"] == [names | sums]
    assert row["refusals"] == [
        {
            "folder": "INBOX",
            "uid": 9,
            "date": "2019-03-01",
            "subject": "Pictures",
            "size_bytes": 61_400_000,
            "code": "other",
            "reason": "larger than the new mailbox accepts (60 MB)",
            "detail": "too_large",
            "params": {"size": "60 MB"},
            "messages": 1,
        }
    ]


def test_json_has_every_key_of_its_docstring() -> None:
    doc = report_json.__doc__ or ""
    assert [key for key in report_json(texts("en"), report(problem=FULL)) if key not in doc] == []


def test_mail_that_arrived_during_the_import_is_counted() -> None:
    assert report(folder(found=3, source_recount=5), folder("Sent", found=2)).source_grew_by == 2


def test_an_import_without_an_end_has_no_duration() -> None:
    assert report(finished_at=None).duration is None


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("Hi\r\nBcc: x@evil.example", "Hi Bcc: x@evil.example"),
        ("\x1b[31mred\x07", "[31mred"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("a\u2066b\u2069c\u200bd\ufeffe", "abcde"),
        ("half \ud83d", "half \ufffd"),
        ("\u2028line\u00a0 \tblanks ", "line blanks"),
        ("« Work »\u202f; 1\u00a0Go", "« Work »\u202f; 1\u00a0Go"),
        ("👩‍👧 می‌خواهم", "👩‍👧 می‌خواهم"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_external_text_becomes_one_printable_line(foreign: str, shown: str) -> None:
    assert printable(foreign) == shown


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "subject",
    ["=x", "x;=cmd|' /C calc'!A0;y", "x;  @SUM(1)", "a|+1", 'x;"=1', "x;\uff1d1", "a;b;-1", ";=1"],
)
def test_no_cell_is_a_formula_for_a_reader_of_any_separator(subject: str, separator: str) -> None:
    line = io.StringIO()
    csv.writer(line).writerow(["id", cell(subject)])
    for found in next(csv.reader(io.StringIO(line.getvalue()), delimiter=separator)):
        assert not found.lstrip(' "').startswith(tuple("=+-@\uff1d")), found
