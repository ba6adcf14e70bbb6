"""Requests of a person about their data (GDPR articles 15, 17 and 20): show, export, erase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from importer.domain import import_state
from importer.domain.audit_event import AuditAction, AuditActor, AuditOutcome
from importer.domain.model import Import
from importer.domain.personal_data import PersonalData
from importer.ports.personal_data import PersonalRecords
from importer.service.access.audit import record_event
from importer.service.deps import Deps
from importer.service.imports.control import cancel
from importer.service.imports.reopen import erase_kept_grants
from providers.endpoint import Secret
from providers.frozen import frozen
from providers.text import Text

CANCEL_WITHIN: Final = timedelta(seconds=90)
"""A worker applies a cancellation after its current batch."""
_POLL_S: Final = 1.0


class StillUnderWay(Exception):
    """Imports of the address have not ended, and nothing was erased. `imports` are those."""

    def __init__(self, imports: Sequence[Import]) -> None:
        super().__init__(", ".join(import_.id for import_ in imports))
        self.imports = tuple(imports)


@frozen
class Erased:
    """The result of an erasure: changed rows by table, data that still names the address, and whether the
    database files hold no remains of it. `pseudonym` stands where the address was."""

    pseudonym: str
    changed: Mapping[str, int]
    kept: PersonalData
    is_overwritten: bool


def known_data(deps: Deps, address: str, actor: AuditActor) -> PersonalData:
    """All stored data about the address. The audit trail gets an event without the address."""
    found = _records(deps).personal_data(address)
    record_event(deps, AuditAction.DATA_READ, AuditOutcome.DONE, actor, target=pseudonym_of(deps, address))
    return found


def erase_data(deps: Deps, address: str, actor: AuditActor, *, cancels: bool = False) -> Erased:
    """Erase the stored data about the address; mail in mailboxes stays where it is.

    Raises StillUnderWay if imports of that mailbox have not ended; with `cancels`, they are cancelled first.
    Safe to repeat. The audit trail gets an event with a keyed digest in place of the address.
    """
    records, pseudonym = _records(deps), pseudonym_of(deps, address)
    if cancels:
        for import_ in _under_way(deps, records, address):
            cancel(deps, import_.id)
    until = deps.clock.now() + CANCEL_WITHIN
    while cancels and _under_way(deps, records, address) and deps.clock.now() < until:
        deps.clock.sleep(_POLL_S)
    if under_way := _under_way(deps, records, address):
        raise StillUnderWay(under_way)
    for import_ in records.imports_of(address):
        erase_kept_grants(deps, import_)  # and revoke consents at their providers
    changed = records.erase_personal_data(address, pseudonym)
    is_overwritten = records.overwrite_free_space()
    detail = Text("audit_rows", number=sum(changed.values()))
    record_event(deps, AuditAction.DATA_ERASE, AuditOutcome.DONE, actor, target=pseudonym, detail=detail)
    return Erased(pseudonym, changed, records.personal_data(address), is_overwritten)


def pseudonym_of(deps: Deps, address: str) -> str:
    """The name that stands for an erased address: the same address has the same one under the same key."""
    return f"erased:{deps.vault.fingerprint(Secret(address.casefold()))[:16]}"


def _under_way(deps: Deps, records: PersonalRecords, address: str) -> list[Import]:
    """The imports that a worker can continue or a process holds; a copy that was killed is neither."""
    return [
        import_
        for import_ in records.imports_of(address)
        if import_.state in import_state.ALIVE
        and (deps.store.grants(import_.id) is not None or deps.store.holder(f"import:{import_.id}"))
    ]


def _records(deps: Deps) -> PersonalRecords:
    if deps.personal_records is None:
        raise TypeError("this process was built without personal records")
    return deps.personal_records
