"""The check of two mailboxes as JSON, with its warnings in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from importer.domain.reporting.check_warnings import CheckWarning, check_warnings
from importer.domain.reporting.mailbox_check import Check, FolderCheck, SideCheck
from importer.i18n.alert_texts import alerts_json
from importer.i18n.code_texts import render, render_with_advice
from importer.i18n.folder_names import ShownFolders
from importer.i18n.option_texts import word_sentences
from importer.i18n.phase_texts import check_phase_text
from importer.i18n.reason_texts import reason
from importer.i18n.report_json import problem_json
from importer.i18n.translations import CatalogTranslator
from providers.text import Text

SAME_NAME: Final = Text("folder_name")


def warning_text(texts: CatalogTranslator, warning: CheckWarning) -> str:
    """The warning with its advice, in one line. May quote foreign text."""
    return render_with_advice(warning.text, texts)


def check_json(texts: CatalogTranslator, check: Check) -> dict[str, object]:
    """Keys are stable; new ones may be added. Sizes are bytes, durations seconds, times ISO 8601 in UTC."""
    estimate, to_copy = check.estimate, check.to_copy
    return {
        "done": check.done,
        "ready": check.ready,
        "phase": None
        if check.phase is None
        else {
            "name": check.phase[0].value,
            "done": check.phase[1],
            "total": check.phase[2],
            "sentence": check_phase_text(texts, check),
        },
        "labels": None
        if check.labels is None
        else {"rule": check.labels.value, "sentence": word_sentences(texts, "labels", check.labels)},
        "options": check.options.as_json(),
        "source": _side_json(texts, check.source),
        "destination": _side_json(texts, check.destination),
        "folders": folder_checks_json(texts, check.folders),
        "closed": [{"folder": name, "reason": reason(texts, why)} for name, why in check.closed],
        "left_out": [
            {"folder": name, "reason": reason(texts, why), "messages": messages}
            for name, why, messages in check.left_out
        ],
        "unmatched": list(check.unmatched),
        "may_be_renamed": list(check.may_be_renamed),
        "alerts": alerts_json(check.alerts, check.source.account, check.destination.account),
        "recognised": check.recognised,
        "to_copy": {"messages": to_copy.messages, "size_bytes": to_copy.size_bytes},
        "free_bytes": check.free_bytes,
        "free_messages": check.free_messages,
        "fits": check.fits,
        "estimate": None
        if estimate is None
        else {
            "low_s": round(estimate.low.total_seconds()),
            "high_s": round(estimate.high.total_seconds()),
            "basis": render(estimate.basis.text, texts),
            "basis_code": estimate.basis.value,
            "capped_until": None if estimate.capped_until is None else estimate.capped_until.isoformat(),
        },
        "warnings": [warning_text(texts, warning) for warning in check_warnings(check)],
        "warning_codes": [warning.text.code for warning in check_warnings(check)],
    }


def folder_checks_json(
    texts: CatalogTranslator, folders: Sequence[FolderCheck], limit: int | None = None
) -> list[dict[str, object]]:
    """The first `limit` folders. `source_name` and `destination_name` are for display: without the prefix of
    the server, and in the reader's language."""
    sources = ShownFolders(texts, [folder.source_folder for folder in folders])
    destinations = ShownFolders(texts, [folder.destination_folder for folder in folders])
    return [
        {
            **_folder_check_json(texts, folder),
            "source_name": sources[folder.source_folder],
            "destination_name": destinations[folder.destination_folder],
        }
        for folder in folders[:limit]
    ]


def name_reasons(texts: CatalogTranslator, folder: FolderCheck) -> str:
    """The reason for the different name of the destination folder; "" if the names are equal."""
    return "; ".join(render(why, texts) for why in folder.reasons)


def _folder_check_json(texts: CatalogTranslator, folder: FolderCheck) -> dict[str, object]:
    return {
        "source_folder": folder.source_folder,
        "destination_folder": folder.destination_folder,
        "reason": name_reasons(texts, folder) or render(SAME_NAME, texts),
        "reason_codes": [why.code for why in folder.reasons],
        "messages": folder.messages,
        "size_bytes": folder.size_bytes,
        "exact": folder.exact,
        "there": folder.there,
        "known": folder.known,
        "recognised": folder.recognised,
        "older": folder.older,
        "too_large": folder.too_large,
        "beyond_limit": folder.beyond_limit,
        "elsewhere": folder.elsewhere,
    }


def _side_json(texts: CatalogTranslator, side: SideCheck) -> dict[str, object]:
    quota = side.quota
    return {
        "address": side.account.address,
        "server": str(side.account.endpoint),
        "look": side.look.value,
        "problem": problem_json(texts, side.problem),
        "folders": side.folders,
        "messages": side.messages,
        "size_bytes": side.size_bytes,
        "exact": side.exact,
        "oldest": None if side.oldest is None else side.oldest.isoformat(),
        "newest": None if side.newest is None else side.newest.isoformat(),
        "dates_exact": side.dates_exact,
        "quota": None
        if quota is None
        else {
            "used_bytes": quota.used_bytes,
            "limit_bytes": quota.limit_bytes,
            "used_messages": quota.used_messages,
            "limit_messages": quota.limit_messages,
        },
        "max_message_bytes": side.max_message_bytes,
        "round_trip_s": None if side.round_trip is None else side.round_trip.total_seconds(),
    }
