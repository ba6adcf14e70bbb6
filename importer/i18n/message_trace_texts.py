"""The trace of one message, in plain sentences and as JSON."""

from __future__ import annotations

from importer.domain.receipts.receipt import skip_reason_of, stored_reason
from importer.domain.reporting.message_trace import Fate, MessageTrace
from importer.i18n.reason_texts import reason
from importer.i18n.translations import CatalogTranslator


def trace_text(texts: CatalogTranslator, trace: MessageTrace) -> str:
    """The places of the message, then its outcome."""
    places = [f"{trace.source.name} · UID {trace.source_uid}"] if trace.source is not None else []
    if trace.destination_folder:
        uid = f" · UID {trace.destination_uid}" if trace.destination_uid is not None else ""
        places.append(f"{trace.destination_folder}{uid}")
    return f"{' → '.join(places)}{texts.colon} {_fate(texts, trace)}"


def _fate(texts: CatalogTranslator, trace: MessageTrace) -> str:  # noqa: PLR0911 - one for each
    match trace.fate:
        case Fate.COPIED:
            return texts.gettext("Copied by import %(id)s.", id=trace.import_id)
        case Fate.PRESENT:
            return texts.gettext(
                "Not copied: it was in the new mailbox already (import %(id)s).", id=trace.import_id
            )
        case Fate.DUPLICATE:
            return texts.gettext(
                "Not copied a second time: a message with the same content was copied into that folder"
                " (import %(id)s).",
                id=trace.import_id,
            )
        case Fate.SKIPPED:
            return texts.gettext(
                "Left out by import %(id)s: %(reason)s",
                id=trace.import_id,
                reason=reason(texts, skip_reason_of(trace.reason)),
            )
        case Fate.FAILED:
            why = reason(texts, trace.refusal) if trace.refusal is not None else ""
            return texts.gettext("Could not be copied: %(reason)s", reason=why)
        case Fate.UNDONE:
            return texts.gettext(
                "Copied by import %(id)s, and removed again by its undo.", id=trace.import_id
            )
        case Fate.UNKNOWN if trace.source is None:
            return texts.gettext("Not from this import: its receipts do not name the message.")
        case Fate.UNKNOWN:
            return texts.gettext("No outcome: it is newer than the import, or the import has not reached it.")


def trace_json(texts: CatalogTranslator, trace: MessageTrace) -> dict[str, object]:
    """Unknown numbers are null."""
    return {
        "outcome": trace.fate.value,
        "source_folder": None if trace.source is None else trace.source.name,
        "source_uid": trace.source_uid,
        "destination_folder": trace.destination_folder or None,
        "destination_uid": trace.destination_uid,
        "reason": trace.refusal.code if trace.refusal is not None else stored_reason(trace.reason) or None,
        "settled_by": trace.import_id or None,
        "sentence": trace_text(texts, trace),
    }
