"""Changes of a message: marks, the server's changes of a copy, and one line for each kind."""

from __future__ import annotations

import csv
import io

import pytest

from importer.compact.uid_set import Uid, UidValidity
from importer.domain.mailbox_content import FolderRef, Message
from importer.domain.messages import stored_changes
from importer.domain.messages.message_identity import digest, header_block, with_crlf
from importer.domain.messages.normalise import DATE_FROM_FIELD, DATE_MOVED, DATE_UNKNOWN
from importer.domain.messages.stored_changes import (
    ENDS_WITHIN_LINE,
    HAS_8BIT_HEADER,
    HAS_BARE_CR,
    HAS_NUL,
    LINE_ENDS,
)
from importer.domain.model import ImportId
from importer.domain.receipts.folder_history import FolderHistory, with_batch
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.receipts.marked_copies import PER_MARK, MarkedCopies
from importer.domain.receipts.receipt import ChangeKind, Outcome, Receipt
from importer.domain.receipts.receipt_splitting import split
from importer.domain.reporting.totals import Totals
from importer.i18n.change_texts import change_texts
from importer.i18n.report_csv import refusals_csv
from importer.i18n.translations import LANGUAGES, texts
from tests.unit.test_report import folder, report

HEAD = b"Subject: x\r\nDate: Tue, 3 Mar 2020 04:05:06 -0330\r\n\r\n"
WRITTEN = "03-Mar-2020 04:05:06 -0330"
INBOX = FolderRef("INBOX", UidValidity(3))


def marks(original: bytes) -> int:
    body = with_crlf(original)
    return stored_changes.content_marks(body, header_block(body), original)


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        (HEAD + b"x\r\n", 0),
        (b"", 0),
        (HEAD + b"\xe4\r\n", 0),
        (HEAD + b"a\nb\r\n", LINE_ENDS),
        (HEAD + b"a\n", LINE_ENDS),
        (HEAD + b"a", ENDS_WITHIN_LINE),
        (HEAD + b"a\r", ENDS_WITHIN_LINE | HAS_BARE_CR),
        (HEAD + b"a\rb\r\n", HAS_BARE_CR),
        (HEAD + b"a\rb\n", HAS_BARE_CR | LINE_ENDS),
        (HEAD + b"\0\r\n", HAS_NUL),
        (b"Subject: Gr\xfc\xdfe\r\n\r\nx\r\n", HAS_8BIT_HEADER),
    ],
)
def test_marks_tell_what_servers_change(original: bytes, expected: int) -> None:
    assert marks(original) == expected


@pytest.mark.parametrize(
    ("sent", "stored", "kinds"),
    [
        (HEAD + b"\0\r\n", HEAD + b"\0\r\n", []),
        (HEAD + b"\0\r\n", HEAD + b"\x80\r\n", [ChangeKind.NUL_REPLACED]),
        (HEAD + b"x", HEAD + b"x\r\n", [ChangeKind.LAST_LINE_ENDED]),
        (HEAD + b"a\rb\r\n", HEAD + b"a\r\nb\r\n", [ChangeKind.BARE_CR]),
        (HEAD + b"a\rb", HEAD + b"a b\n", [ChangeKind.LAST_LINE_ENDED, ChangeKind.BARE_CR]),
        (b"X: \xfc\r\n\r\nx\r\n", b"X: X\r\n\r\nx\r\n", [ChangeKind.HEADER_8BIT]),
        (HEAD + b"\0\r\n", HEAD + b"\0", [ChangeKind.CONTENT]),
    ],
)
def test_a_copy_that_is_read_back_tells_what_the_server_changed(
    sent: bytes, stored: bytes, kinds: list[ChangeKind]
) -> None:
    copy = Message(Uid(1), (), WRITTEN, stored)
    assert stored_changes.changed_by_server(marks(sent), digest(sent), copy) == kinds


@pytest.mark.parametrize(
    ("mark", "stored", "kept"),
    [
        (DATE_FROM_FIELD, WRITTEN, True),
        (DATE_FROM_FIELD, "03-Mar-2020 07:35:06 +0000", True),
        (DATE_FROM_FIELD, "01-Mar-2026 12:00:00 +0000", False),
        (DATE_UNKNOWN, "01-Jan-1970 00:00:01 +0000", True),
        (DATE_UNKNOWN, "01-Jan-1970 00:00:00 +0000", False),
        (DATE_MOVED, "31-Dec-1969 19:00:01 -0500", True),
        (DATE_MOVED, "", False),
        (HAS_NUL, "01-Mar-2026 12:00:00 +0000", True),  # a date that servers keep is not looked at
    ],
)
def test_a_stand_in_for_a_date_is_looked_up(mark: int, stored: str, kept: bool) -> None:
    message = Message(Uid(1), (), stored, HEAD + b"x\r\n")
    kinds = stored_changes.changed_by_server(mark, digest(message.body), message)
    assert kinds == ([] if kept else [ChangeKind.DATE_NOT_KEPT])


# --- Receipts ---------------------------------------------------------------------------------------


def receipt(given: bytes, *, uids: bool = True, size_bytes: int = 0) -> Receipt:
    numbers = tuple(Uid(n + 1) for n in range(len(given)))
    return Receipt(
        ImportId("i1"),
        INBOX,
        numbers,
        Outcome.COPIED,
        FolderRef("INBOX", UidValidity(7)),
        numbers if uids else (),
        b"".join(n.to_bytes(16) for n in numbers),
        size_bytes,
        marks=given,
    )


def test_a_date_that_the_server_refused_counts_once_as_not_kept() -> None:
    mark = stored_changes.DATE_LEFT_OUT | LINE_ENDS
    assert stored_changes.changed_before(mark) == [ChangeKind.DATE_NOT_KEPT, ChangeKind.LINE_ENDS]
    stored = Message(Uid(1), (), "01-Mar-2026 00:00:00 +0000", b"Subject: a\r\n\r\n")
    assert stored_changes.changed_by_server(mark, digest(stored.body), stored) == []


def test_the_history_counts_what_was_changed_of_this_import() -> None:
    given = receipt(bytes([LINE_ENDS, LINE_ENDS | DATE_UNKNOWN, 0, HAS_NUL]))
    history = FolderHistory(ImportId("i1"), INBOX, FolderRef("INBOX", UidValidity(7)))
    history.extend([given])
    changes = {"date_unknown": 1, "line_ends": 2}
    assert history.tally(history.settled, "INBOX").changes == changes
    assert with_batch(FolderTally("INBOX", "INBOX"), [given], []).changes == changes
    assert set(history.marked.sample) == {2, 4}
    another = FolderHistory(ImportId("i2"), INBOX, FolderRef("INBOX", UidValidity(7)))
    another.extend([given])
    assert another.tally(history.settled, "INBOX").changes == {}


def test_the_copies_that_are_read_back_are_bounded_by_number_and_bytes() -> None:
    copies = MarkedCopies()
    copies.add(receipt(bytes([HAS_NUL]) * 1000 + bytes([HAS_8BIT_HEADER, LINE_ENDS])))
    assert len(copies.sample) == PER_MARK + 1
    assert copies.suspects == 1001
    copies = MarkedCopies()
    copies.add(receipt(bytes([HAS_NUL]) * 4, size_bytes=100 << 20))
    assert (len(copies.sample), copies.suspects) == (0, 4)
    copies = MarkedCopies()
    copies.add(receipt(bytes([HAS_NUL]) * 4, uids=False))
    assert (len(copies.sample), copies.suspects) == (0, 4)


def test_a_split_receipt_keeps_the_marks_of_its_messages() -> None:
    kept, removed = split(receipt(bytes([1, 2, 3])), lambda index: index == 1)
    assert kept
    assert removed
    assert (kept.marks, removed.marks) == (bytes([1, 3]), bytes([2]))


# --- The report -------------------------------------------------------------------------------------


def test_each_kind_has_a_sentence_of_its_own_in_each_language() -> None:
    for number in (1, 3):
        changes: dict[str, int] = dict.fromkeys(ChangeKind, number)
        for language in LANGUAGES:
            sentences = change_texts(texts(language), changes)
            assert list(sentences) == [kind.value for kind in ChangeKind]
            assert len(set(sentences.values())) == len(ChangeKind)
            assert all(str(number) in sentence for sentence in sentences.values())
    assert change_texts(texts("en"), {}) == {}


def test_changes_are_summed_and_are_rows_of_the_csv_file() -> None:
    it = report(
        folder(found=3, copied=3, changes={"line_ends": 2, "unchecked": 1}),
        folder("Sent", found=4, copied=4, changes={"line_ends": 3}),
    )
    assert Totals.of(it.tallies).changes == {"line_ends": 5, "unchecked": 1}
    assert it.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(refusals_csv(texts("en"), [it]))))
    assert [(row["folder"], row["messages"], row["code"]) for row in rows] == [
        ("INBOX", "2", "changed_line_ends"),
        ("INBOX", "1", "changed_unchecked"),
        ("Sent", "3", "changed_line_ends"),
    ]
    assert "CRLF" in rows[0]["reason"]
