"""Evidence of an import as lines: what counts, what does not, and what is not known."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from importer.compact.uid_set import Uid, UidSet, UidValidity
from importer.domain.evidence.evidence_check import NotEvidence, check_lines
from importer.domain.evidence.evidence_file import EvidenceFormat, EvidenceWriter, statement
from importer.domain.evidence.evidence_row import EvidenceRow, LineKind
from importer.domain.evidence.import_evidence import LedgerEntry, import_evidence
from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.skip_reason import VANISHED, SkipReason
from importer.domain.model import Account, Import, ImportId
from importer.domain.receipts.folder_listing import FolderListing
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.receipts.receipt import CopyNote, Outcome, Receipt, ReceiptReason
from providers.endpoint import Endpoint
from providers.text import Text

OLD, NEW = FolderRef("INBOX", UidValidity(7)), FolderRef("INBOX", UidValidity(9))
IMPORT = Import(
    ImportId("second"),
    Account("ada@old.example", "ada", Endpoint("imap.old.example", 993)),
    Account("ada@new.example", "ada", Endpoint("imap.new.example", 993)),
    datetime(2026, 11, 30, tzinfo=UTC),
)
LISTING = FolderListing(OLD.uidvalidity, NEW.uidvalidity)


OLD_MAIL = SkipReason("before_date", "2020-01-01")


def receipt(
    uids: str, outcome: Outcome = Outcome.COPIED, *, by: str = "second", reason: ReceiptReason = None
) -> Receipt:
    numbers = tuple(UidSet.parse(uids))
    to = tuple(Uid(uid + 100) for uid in numbers) if outcome is Outcome.COPIED else ()
    digests = b"".join(uid.to_bytes(16) for uid in numbers)
    return Receipt(ImportId(by), OLD, numbers, outcome, NEW, to, digests, reason=reason)


def refusal(uid: int | None, code: RefusalCode = RefusalCode.NOT_TAKEN) -> Refusal:
    number = None if uid is None else Uid(uid)
    return Refusal(IMPORT.id, OLD.name, OLD.uidvalidity, number, Text("not_taken", words="no"), code=code)


def rows(
    tally: FolderTally, receipts: Iterable[Receipt] = (), refusals: Iterable[Refusal] = ()
) -> list[EvidenceRow]:
    return list(import_evidence(IMPORT, [tally], map(LedgerEntry, receipts), refusals))


def sums(lines: Iterable[EvidenceRow]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for line in lines:
        if line.record in ("message", "messages", "rest"):
            counts[line.outcome] += line.messages
    return dict(counts)


def of(record: LineKind, lines: Iterable[EvidenceRow]) -> list[EvidenceRow]:
    return [line for line in lines if line.record == record]


def test_each_outcome_of_this_import_has_its_line() -> None:
    listing = replace(LISTING, gone=UidSet.parse("4"))
    tally = FolderTally("INBOX", "INBOX", 7, 2, 1, 1, {VANISHED: 1}, 1, gone=1, listing=listing)
    lines = rows(
        tally,
        [
            receipt("1:2"),
            receipt("3:4", Outcome.PRESENT),
            receipt("5", Outcome.DUPLICATE),
            receipt("6", Outcome.SKIPPED, reason=VANISHED),
        ],
        [refusal(7), refusal(None, RefusalCode.SURPLUS)],
    )
    assert sums(lines) == {"copied": 2, "present": 1, "gone": 1, "duplicate": 1, "skipped": 1, "failed": 1}
    assert not of(LineKind.REST, lines)
    [failed] = [line for line in lines if line.outcome == "failed"]
    assert (failed.reason, failed.detail) == ("not_taken", "not_taken: no")
    assert [note.reason for note in of(LineKind.NOTE, lines)] == ["surplus"]
    [folder] = of(LineKind.FOLDER, lines)
    assert (folder.messages, folder.detail.partition("; copies")[0]) == (
        7,
        "copied=2; present=1; gone=1; duplicate=1; skipped=1; failed=1",
    )


def test_earlier_imports_are_named_and_what_left_the_source_does_not_count() -> None:
    listing = replace(
        LISTING,
        departed=UidSet.parse("1"),
        gone=UidSet.parse("2"),
        unchecked=UidSet.parse("4"),
        left_out=UidSet.parse("20:21"),
        left_out_reason=OLD_MAIL,
    )
    tally = FolderTally("INBOX", "INBOX", 7, 1, 2, 0, {OLD_MAIL: 2}, 0, gone=1, unchecked=1, listing=listing)
    tally = replace(tally, found=6)
    lines = rows(tally, [receipt("1:4", by="first"), receipt("9")])
    assert sums(lines) == {"copied": 1, "present": 2, "gone": 1, "skipped": 2}
    several = [
        (line.source_uid, line.outcome, line.reason, line.detail) for line in of(LineKind.MESSAGES, lines)
    ]
    by = "settled by import first"
    assert several == [
        ("3", "present", "", by),
        ("4", "present", "not_looked_up", by),
        ("2", "gone", "", by),
        ("20:21", "skipped", "before_date:2020-01-01", ""),
    ]


def test_a_message_counts_once() -> None:
    other = FolderRef("INBOX", UidValidity(8))
    tally = FolderTally("INBOX", "INBOX", 2, 1, failed=1, listing=replace(LISTING, unseen=UidSet.parse("2")))
    lines = rows(
        tally,
        [
            replace(receipt("1"), destination=other),  # the folder was numbered anew during the import
            receipt("1"),
            receipt("2", Outcome.PRESENT),  # an earlier copy of it that no recount has seen
        ],
        [refusal(1), refusal(2, RefusalCode.NEVER_SEEN), refusal(2)],
    )
    assert sums(lines) == {"copied": 1, "failed": 1}
    assert len(of(LineKind.FORMER, lines)) == 4


def test_a_copy_that_its_owner_removed_during_the_import_is_gone() -> None:
    tally = FolderTally("INBOX", "INBOX", 2, 1, gone=1, listing=replace(LISTING, gone=UidSet.parse("2")))
    lines = rows(tally, [receipt("1:2")])
    assert sums(lines) == {"copied": 1, "gone": 1}
    assert not of(LineKind.NOTE, lines)


def test_a_message_that_two_earlier_imports_settled_counts_once() -> None:
    tally = FolderTally("INBOX", "INBOX", 3, present=3, listing=LISTING)
    lines = rows(tally, [receipt("1:2", by="first"), receipt("1:3", Outcome.PRESENT, by="between")])
    assert sums(lines) == {"present": 3}
    assert not of(LineKind.REST, lines)


def test_a_long_set_of_uids_is_whole() -> None:
    uids = UidSet.of(map(Uid, range(1, 2001, 2)))
    row = EvidenceRow(LineKind.MESSAGES, source_uid=str(uids), messages=len(uids))
    line = EvidenceWriter(EvidenceFormat.CSV).line(row).decode()
    [cells] = csv.reader([line])
    assert UidSet.parse(cells[4]) == uids


def test_what_is_not_recorded_is_said_and_not_inferred() -> None:
    old = FolderTally("INBOX", "INBOX", 5, 1, 3, 0, {VANISHED: 1})  # of a version without listings
    lines = rows(old, [receipt("1:3", by="first"), receipt("4")])
    assert [(line.outcome, line.messages, line.reason) for line in of(LineKind.REST, lines)] == [
        ("present", 3, "not_recorded"),
        ("skipped", 1, "not_recorded"),
    ]
    # Another import ran at the same time: its receipts do not show what was there when this one counted.
    more = FolderTally("INBOX", "INBOX", 2, 1, 1, listing=LISTING)
    lines = rows(more, [receipt("1:3", by="first"), receipt("4")])
    assert (of(LineKind.MESSAGES, lines), sums(lines)) == ([], {"copied": 1, "present": 1})
    less = rows(FolderTally("INBOX", "INBOX", 1, 1, listing=LISTING), [receipt("1:2")])
    assert [(note.reason, note.messages) for note in of(LineKind.NOTE, less)] == [("more_than_reported", 1)]


def test_what_happened_to_a_copy_later_is_its_reason() -> None:
    tally = FolderTally("INBOX", "INBOX", 3, 3, listing=LISTING)
    removed = replace(
        receipt("2", reason=CopyNote.IN_REMOVED_FOLDER),
        destination=FolderRef("INBOX", UidValidity(99)),
        destination_uids=(),
    )
    entries = [
        LedgerEntry(receipt("1"), undone=True),
        LedgerEntry(removed),
        LedgerEntry(receipt("3", reason=CopyNote.UNSEEN)),
    ]
    lines = of(LineKind.MESSAGE, import_evidence(IMPORT, [tally], entries, ()))
    assert [line.reason for line in lines] == ["undone", "folder_removed", "not_seen_since"]
    assert [line.destination_uid for line in lines] == [101, 0, 103]


@pytest.mark.parametrize("form", EvidenceFormat)
def test_a_file_is_checked_line_by_line(form: EvidenceFormat) -> None:
    def sign(message: bytes) -> str:
        return message.hex()[-128:]

    def verify(key: bytes, signature: bytes, message: bytes) -> bool:
        return (key, signature.hex()) == (bytes(32), sign(message))

    tally = FolderTally('=1+1,"', "INBOX", 1, 1, listing=LISTING)
    source = FolderRef('=1+1,"', OLD.uidvalidity)
    writer = EvidenceWriter(form)
    lines = writer.beginning().splitlines(keepends=True)
    lines += [writer.line(row) for row in rows(tally, [replace(receipt("1"), source=source)])]
    last, seal = writer.seal(bytes(32).hex(), sign(statement(writer.content)))
    lines.append(last)
    check = check_lines(lines, verify)
    assert (check.faults, check.sha256, check.outcomes) == ([], seal.file, {"copied": 1})
    for at in range(1 if form is EvidenceFormat.CSV else 0, len(lines)):
        line, middle = lines[at], len(lines[at]) // 2
        flipped = line[:middle] + bytes([line[middle] ^ 1]) + line[middle + 1 :]
        for changed in (flipped, line.rstrip() + b" \n", b"", b"{}\n"):
            altered = [*lines[:at], *([changed] if changed else []), *lines[at + 1 :]]
            try:
                faults = check_lines(altered, verify).faults
            except NotEvidence:
                assert at == 0
                continue
            assert faults, changed
            assert faults[0].line == at + 1 or (at == len(lines) - 1 and faults[0].line == at), changed
    with pytest.raises(NotEvidence):
        check_lines([b"a,b\r\n"], verify)
    with pytest.raises(NotEvidence):
        check_lines([], verify)
