"""Reports folders that the source does not show, or shows only in part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from importer.compact.uid_set import UidSet
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.domain.receipts.receipt import ANY_UIDVALIDITY, FORMER_UIDVALIDITY, Receipt
from importer.engine.leg_context import Leg
from importer.engine.settle import settle
from importer.engine.survey import Survey
from importer.ports.mailbox_errors import FolderLeftOut


def tally_unreadable(leg: Leg, source: Survey, remembered: Mapping[str, str]) -> None:
    """Report tallies of folders that the source does not open or no longer lists. The outcomes that this
    import has recorded there stay in the tally; the number of their other messages is unknown."""
    known = {refusal.folder for refusal in leg.ledger.refusals(leg.import_.id)} if source.unusable else set()
    for name, error in source.unusable.items():
        if isinstance(error, FolderLeftOut):
            leg.observer.tally_changed(_tally_of_left_out(name, error))
            continue
        if name not in known:
            refusal = Refusal(
                leg.import_.id,
                name,
                ANY_UIDVALIDITY,
                uid=None,
                reason=error.text.quoting(error.server_text),
                count=0,
                code=RefusalCode.FOLDER_UNUSABLE,
            )
            leg.ledger.record(leg.import_.route, "", [], [refusal], leg.lease)
        leg.observer.tally_changed(_tally_of_unreadable(leg, name, remembered.get(name)))
    for name in remembered.keys() - source.statuses.keys() - source.unusable.keys():
        tally = _tally_of_unreadable(leg, name, remembered[name])
        if tally.found:
            leg.observer.tally_changed(tally)


def record_partial_folders(leg: Leg, source: Survey) -> None:
    """Record folders of which the source is known to list only a part, so that the report says so."""
    recorded = {(refusal.folder, refusal.reason) for refusal in leg.ledger.refusals(leg.import_.id)}
    refusals = [
        Refusal(
            leg.import_.id,
            name,
            ANY_UIDVALIDITY,
            uid=None,
            reason=reason,
            count=0,
            partly=True,
            code=RefusalCode.PARTLY_SHOWN,
        )
        for name, reason in source.partial.items()
        if (name, reason) not in recorded
    ]
    if refusals:
        leg.ledger.record(leg.import_.route, "", [], refusals, leg.lease)


def _tally_of_left_out(name: str, error: FolderLeftOut) -> FolderTally:
    skipped = {SkipReason.read(error.text.code): error.messages} if error.messages else {}
    return FolderTally(
        name, "", found=error.messages, skipped=skipped, confirmed=0, source_recount=error.messages
    )


def _tally_of_unreadable(leg: Leg, name: str, destination: str | None) -> FolderTally:
    if destination is None:
        return FolderTally(name, "")
    settle(leg, leg.lane, destination)
    last = None
    for last in _receipts_of(leg, name, destination):  # noqa: B007  # too many, perhaps, for a list
        pass
    if last is None:
        return FolderTally(name, destination)
    history = FolderHistory(leg.import_.id, last.source, last.destination)
    history.recall(_receipts_of(leg, name, destination))
    history.refuse(leg.ledger.refusals(leg.import_.id, name))
    return replace(history.tally(UidSet(), destination), confirmed=None)


def _receipts_of(leg: Leg, name: str, destination: str) -> Iterator[Receipt]:
    """This import's receipts of one source folder."""
    for receipt in leg.ledger.receipts(leg.import_.route, destination):
        certain = receipt.destination.uidvalidity != FORMER_UIDVALIDITY
        if certain and receipt.import_id == leg.import_.id and receipt.source.name == name:
            yield receipt
