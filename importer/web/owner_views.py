"""The owners that have to sign in before an import continues, as shown to this guest: a button for their own
mailboxes, the link and a reminder for those of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from importer.domain.model import Batch, Import, ImportId
from importer.domain.reporting.batch_overview import awaits_owner
from importer.service.access.owner_reminders import AwaitedOwner, awaited_owners
from importer.web.request_context import Guest


@dataclass(frozen=True, slots=True)
class OwnersOfImports:
    """`sign_ins` has the guest's own mailboxes to sign in at, each with the path of its link; `others` the
    owners who are not the guest. Imports that wait for no owner are in neither."""

    sign_ins: Mapping[ImportId, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    others: Mapping[ImportId, tuple[AwaitedOwner, ...]] = field(default_factory=dict)


def owners_of(guest: Guest, imports: Sequence[tuple[Batch, Import]]) -> OwnersOfImports:
    """The owners for whom these imports wait. Makes no query if they wait for none, otherwise three in
    total."""
    waiting = {import_.id: (batch, import_) for batch, import_ in imports if awaits_owner(import_)}
    if not waiting:
        return OwnersOfImports()
    batches = {id_: batch for id_, (batch, _) in waiting.items()}
    known = {id_: import_ for id_, (_, import_) in waiting.items()}
    awaited = awaited_owners(guest.visitor.site.deps, batches, known.values())
    own = {id_ for id_ in awaited if is_own(guest, known[id_])}
    return OwnersOfImports(
        {id_: tuple((o.mailbox, urlsplit(o.link).path) for o in awaited[id_]) for id_ in own},
        {id_: owners for id_, owners in awaited.items() if id_ not in own},
    )


def is_own(guest: Guest, import_: Import) -> bool:
    """Whether the guest moves their own mail: this session has one of the two mailboxes open."""
    addresses = {import_.source.address.casefold(), import_.destination.address.casefold()}
    return any(
        mailbox.account.key == import_.destination.key or mailbox.account.address.casefold() in addresses
        for mailbox in guest.session_data.mailboxes
    )
