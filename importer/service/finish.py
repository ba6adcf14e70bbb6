"""How an import ends: the verdict, the report, and the mails that tell of it."""

from __future__ import annotations

from importer.domain import state
from importer.domain.model import BatchId, Import, Problem, State
from importer.domain.report import BatchReport, Report
from importer.ports import Lease
from importer.service.deps import Deps


def report_of(deps: Deps, import_: Import) -> Report:
    """The account of one import as of now."""
    accounts = tuple(deps.store.accounts(import_.id))
    return Report(import_, accounts, tuple(deps.store.refusals(import_.id)))


def batch_report(deps: Deps, batch_id: BatchId) -> BatchReport | None:
    """The account of a batch as of now; None if there is no such batch."""
    batch = deps.store.batch(batch_id)
    if batch is None:
        return None
    imports = deps.store.imports(batch_id=batch_id, limit=len(batch.imports))
    return BatchReport(batch, tuple(report_of(deps, import_) for import_ in imports))


def finish_done(deps: Deps, import_: Import, lease: Lease) -> Import:
    """Every message is accounted for: COMPLETE, or INCOMPLETE when one was refused or is unconfirmed."""
    report = report_of(deps, import_)
    totals = report.totals
    all_seen = not totals.copied or totals.confirmed == totals.copied
    sound = report.adds_up and all_seen and not report.refusals
    return finish(deps, import_, State.COMPLETE if sound else State.INCOMPLETE, lease)


def finish(deps: Deps, import_: Import, end: State, lease: Lease, problem: Problem | None = None) -> Import:
    """Ends the import, erases its passwords and posts its mails, in one transaction; then rings for them."""
    ended = state.ended(import_, end, deps.clock.now(), problem)
    notices = deps.composer.completion(report_of(deps, ended), deps.clock.now()) if deps.mailer else ()
    deps.store.finish_import(ended, notices, lease)
    if ended.batch_id is not None:
        summarise(deps, ended.batch_id)
    deps.queue.ring_mail()
    return ended


def summarise(deps: Deps, batch_id: BatchId) -> None:
    """Posts the batch's summary once all of its imports have ended. Doing it again changes nothing."""
    report = batch_report(deps, batch_id)
    if deps.mailer is None or report is None or len(report.reports) < 2:
        return  # a batch of one has its completion mail
    if all(one.import_.state in state.ENDED for one in report.reports):
        deps.store.post(deps.composer.batch_summary(report, deps.clock.now()))
