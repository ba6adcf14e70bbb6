"""How an import ends: the verdict, the report, and the mails that tell of it.

Mails are news about the work and never in its way: one that cannot be written is left out, and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from importer.domain import import_state
from importer.domain.model import BatchId, Import, Problem, State
from importer.domain.reporting.report import BatchReport, Report
from importer.ports.leases import Lease
from importer.ports.notices import Notice
from importer.service.access.sealed_grants import consents_to_revoke
from importer.service.deps import Deps
from importer.service.notify.webhooks import webhook_calls

log = structlog.get_logger()


def report_of(deps: Deps, import_: Import) -> Report:
    """The account of one import as of now."""
    tallies = tuple(deps.store.tallies(import_.id))
    return Report(import_, tallies, tuple(deps.store.refusals(import_.id)))


def batch_report(deps: Deps, batch_id: BatchId) -> BatchReport | None:
    """The account of a batch as of now; None if there is no such batch."""
    batch = deps.store.batch(batch_id)
    if batch is None:
        return None
    imports = deps.store.imports(batch_id=batch_id, limit=len(batch.imports))
    return BatchReport(batch, tuple(report_of(deps, import_) for import_ in imports))


def finish_copied(deps: Deps, import_: Import, lease: Lease) -> Import:
    """Every message is accounted for: COMPLETE, or INCOMPLETE when one was refused or is unconfirmed."""
    report = report_of(deps, import_)
    totals = report.totals
    all_seen = not totals.copied or totals.confirmed == totals.copied
    sound = report.adds_up and all_seen and not report.refusals
    return finish(deps, import_, State.COMPLETE if sound else State.INCOMPLETE, lease)


def finish(deps: Deps, import_: Import, end: State, lease: Lease, problem: Problem | None = None) -> Import:
    """Ends the import, erases its grants and posts its mails, in one transaction; then rings for them, and
    gives owners' consents back.

    An import that would stop goes on instead when it was given other passwords since `import_` was read.
    """
    ended = import_state.ended(import_, end, deps.clock.now(), problem)
    notices: Sequence[Notice] = ()
    if deps.outgoing_mail is not None:
        write = partial(deps.outgoing_mail.composer.completion, report_of(deps, ended), deps.clock.now())
        notices = compose_notices(write, ended.id)
    consents = consents_to_revoke(deps, import_)
    mark = import_.password_fingerprint if end in (State.STOPPED, State.FAILED) else None
    calls = webhook_calls(deps, report_of(deps, ended))
    if not deps.store.finish_import(ended, notices, lease, password_fingerprint=mark, calls=calls):
        resumed = import_state.continued(import_, progressed=True)
        deps.store.update_import(resumed, lease)
        return resumed
    if ended.batch_id is not None:
        try:
            post_batch_summary(deps, ended.batch_id)
        except Exception as error:  # the import has ended all the same; the tick posts what is missing
            log.warning("summary.failed", batch_id=ended.batch_id, exc_info=error)
    deps.queue.ring_mail()
    for consent in consents:  # as far as possible: whoever gave it can end it as well
        log.info("consent.given_back", import_id=ended.id, done=deps.access.revoke_consent(consent))
    return ended


def post_batch_summary(deps: Deps, batch_id: BatchId) -> None:
    """Posts the batch's summary once all of its imports have ended. Doing it again changes nothing.

    None for a batch of one, which has its completion mail, or when nobody is known to want it.
    """
    batch = deps.store.batch(batch_id)
    if deps.outgoing_mail is None or batch is None or not batch.submitter or len(batch.imports) < 2:
        return
    imports = deps.store.imports(batch_id=batch_id, limit=len(batch.imports))
    if all(import_.state in import_state.ENDED for import_ in imports):
        report = BatchReport(batch, tuple(report_of(deps, import_) for import_ in imports))
        write = partial(deps.outgoing_mail.composer.batch_summary, report, deps.clock.now())
        deps.store.post(compose_notices(write, batch_id))


def compose_notices(write: Callable[[], Sequence[Notice]], about: str) -> Sequence[Notice]:
    """The mails that `write` writes; none, and a line in the log, when it fails."""
    try:
        return write()
    except Exception as error:
        log.warning("mail.failed", about=about, exc_info=error)
        return ()
