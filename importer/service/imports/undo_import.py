"""Undoing an import that has ended: with the password of the destination alone, under the same leases as
imports have."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from importer.domain.import_state import ENDED
from importer.domain.model import Import
from importer.domain.receipts.undo_report import FolderUndo, UndoReport
from importer.engine.undo_copies import Undoing
from importer.engine.undo_copies import undo as undo_copies
from importer.ports.leases import Lease
from importer.ports.mailbox import MailboxSession
from importer.service.access.sealed_grants import organisation_credential
from importer.service.deps import Deps
from importer.service.legs.heartbeat import Heartbeat
from importer.service.legs.host_limits import HostLimits, PostponedByHost
from providers.errors import Side, Throttled
from providers.grants import Credential
from providers.provider import PasswordKind, Provider

log = structlog.get_logger()


class UndoRefused(Exception):
    """It cannot be undone, or not now; the text says why and what to do, the code for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def undo_credential(
    deps: Deps, import_: Import, host: Provider | None, *, organisation: bool = False
) -> Credential | None:
    """What opens the destination without a password: with `organisation`, as for `submit`, what one allowed.
    `host` is the destination's. None when a password is needed; raises UndoRefused when none would help.
    """
    if host is not None and host.sign_in is not None and organisation:
        found = organisation_credential(deps, import_.destination, host.sign_in, Side.DESTINATION)
        if found is not None:
            return found
    if host is not None and host.password is PasswordKind.NONE:
        raise UndoRefused(
            "undo_closed",
            f"{import_.destination.endpoint.host} takes no passwords, and what its owner allowed ended with"
            " the import. Remove the messages with a mail program; the report says what was copied.",
        )
    return None


def undo(
    deps: Deps,
    import_: Import,
    credential: Credential,
    *,
    on_folder: Callable[[FolderUndo], None] = lambda _folder: None,
) -> UndoReport:
    """Removes from the destination what the import added and nobody has touched since, and keeps the report.

    Safe to repeat: an interrupted undo resumes. `on_folder` is called with the tally of each folder as it grows.
    Raises UndoRefused, any MailError of scope session or account, and LeaseLost.
    """
    if import_.state not in ENDED:
        raise UndoRefused("undo_too_early", "The import is still in progress. Cancel it first, then undo it.")
    lease = _acquired(deps, f"import:{import_.id}")
    if lease is None:
        raise UndoRefused("undo_busy", "This import is being processed right now. Try again in a minute.")
    mailbox = _acquired(deps, f"mailbox:{import_.destination.key}")
    if mailbox is None:
        deps.store.release(lease)
        raise UndoRefused(
            "undo_mailbox_busy",
            "Another import is writing to this mailbox. Pause it, or wait until it is done.",
        )
    host_limits = HostLimits(deps, import_, f"{deps.lease_owner} {lease.name} {lease.fence}")
    with Heartbeat(
        deps.store, [lease, mailbox], deps.clock, deps.deadlines.lease, host_limits.renew_slots
    ) as heartbeat:
        try:
            host_limits.raise_if_postponed()
            host_limits.acquire_slots(0)
            session = deps.sessions.open(import_.destination, credential, Side.DESTINATION)
            try:
                report = _undone(deps, import_, session, mailbox, heartbeat, on_folder)
            finally:
                session.close()
        except PostponedByHost as held:
            raise UndoRefused("undo_held_back", f"Not now: {held.problem.message}") from None
        except Throttled as error:
            host_limits.record_throttling(error)
            raise
        finally:
            host_limits.release_slots()
        deps.store.save_undo(report, lease)
    totals = report.totals
    log.info(
        "undo.finished",
        import_id=import_.id,
        added=totals.added,
        removed=totals.removed,
        stays=totals.stays,
        gone=totals.gone,
        folders_removed=len(report.folders_removed),
    )
    return report


def _undone(
    deps: Deps,
    import_: Import,
    session: MailboxSession,
    mailbox: Lease,
    heartbeat: Heartbeat,
    on_folder: Callable[[FolderUndo], None],
) -> UndoReport:
    if not session.supports_uid_expunge():
        raise UndoRefused(
            "undo_inexact",
            f"{import_.destination.endpoint.host} cannot remove single messages (it offers no UIDPLUS, RFC"
            " 4315): other mail that is marked as deleted would go with them. Remove the messages with a mail"
            " program; `report` says what was copied.",
        )
    return undo_copies(Undoing(import_, session, deps.store, mailbox, heartbeat.check, deps.clock, on_folder))


def _acquired(deps: Deps, name: str) -> Lease | None:
    return deps.store.acquire(name, deps.lease_owner, deps.clock.now(), deps.deadlines.lease)
