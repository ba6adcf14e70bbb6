"""Maps rows to domain objects and back: two functions for each type.

`..._values` return column names and values for INSERT or UPDATE; the other functions accept a row with all
columns of its table.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, Final

from sqlalchemy import Row

from importer.adapters.store.columns import folder_key
from importer.adapters.store.former_texts import receipt_reason, skip_reasons, stored_problem, stored_reason
from importer.compact.uid_set import Uid, UidValidity, format_ordered, parse_ordered
from importer.domain.import_options import ImportOptions
from importer.domain.mailbox_content import FolderRef, FolderStatus
from importer.domain.model import (
    Account,
    Alert,
    Batch,
    ControlRequest,
    Import,
    ImportId,
    Phase,
    Problem,
    Progress,
    Route,
    State,
)
from importer.domain.receipts.folder_listing import FolderListing
from importer.domain.receipts.folder_tally import FolderCheckpoint, FolderTally, Refusal, RefusalCode
from importer.domain.receipts.receipt import Intent, Outcome, Receipt
from importer.domain.receipts.receipt import stored_reason as stored_receipt_reason
from importer.domain.receipts.undo_report import FolderKept, FolderUndo, UndoReport
from importer.ports.notices import MailState, Notice
from importer.ports.store import SealedGrants
from providers.endpoint import Endpoint, Security
from providers.errors import Side

Values = dict[str, Any]
AnyRow = Row[*tuple[Any, ...]]


# --- Batches and imports ---


def batch(row: AnyRow) -> Batch:
    return Batch(
        row.id,
        row.created_at,
        row.name,
        row.submitter,
        tuple(row.imports),
        row.owner,
        row.language,
        row.is_trusted,
    )


def batch_values(batch: Batch) -> Values:
    return asdict(batch)


def import_(row: AnyRow) -> Import:
    return Import(
        id=row.id,
        source=mailbox(row, "source"),
        destination=mailbox(row, "destination"),
        created_at=row.created_at,
        batch_id=row.batch_id,
        row=row.row,
        submitter=row.submitter,
        language=row.language,
        state=State(row.state),
        problem=_problem(row),
        not_before=row.not_before,
        attempts=row.attempts,
        progress=_progress(row.progress),
        started_at=row.started_at,
        finished_at=row.finished_at,
        options=ImportOptions.from_json(row.options),
        has_labels=row.has_labels,
        alerts=tuple(Alert(Side(side), text) for side, text in row.alerts),
        password_fingerprint=row.password_mark,
        requested=None if row.wish is None else ControlRequest(row.wish),
        held_up_since=row.held_up_since,
        proven=row.proven,
        grants_kept_until=row.grants_kept_until,
        reopened=row.reopened,
        successor=row.successor,
        moved_at=row.moved_at,
        retry_of=row.retry_of,
    )


def import_values(import_: Import) -> Values:
    return {
        "id": import_.id,
        "batch_id": import_.batch_id,
        "row": import_.row,
        "route": import_.route,
        "created_at": import_.created_at,
        "submitter": import_.submitter,
        "language": import_.language,
        "progress": asdict(import_.progress),
        "options": import_.options.as_json(),
        "password_mark": import_.password_fingerprint,
        "wish": import_.requested,
        "proven": import_.proven,
        "retry_of": import_.retry_of,
        **_mailbox_values("source", import_.source),
        **_mailbox_values("destination", import_.destination),
        **changeable_values(import_),
    }


def changeable_values(import_: Import) -> Values:
    """The columns that `update_import` replaces."""
    return {
        "state": import_.state,
        **problem_values(import_.problem),
        "not_before": import_.not_before,
        "attempts": import_.attempts,
        "started_at": import_.started_at,
        "finished_at": import_.finished_at,
        "held_up_since": import_.held_up_since,
        "has_labels": import_.has_labels,
        "grants_kept_until": import_.grants_kept_until,
        "reopened": import_.reopened,
        "moved_at": import_.moved_at,
        "alerts": [[alert.side, alert.text] for alert in import_.alerts],
    }


def problem_values(problem: Problem | None) -> Values:
    return {
        "problem_code": None if problem is None else problem.code,
        "problem_message": None,
        "problem_text": None if problem is None else problem.text,
        "problem_side": None if problem is None else problem.side,
        "problem_server_text": None if problem is None else problem.server_text,
    }


def grant_values(import_id: ImportId, sealed: SealedGrants) -> Values:
    return {"import_id": import_id, "source": sealed.source, "destination": sealed.destination}


def tally(row: AnyRow) -> FolderTally:
    return FolderTally(
        source_folder=row.source_folder,
        destination_folder=row.destination_folder,
        found=row.found,
        copied=row.copied,
        present=row.present,
        duplicate=row.duplicate,
        skipped=skip_reasons(row.skipped),
        failed=row.failed,
        copied_bytes=row.copied_bytes,
        keywords_dropped=row.keywords_dropped,
        confirmed=row.confirmed,
        source_recount=row.source_recount,
        elsewhere=row.elsewhere,
        flags_updated=row.flags_updated,
        recognised=row.recognised,
        changes=row.changes,
        gone=row.gone,
        unchecked=row.unchecked,
        listing=None if row.listing is None else FolderListing.from_json(row.listing),
    )


def tally_values(tally: FolderTally) -> Values:
    """All columns except the import's id and the folder key."""
    values = {field.name: getattr(tally, field.name) for field in fields(tally)}
    listing = None if tally.listing is None else tally.listing.as_json()
    return values | {"skipped": _stored_skipped(tally), "changes": dict(tally.changes), "listing": listing}


def _stored_skipped(tally: FolderTally) -> dict[str, int]:
    return {str(why): number for why, number in tally.skipped.items()}


def checkpoint(row: AnyRow) -> FolderCheckpoint:
    listing = row.account.get("listing")
    counts = {
        **row.account,
        "skipped": skip_reasons(row.account["skipped"]),
        "listing": None if listing is None else FolderListing.from_json(listing),
    }
    tally = FolderTally(row.source_folder, row.destination_folder, **counts)
    there = None
    if row.destination_uidnext is not None:
        missing = not row.destination_uidnext
        there = FolderStatus(
            UidValidity(0 if missing else row.destination_uidvalidity),
            Uid(row.destination_uidnext),
            row.destination_messages,
        )
    return FolderCheckpoint(
        ImportId(row.import_id),
        FolderStatus(
            UidValidity(row.uidvalidity),
            Uid(row.uidnext),
            row.messages,
            row.contents,
            highest_modseq=row.highest_modseq,
        ),
        FolderRef(row.destination_folder, UidValidity(row.destination_uidvalidity)),
        Uid(row.highest_uid),
        tally,
        there,
    )


def checkpoint_values(checkpoint: FolderCheckpoint) -> Values:
    """All columns except the route and the folder key."""
    counts = tally_values(checkpoint.tally)
    there = checkpoint.destination_status
    return {
        "source_folder": counts.pop("source_folder"),
        "destination_folder": counts.pop("destination_folder"),
        "import_id": checkpoint.import_id,
        "uidvalidity": checkpoint.status.uidvalidity,
        "uidnext": checkpoint.status.uidnext,
        "messages": checkpoint.status.messages,
        "contents": checkpoint.status.contents,
        "highest_modseq": checkpoint.status.highest_modseq,
        "destination_uidvalidity": checkpoint.destination.uidvalidity,
        "highest_uid": checkpoint.highest_uid,
        "account": counts,
        "destination_uidnext": None if there is None else there.uidnext,
        "destination_messages": None if there is None else there.messages,
    }


def mailbox(row: AnyRow, side: str) -> Account:
    """The account of one side (a value of `Side`) of an import."""
    columns = row._mapping
    endpoint = Endpoint(
        columns[f"{side}_host"], columns[f"{side}_port"], Security(columns[f"{side}_security"])
    )
    return Account(columns[f"{side}_address"], columns[f"{side}_login"], endpoint, columns[f"{side}_guarded"])


def _mailbox_values(side: str, mailbox: Account) -> Values:
    return {
        f"{side}_address": mailbox.address,
        f"{side}_login": mailbox.login,
        f"{side}_host": mailbox.endpoint.host,
        f"{side}_port": mailbox.endpoint.port,
        f"{side}_security": mailbox.endpoint.security,
        f"{side}_guarded": mailbox.public_only,
    }


def _progress(stored: dict[str, Any]) -> Progress:
    """Imports stored by 0.2.0 or earlier have no phase."""
    return Progress(**{**stored, "phase": Phase(stored.get("phase", Phase.COPYING))})


def _problem(row: AnyRow) -> Problem | None:
    if row.problem_code is None:
        return None
    side = None if row.problem_side is None else Side(row.problem_side)
    text = row.problem_text or stored_problem(
        row.problem_code,
        row.problem_message or "",
        row.source_host if side is Side.SOURCE else row.destination_host,
    )
    return Problem(text, side, row.problem_server_text)


# --- The ledger ---


def receipt(row: AnyRow) -> Receipt:
    return Receipt(
        import_id=row.import_id,
        source=FolderRef(row.source_folder, UidValidity(row.source_uidvalidity)),
        source_uids=parse_ordered(row.source_uids),
        outcome=Outcome(row.outcome),
        destination=FolderRef(row.destination_folder, UidValidity(row.destination_uidvalidity)),
        destination_uids=parse_ordered(row.destination_uids),
        digests=row.digests,
        size_bytes=row.size_bytes,
        reason=receipt_reason(row.reason),
        keywords_dropped=row.keywords_dropped,
        flags=row.flags,
        marks=bytes.fromhex(row.marks),
        facts=row.facts or b"",
    )


def receipt_values(route: Route, receipt: Receipt) -> Values:
    return {
        "route": route,
        **_destination_values(receipt.destination),
        "destination_uids": format_ordered(receipt.destination_uids),
        "import_id": receipt.import_id,
        "source_folder": receipt.source.name,
        "source_uidvalidity": receipt.source.uidvalidity,
        "source_uids": format_ordered(receipt.source_uids),
        "outcome": receipt.outcome,
        "digests": receipt.digests,
        "size_bytes": receipt.size_bytes,
        "reason": stored_receipt_reason(receipt.reason),
        "keywords_dropped": receipt.keywords_dropped,
        "flags": receipt.flags,
        "marks": receipt.marks.hex(),
        "facts": receipt.facts or None,
    }


def intent(row: AnyRow) -> Intent:
    return Intent(
        import_id=row.import_id,
        source=FolderRef(row.source_folder, UidValidity(row.source_uidvalidity)),
        source_uids=parse_ordered(row.source_uids),
        destination=FolderRef(row.destination_folder, UidValidity(row.destination_uidvalidity)),
        uidnext=Uid(row.uidnext),
        digests=row.digests,
        sizes_bytes=tuple(row.sizes_bytes),
        sent_at=row.sent_at,
        flags=row.flags,
        slot=row.slot,
        marks=bytes.fromhex(row.marks),
        dates=row.dates or b"",
    )


def intent_values(route: Route, intent: Intent) -> Values:
    return {
        "route": route,
        **_destination_values(intent.destination),
        "uidnext": intent.uidnext,
        "import_id": intent.import_id,
        "source_folder": intent.source.name,
        "source_uidvalidity": intent.source.uidvalidity,
        "source_uids": format_ordered(intent.source_uids),
        "digests": intent.digests,
        "sizes_bytes": intent.sizes_bytes,
        "sent_at": intent.sent_at,
        "flags": intent.flags,
        "slot": intent.slot,
        "marks": intent.marks.hex(),
        "dates": intent.dates or None,
    }


def refusal(row: AnyRow) -> Refusal:
    return Refusal(
        import_id=row.import_id,
        folder=row.folder,
        uidvalidity=UidValidity(row.uidvalidity),
        uid=None if row.uid is None else Uid(row.uid),
        reason=row.text or stored_reason(row.code, row.reason),
        date=row.date,
        subject=row.subject,
        size_bytes=row.size_bytes,
        partly=row.partly,
        code=RefusalCode(row.code),
        count=row._mapping["count"],  # a row is a tuple, and `row.count` is its method
    )


def refusal_values(refusal: Refusal) -> Values:
    values = {field.name: getattr(refusal, field.name) for field in fields(refusal)}
    return values | {"reason": "", "text": refusal.reason}


def _destination_values(folder: FolderRef) -> Values:
    return {
        "destination_key": folder_key(folder.name),
        "destination_folder": folder.name,
        "destination_uidvalidity": folder.uidvalidity,
    }


_KEPT_AS_SENTENCES: Final = {
    "it contains mail or another folder": FolderKept.NOT_EMPTY,
    "there is mail in it, or a folder inside it": FolderKept.NOT_EMPTY,
    "it may not be the folder that this import created": FolderKept.NOT_OURS,
    "it was made anew by somebody else": FolderKept.NOT_OURS,
}
"""As version 0.1.0 stored them."""


def undo_report(row: AnyRow) -> UndoReport:
    folders = tuple(FolderUndo(**folder) for folder in row.folders)
    kept = tuple((name, FolderKept(_KEPT_AS_SENTENCES.get(why, why))) for name, why in row.folders_kept)
    return UndoReport(row.import_id, row.at, folders, tuple(row.folders_removed), kept, row.doubtful)


def undo_values(report: UndoReport) -> Values:
    return asdict(report)


# --- The outbox ---


def notice(row: AnyRow) -> Notice:
    return Notice(
        key=row.key,
        recipient=row.recipient,
        subject=row.subject,
        text=row.text,
        html=row.html,
        message_id=row.message_id,
        created_at=row.created_at,
        state=MailState(row.state),
        attempts=row.attempts,
        not_before=row.not_before,
        error=row.error,
    )


def notice_values(notice: Notice) -> Values:
    return asdict(notice)
