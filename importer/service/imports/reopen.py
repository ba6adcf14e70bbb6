"""Reopen a stopped import with the grants that were kept, or erase them.

After a stop, grants stay sealed for `Deadlines.kept_grants`: the operator, who does not know the passwords,
often fixes the cause of the stop. Invariant: they are erased at the end of that time, on request, and when
the same owner submits the route again; at every other end of an import they are erased immediately.
"""

from __future__ import annotations

import structlog

from importer.domain.model import Import, State
from importer.ports.vault import VaultError
from importer.service.access.sealed_grants import consents_to_revoke, open_grants, revoke_consents
from importer.service.deps import Deps

log = structlog.get_logger()


def can_keep_grants(deps: Deps, import_: Import, end: State) -> bool:
    """Whether the grants of an import that ends so are of use later: it was stopped, and both sides can log
    in without their owners."""
    if end not in (State.STOPPED, State.FAILED) or not deps.deadlines.kept_grants:
        return False
    sealed = deps.store.grants(import_.id)
    try:
        return sealed is not None and not open_grants(deps, import_.id, sealed).pending_sides
    except VaultError:
        return False


class ImportHeld(Exception):
    """Another process works on the import: an undo, or a request to reopen it."""


def reopen(deps: Deps, import_: Import) -> Import | None:
    """Continue a stopped import with the grants that were kept; None if there are none, or no longer.

    Raises ImportHeld, and RouteUnderWay if its owner has another import of its route under way.
    """
    until = import_.grants_kept_until
    if until is None or until <= deps.clock.now():
        return None
    lease = deps.store.acquire(f"import:{import_.id}", deps.lease_owner, deps.deadlines.lease)
    if lease is None:
        raise ImportHeld
    try:
        reopened = deps.store.reopen_import(import_.id)
    finally:
        deps.store.release(lease)
    if reopened is not None:
        log.info("import.reopened", import_id=import_.id)
        deps.queue.ring(import_.id)
    return reopened


def erase_kept_grants(deps: Deps, import_: Import) -> bool:
    """Erase the grants that were kept, and revoke owners' consents. False if none were kept."""
    consents = consents_to_revoke(deps, import_) if import_.grants_kept_until is not None else ()
    if not deps.store.erase_kept_grants(import_.id):
        return False
    revoke_consents(deps, import_.id, consents)
    return True


def erase_expired_grants(deps: Deps) -> None:
    """Erase the grants that were kept long enough."""
    for import_ in deps.store.imports_with_kept_grants(deps.clock.now()):
        erase_kept_grants(deps, import_)
