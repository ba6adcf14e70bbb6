"""Undo an import that has ended.

An undo needs the credential of the destination only, and holds the same leases as an import: that of the
mailbox once the login has succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog

from importer.domain.import_state import ENDED
from importer.domain.model import Import
from importer.domain.receipts.undo_report import FolderUndo, UndoReport
from importer.engine.undo_copies import Undoing
from importer.engine.undo_copies import undo as undo_copies
from importer.ports.leases import Lease
from importer.ports.mailbox import MailboxWriter
from importer.ports.work_limit import WorkEnded
from importer.service.access.sealed_grants import consents_to_revoke, organisation_credential, revoke_consents
from importer.service.deps import Deps
from importer.service.legs.heartbeat import Heartbeat
from importer.service.legs.host_limits import PostponedByHost
from importer.service.legs.host_work import LeaseHeld, host_work
from providers.errors import Side
from providers.grants import Credential
from providers.provider import PasswordKind, Provider
from providers.text import Text

log = structlog.get_logger()


class UndoRefused(Exception):
    """The import cannot be undone, or not now; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


def undo_credential(
    deps: Deps, import_: Import, host: Provider | None, *, organisation: bool = False
) -> Credential | None:
    """The credential that opens the destination without a password; None if a password is needed.

    `organisation` permits the use of organisation-wide grants, as for `submit`; `host` is the destination's
    provider. Raises UndoRefused if the host accepts no passwords either.
    """
    if host is not None and host.sign_in is not None and organisation:
        credential = organisation_credential(deps, import_.destination, host.sign_in, Side.DESTINATION)
        if credential is not None:
            return credential
    if host is not None and host.password is PasswordKind.NONE:
        raise UndoRefused(Text("undo_closed", host=import_.destination.endpoint.host))
    return None


def undo(
    deps: Deps,
    import_: Import,
    credential: Credential,
    *,
    on_folder: Callable[[FolderUndo], None] = lambda _folder: None,
) -> UndoReport:
    """Remove what the import added to the destination and is unchanged since; store the report.

    Safe to repeat: an interrupted undo resumes. `on_folder` is called with the tally of each folder as it
    grows. Raises UndoRefused, any MailError of scope session or account, and LeaseLost.
    """
    _require_ended(import_)
    began_at_s = deps.clock.elapsed_s()
    try:
        with host_work(deps, import_, f"import:{import_.id}") as work:
            import_ = deps.store.import_(import_.id) or import_
            _require_ended(import_)  # it may have been reopened while the undo waited for its turn
            log.info("undo.started", import_id=import_.id)
            open_it = partial(deps.sessions.open_destination, import_.destination, credential)
            session = work.open(Side.DESTINATION, open_it)
            report = _undo_under_lease(deps, import_, session, on_folder)
            consents = consents_to_revoke(deps, import_)
            deps.store.save_undo(report, work.lease)
    except LeaseHeld:
        raise UndoRefused(Text("undo_busy")) from None
    except PostponedByHost as postponed:
        raise UndoRefused(
            Text("undo_held_back", host=import_.destination.endpoint.host, reason=postponed.problem.text)
        ) from None
    except WorkEnded:
        raise UndoRefused(Text("undo_interrupted")) from None
    revoke_consents(deps, import_.id, consents)
    totals = report.totals
    log.info(
        "undo.finished",
        seconds=round(deps.clock.elapsed_s() - began_at_s, 3),
        import_id=import_.id,
        added=totals.added,
        removed=totals.removed,
        stays=totals.stays,
        gone=totals.gone,
        folders_removed=len(report.folders_removed),
    )
    return report


def _require_ended(import_: Import) -> None:
    if import_.state not in ENDED:
        raise UndoRefused(Text("undo_too_early"))


def _undo_under_lease(
    deps: Deps, import_: Import, session: MailboxWriter, on_folder: Callable[[FolderUndo], None]
) -> UndoReport:
    """Undo under the lease of the mailbox, and close the session before the lease is released."""
    asked_at_s = deps.clock.elapsed_s()
    mailbox = deps.store.acquire(f"mailbox:{import_.destination.key}", deps.lease_owner, deps.deadlines.lease)
    if mailbox is None:
        raise UndoRefused(Text("undo_mailbox_busy"))
    with Heartbeat(
        deps.store, [mailbox], deps.clock, deps.deadlines.lease, asked_at_s=asked_at_s
    ) as heartbeat:
        session.fence(heartbeat.check)
        heartbeat.when_lost(session.cut_off)
        try:
            return _undo(deps, import_, session, mailbox, heartbeat, on_folder)
        finally:
            session.close()


def _undo(
    deps: Deps,
    import_: Import,
    session: MailboxWriter,
    mailbox: Lease,
    heartbeat: Heartbeat,
    on_folder: Callable[[FolderUndo], None],
) -> UndoReport:
    if not session.supports_uid_expunge():
        raise UndoRefused(Text("undo_inexact", host=import_.destination.endpoint.host))
    undoing = Undoing(import_, session, deps.store, mailbox, heartbeat.check, deps.clock, on_folder)
    return undo_copies(undoing)
