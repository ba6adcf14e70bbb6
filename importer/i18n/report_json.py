"""Reports of an import and of a batch as JSON, for the API, the console, the pages and webhooks.

Sentences are in the reader's language; codes, numbers and keys are the same in every language.
"""

from __future__ import annotations

from datetime import datetime

from importer.domain.model import Account, Problem
from importer.domain.receipts.folder_tally import Refusal
from importer.domain.reporting.report import BatchReport, Report
from importer.domain.reporting.totals import Totals
from importer.i18n.alert_texts import alerts_json
from importer.i18n.code_texts import advice, render_with_advice
from importer.i18n.option_texts import word_sentences
from importer.i18n.outcome_texts import batch_text, outcome_text
from importer.i18n.reason_texts import reason
from importer.i18n.translations import CatalogTranslator
from importer.i18n.wait_texts import owner_wait_json


def report_json(texts: CatalogTranslator, report: Report) -> dict[str, object]:
    """The report as JSON. Keys are stable; new ones may be added.

    Times are ISO 8601 in UTC or null, durations are seconds, sizes are bytes. Addresses are complete; there
    are no secrets. `folders` is in the order of the tallies, `refusals` in the order of recording.

        id, batch_id, row, submitter, state, exit_code, verdict,
        retry_of: null, or the id of the import whose failed messages alone were tried again
        source, destination: {address, server}
        created_at, started_at, finished_at, passwords_kept_until, not_before, duration_s
        owner_wait: null, or {until, next_reminder} while it waits for an owner to sign in
        labels: null if no labels were seen at the source, else {rule, sentence}
        sync_flags, options: {name: its text, or a boolean}
        alerts: [{side, server, text}], what the servers want their users to read
        problem: null or {code, message, advice, detail, params, steps, side, server_text}: `detail` is
                 `code`, or more exact; the message contains the advice; `steps` is null, or {code, params}
                 of an advice of this provider
        totals: {found, copied, already_there, gone, duplicate, skipped,
                 skipped_reasons: {reason: n}, skipped_codes: {code: n}, failed, copied_bytes,
                 keywords_dropped, flags_updated, recognised, changes: {kind: n}, confirmed,
                 unchecked, still_to_do, adds_up}
        folders: [{source_folder, destination_folder, source_recount, elsewhere,
                   ... as totals}]
        refusals: [{folder, uid, date, subject, size_bytes, code, reason, detail, params, messages}]
        undone: null, or the result of the undo
        evidence_sha256: that of the evidence file as CSV, as of the end; null without one
    """
    import_, options = report.import_, report.import_.options
    return {
        "id": import_.id,
        "batch_id": import_.batch_id,
        "row": import_.row,
        "submitter": import_.submitter,
        "state": import_.state.value,
        "exit_code": int(report.exit_code),
        "verdict": outcome_text(texts, report.outcome),
        "retry_of": import_.retry_of,
        "source": _account_json(import_.source),
        "destination": _account_json(import_.destination),
        "created_at": _iso(import_.created_at),
        "started_at": _iso(import_.started_at),
        "finished_at": _iso(import_.finished_at),
        "passwords_kept_until": _iso(import_.grants_kept_until),
        "not_before": _iso(import_.not_before),
        "owner_wait": owner_wait_json(import_),
        "duration_s": None if report.duration is None else report.duration.total_seconds(),
        "labels": {"rule": options.labels.value, "sentence": word_sentences(texts, "labels", options.labels)}
        if import_.has_labels
        else None,
        "sync_flags": options.sync_flags,
        "options": options.as_json(),
        "alerts": alerts_json(import_.alerts, import_.source, import_.destination),
        "problem": problem_json(texts, import_.standing_problem),
        "totals": {**_totals_json(texts, report.totals), "adds_up": report.adds_up},
        "folders": [
            {
                "source_folder": tally.source_folder,
                "destination_folder": tally.destination_folder,
                "source_recount": tally.source_recount,
                "elsewhere": tally.elsewhere,
                **_totals_json(texts, Totals.of([tally])),
            }
            for tally in report.tallies
        ],
        "refusals": [_refusal_json(texts, refusal) for refusal in report.refusals],
        "undone": _undone_json(texts, report),
        "evidence_sha256": report.evidence or None,
    }


def batch_json(texts: CatalogTranslator, report: BatchReport) -> dict[str, object]:
    """`{batch_id, name, submitter, created_at, exit_code, verdict, states, totals, imports}`; `imports` holds
    the `report_json` of each, in the order of the rows."""
    return {
        "batch_id": report.batch.id,
        "name": report.batch.name,
        "submitter": report.batch.submitter,
        "created_at": _iso(report.batch.created_at),
        "exit_code": int(report.exit_code),
        "verdict": batch_text(texts, report),
        "states": {state.value: number for state, number in report.states.items()},
        "totals": {**_totals_json(texts, report.totals), "adds_up": report.adds_up},
        "imports": [report_json(texts, import_report) for import_report in report.reports],
    }


def _totals_json(texts: CatalogTranslator, totals: Totals) -> dict[str, object]:
    reasons = {reason(texts, code): number for code, number in totals.skipped.items()}
    return {**totals.as_json(), "skipped_reasons": reasons}


def _undone_json(texts: CatalogTranslator, report: Report) -> dict[str, object] | None:
    if report.undone is None:
        return None
    from importer.i18n.undo_report_texts import undo_json  # noqa: PLC0415 - a copy starts without it

    return undo_json(texts, report.undone)


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _account_json(account: Account) -> dict[str, object]:
    return {"address": account.address, "server": str(account.endpoint)}


def problem_json(texts: CatalogTranslator, problem: Problem | None) -> dict[str, object] | None:
    if problem is None:
        return None
    return {
        "code": problem.code,
        "message": render_with_advice(problem.text, texts, problem.side),
        "advice": advice(problem.text, texts, problem.side),
        "detail": problem.text.code,
        "params": problem.text.as_json()["params"],
        "steps": problem.text.as_json().get("steps"),
        "side": problem.side.value if problem.side else None,
        "server_text": problem.server_text,
    }


def _refusal_json(texts: CatalogTranslator, refusal: Refusal) -> dict[str, object]:
    return {
        "folder": refusal.folder,
        "uid": refusal.uid,
        "date": refusal.date,
        "subject": refusal.subject,
        "size_bytes": refusal.size_bytes,
        "code": refusal.code.value,
        "reason": reason(texts, refusal.reason),
        "detail": refusal.reason.code,
        "params": refusal.reason.as_json()["params"],
        "messages": refusal.count,
    }
