"""End an import: outcome, report, and the mails about it.

A mail that cannot be composed never stops an import: it is logged and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from importer.domain import import_state
from importer.domain.audit_event import AuditAction, AuditActor, AuditOutcome, sided_detail
from importer.domain.folder_mapping.folder_order import folder_order
from importer.domain.import_filter import ImportFilter
from importer.domain.model import Batch, BatchId, Import, Problem, State
from importer.domain.people.mail_recipients import completion_readers
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.batch_overview import Summary, summary_due
from importer.domain.reporting.report import BatchReport, Report
from importer.ports.leases import Lease
from importer.ports.notices import Notice
from importer.service.access.audit import record_import_event
from importer.service.access.sealed_grants import consents_to_revoke, revoke_consents
from importer.service.deps import Deps
from importer.service.import_batch import batch_of_import
from importer.service.imports.reopen import can_keep_grants
from importer.service.notify.mail_bounds import within_bounds
from importer.service.notify.webhooks import webhook_calls
from providers.errors import HostForbidden

log = structlog.get_logger()
if TYPE_CHECKING:
    from importer.domain.evidence.evidence_file import Seal

T = TypeVar("T")


def report_of(deps: Deps, import_: Import) -> Report:
    """The current report of one import."""
    seal = deps.store.evidence_seal(import_.id) if import_.state in import_state.ENDED else None
    report = _report(deps, import_)
    return report if seal is None else replace(report, evidence=seal.file)


def _report(deps: Deps, import_: Import) -> Report:
    tallies = tuple(
        sorted(deps.store.tallies(import_.id), key=lambda tally: folder_order(tally.source_folder))
    )
    undone = deps.store.undo_report(import_.id) if import_.state is State.UNDONE else None
    refusals = tuple(deps.store.refusals(import_.id))
    return Report(import_, tallies, refusals, undone, renumbered=_renumbered(deps, import_, tallies))


def _renumbered(deps: Deps, import_: Import, tallies: Sequence[FolderTally]) -> tuple[str, ...]:
    if import_.retry_of is None:
        return ()
    from importer.domain.planning.retry_scope import renumbered_folders  # noqa: PLC0415 - a copy starts without it

    return renumbered_folders(deps.store.tallies(import_.retry_of), tallies)


def batch_report(deps: Deps, batch_id: BatchId) -> BatchReport | None:
    """The current report of a batch; None if there is no such batch."""
    batch = deps.store.batch(batch_id)
    if batch is None:
        return None
    imports = deps.store.imports(ImportFilter(batch_id=batch_id), limit=len(batch.imports))
    return BatchReport(batch, tuple(report_of(deps, import_) for import_ in imports))


def finish_copied(deps: Deps, import_: Import, lease: Lease) -> Import:
    """End an import that has nothing left to copy.

    The state is COMPLETE, or INCOMPLETE if a message was refused or could not be confirmed or looked up at
    the destination.
    """
    report = report_of(deps, import_)
    totals = report.totals
    all_confirmed = not totals.copied or totals.confirmed == totals.copied
    sound = report.adds_up and all_confirmed and not totals.unchecked and not report.refusals
    return finish(deps, import_, State.COMPLETE if sound else State.INCOMPLETE, lease)


def finish(deps: Deps, import_: Import, end: State, lease: Lease, problem: Problem | None = None) -> Import:
    """End the import, erase its grants and post its mails in one transaction; then ring for the mails and
    revoke owners' consents. After a stop, grants and consents are kept for a while (`reopen.py`).

    If new passwords were submitted since `import_` was read, an import that would stop or fail continues
    instead; so does one that would come to its end, if its options were changed: it may follow its mailbox.
    """
    now = deps.clock.now()
    kept_until = now + deps.deadlines.kept_grants if can_keep_grants(deps, import_, end) else None
    ended = import_state.ended(import_, end, now, problem, kept_until)
    seal, report = _sealed(deps, _report(deps, ended))
    notices: Sequence[Notice] = ()
    if deps.outgoing_mail is not None:
        notices = compose_notices(partial(notices_about, deps, report), ended.id)
    consents = consents_to_revoke(deps, import_) if kept_until is None else ()
    fingerprint = import_.password_fingerprint if end in (State.STOPPED, State.FAILED) else None
    options = import_.options if end in (State.COMPLETE, State.INCOMPLETE) else None
    calls = webhook_calls(deps, report)
    if not deps.store.finish_import(
        ended, notices, lease, password_fingerprint=fingerprint, options=options, calls=calls, seal=seal
    ):
        resumed = import_state.continued(import_, progressed=True)
        deps.store.update_import(resumed, lease)
        return resumed
    _log_end(report)
    if problem is not None and problem.code == HostForbidden.code:
        record_import_event(
            deps,
            AuditAction.HOST_REFUSE,
            AuditOutcome.REFUSED,
            AuditActor("worker"),
            ended.id,
            detail=sided_detail(problem.text, problem.side),
        )
    if ended.batch_id is not None:
        try:
            post_batch_summary(deps, ended.batch_id)
        except Exception as error:  # the import has ended regardless; the tick posts missing summaries
            log.warning("summary.failed", batch_id=ended.batch_id, exc_info=error)
    deps.queue.ring_mail()
    revoke_consents(deps, ended.id, consents)
    return ended


def _sealed(deps: Deps, report: Report) -> tuple[Seal | None, Report]:
    """The seal of the evidence as it is now, and the report with it. An import ends without it, too."""
    if deps.signer is None:
        return None, report
    from importer.service.evidence_files import seal_of  # noqa: PLC0415 - most foreground copies seal nothing

    seal = _attempted(partial(seal_of, deps, report), report.import_.id)
    return seal, report if seal is None else replace(report, evidence=seal.file)


def _log_end(report: Report) -> None:
    """Write the canonical log line of an import."""
    refused: Counter[str] = Counter()
    for refusal in report.refusals:
        refused[refusal.code.value] += refusal.count
    log.info(
        "import.ended",
        import_id=report.import_.id,
        state=report.import_.state.value,
        problem=report.import_.problem.code if report.import_.problem else None,
        found=report.totals.found,
        copied=report.totals.copied,
        refused=dict(refused),
    )


def notices_about(deps: Deps, report: Report) -> Sequence[Notice]:
    """The mails about an import that has ended, or about the reason why it waits: to proven people, within
    the bounds of its submitter.

    A login is proof enough if an operator or an administrator submitted the import.
    """
    assert deps.outgoing_mail is not None  # noqa: S101 - its callers ensure it
    import_ = report.import_
    batch = batch_of_import(deps, import_)
    trusted = batch is None or batch.is_trusted
    readers = completion_readers(
        report,
        (lambda _account: True) if trusted else deps.is_proven,
        summed_up=_is_summed_up(batch) and not import_.options.mail_per_mailbox,
    )
    notices = deps.outgoing_mail.composer.completion(
        report, readers, deps.clock.now(), _pages_of(deps, batch)
    )
    return within_bounds(deps, batch, import_, notices)


def _is_summed_up(batch: Batch | None) -> bool:
    """Whether the submitter gets a summary: not of a batch of one, which has its completion mail."""
    return batch is not None and bool(batch.submitter) and len(batch.imports) > 1


def _pages_of(deps: Deps, batch: Batch | None) -> str:
    """The URL of the pages if they show that batch to its submitter, else ""."""
    is_shown = batch is not None and batch.owner.startswith(("mailbox:", "openid:"))
    return deps.public_url.rstrip("/") if is_shown else ""


def post_batch_summary(deps: Deps, batch_id: BatchId) -> None:
    """Post the summary of a batch that is due, if any: once all its imports have ended, and before at most
    once what there is so far. Idempotent.

    There is none for a batch of one, and none for a batch without a submitter.
    """
    batch = deps.store.batch(batch_id)
    if deps.outgoing_mail is None or batch is None or not _is_summed_up(batch):
        return
    imports = deps.store.imports(ImportFilter(batch_id=batch_id), limit=len(batch.imports))
    due = summary_due(imports, deps.clock.now())
    if due is not None:
        so_far = due is Summary.SO_FAR
        evidence = "" if so_far else _batch_evidence(deps, batch_id, imports)
        report = BatchReport(batch, tuple(report_of(deps, import_) for import_ in imports), evidence)
        compose = partial(
            deps.outgoing_mail.composer.batch_summary,
            report,
            deps.clock.now(),
            _pages_of(deps, batch),
            so_far=so_far,
        )
        deps.store.post(compose_notices(compose, batch_id))


def _batch_evidence(deps: Deps, batch_id: BatchId, imports: Sequence[Import]) -> str:
    """The SHA-256 of the evidence file of the batch; "" without a signer. The summary goes out without it,
    too."""
    from importer.service.evidence_files import batch_digest  # noqa: PLC0415 - as above

    return _attempted(partial(batch_digest, deps, imports), batch_id) or ""


def _attempted(make: Callable[[], T], about: str) -> T | None:
    """The result of `make`; None if it fails, which is logged."""
    try:
        return make()
    except Exception as error:
        log.warning("evidence.failed", about=about, exc_info=error)
        return None


def compose_notices(compose: Callable[[], Sequence[Notice]], about: str) -> Sequence[Notice]:
    """The mails composed by `compose`; none if it fails, which is logged."""
    try:
        return compose()
    except Exception as error:
        log.warning("mail.failed", about=about, exc_info=error)
        return ()
