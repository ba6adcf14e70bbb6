"""Requests to mailbox owners: their links, the invitations, and the wait of an import for its owners.

An import without a grant for a side waits (`consent_needed`) until the owner of that mailbox opens a link and
signs in (`owner_consent.py`). If both sides lack a grant, both owners are asked at the same time, each for
their own mailbox. The first worker of the import creates the links, under the import's lease. A link is for
one import and is valid until its owner has signed in or it expires.

Where a host's panel asks for it, the owner of a source enters its password over the link (PASSWORD_LINK). No
mail goes out then: the panel hands the link on.

Invariant: tokens are stored as hashes only, and pending mails contain none. A link can be shown again with
the vault's key.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Final

from importer.domain import import_state
from importer.domain.model import Batch, Import, ImportId, Problem, State
from importer.domain.people import consent_schedule as schedule
from importer.ports.consents import ConsentRequest
from importer.ports.leases import Lease
from importer.ports.notices import Invitation, Notice
from importer.ports.vault import VaultError
from importer.service.access.sealed_grants import open_grants
from importer.service.deps import Deps
from importer.service.import_batch import batch_of_import
from importer.service.imports.finish import compose_notices, finish, report_of
from importer.service.notify.webhooks import webhook_calls
from providers.endpoint import Secret
from providers.errors import GrantExpired, Side
from providers.frozen import frozen
from providers.grants import PASSWORD_LINK, OAuthGrant
from providers.mailbox_access import not_set_up
from providers.sign_in_providers import name_of

_TOKEN: Final = "TOKEN-OF-THE-LINK"  # noqa: S105
"""Placeholder for the token in pending mails; replaced when they are sent."""

Links = Mapping[ImportId, Mapping[Side, str]]


def links(deps: Deps, imports: Iterable[Import]) -> Links:
    """The links of imports that wait for owners, by import and side."""
    return {
        import_id: {side: link_of(deps, consent) for side, consent in by_side.items()}
        for import_id, by_side in open_requests(deps, imports).items()
    }


def open_requests(deps: Deps, imports: Iterable[Import]) -> Mapping[ImportId, Mapping[Side, ConsentRequest]]:
    """The requests to owners who have not signed in yet, by import and side, the source first; of any number
    of imports in two queries."""
    ids = [import_.id for import_ in imports if import_.state in import_state.ALIVE]
    requests = deps.store.consents_by_import(ids) if ids else {}
    grants = deps.store.grants_by_import(list(requests)) if requests else {}
    found: dict[ImportId, Mapping[Side, ConsentRequest]] = {}
    for import_id in filter(grants.__contains__, ids):
        with contextlib.suppress(VaultError):  # sealed with another key: `doctor` reports it
            sides = open_grants(deps, import_id, grants[import_id]).pending_sides
            if open_ := {side: requests[import_id][side] for side in sides if side in requests[import_id]}:
                found[import_id] = open_
    return found


def pending_sides(deps: Deps, import_: Import) -> tuple[Side, ...]:
    """The sides whose owners have not signed in yet. Raises VaultError."""
    return tuple(pending_providers(deps, import_.id)) if import_.state in import_state.ALIVE else ()


# --- For workers --------------------------------------------------------------------------------------------


def start_consent(deps: Deps, import_id: ImportId) -> None:
    """Create the links of a newly stored import and mail its owners."""
    lease = deps.store.acquire(f"import:{import_id}", deps.lease_owner, deps.deadlines.lease)
    if lease is not None:  # otherwise a worker does it
        try:
            import_ = deps.store.import_(import_id)
            if import_ is not None and import_.state in import_state.GOING:
                process_pending_consents(deps, import_, lease)
        finally:
            deps.store.release(lease)


def process_pending_consents(deps: Deps, import_: Import, lease: Lease) -> Import:
    """Process an import whose owners have not signed in yet, under its lease.

    Links are created; due mails are posted if the submitter may have others asked. The import ends as soon as
    one owner can no longer be asked. Raises LeaseLost, VaultError.
    """
    now = deps.clock.now()
    pending = [
        _pending_consent(deps, import_, side, provider, now)
        for side, provider in pending_providers(deps, import_.id).items()
    ]
    if not pending:  # the owners have already signed in
        return _continue(deps, import_, lease)
    for owner in pending:
        if not owner.by_password and not deps.access.can_sign_in(owner.provider):
            problem = Problem(not_set_up(GrantExpired.code, owner.provider), owner.side)
            return finish(deps, import_, State.STOPPED, lease, problem)
        if now >= owner.consent.expires_at:
            expired = schedule.expired(
                owner.mailbox,
                owner.name,
                owner.consent.expires_at,
                owner.side,
                by_password=owner.by_password,
            )
            return finish(deps, import_, State.STOPPED, lease, expired)
    both = len(pending) > 1
    invited = [owner for owner in pending if not owner.by_password]
    mails = bool(invited) and mails_owners(deps, batch_of_import(deps, import_))
    if mails:
        for owner in invited:
            mail = schedule.mails_due(owner.consent.asked_at, now)
            post_invitation(deps, import_, owner.consent, owner.name, mail=mail, both=both)
        deps.queue.ring_mail()
    until = min(
        schedule.next_look(owner.consent.asked_at, now, owner.consent.expires_at) for owner in pending
    )
    first = pending[0]
    ends = min(owner.consent.expires_at for owner in pending)
    problem = schedule.needed(
        first.mailbox,
        first.name,
        ends,
        first.side,
        both=both,
        by_password=first.by_password,
        reminder=until if mails and until < ends else None,
    )
    after = import_state.queued_behind(import_, problem, now, until)
    deps.store.update_import(after, lease)
    deps.store.post_calls(webhook_calls(deps, report_of(deps, after)))
    # Owners sign in without our lease: a consent given during this function must not wait for a reminder.
    unchanged = len(pending_providers(deps, import_.id)) == len(pending)
    return after if unchanged else _continue(deps, after, lease)


def mails_owners(deps: Deps, batch: Batch | None) -> bool:
    """Whether the owners of the mailboxes of this batch are invited by mail."""
    return deps.outgoing_mail is not None and (batch is None or batch.is_trusted)


def post_invitation(
    deps: Deps,
    import_: Import,
    consent: ConsentRequest,
    provider: str,
    *,
    mail: int,
    both: bool,
    asked: int = 0,
) -> None:
    """Post the mail of that number to the owner; `asked` counts the reminders that a person asked for. The
    mail is stored until it is sent; the token is inserted only then."""
    assert deps.outgoing_mail is not None  # noqa: S101 - `mails_owners`
    link = _link_to(deps, _TOKEN)
    invitation = Invitation(import_, consent.side, provider, link, consent.expires_at, mail, both, asked)
    compose = partial(deps.outgoing_mail.composer.invitation, invitation, deps.clock.now())
    deps.store.post(compose_notices(compose, import_.id))


@frozen
class _PendingConsent:
    """An owner who has not signed in yet."""

    side: Side
    provider: str
    mailbox: str
    consent: ConsentRequest

    @property
    def by_password(self) -> bool:
        return self.provider == PASSWORD_LINK

    @property
    def name(self) -> str:
        return name_of(self.provider)


def _pending_consent(
    deps: Deps, import_: Import, side: Side, provider: str, now: datetime
) -> _PendingConsent:
    consent = deps.store.consents_of(import_.id).get(side)
    if consent is None:
        consent = deps.store.add_consent(_new_request(deps, import_.id, side, now))
    return _PendingConsent(side, provider, import_.account(side).address, consent)


def _continue(deps: Deps, import_: Import, lease: Lease) -> Import:
    after = import_state.continued(import_, progressed=True)
    deps.store.update_import(after, lease)
    return after


# --- For mails ------------------------------------------------------------------------------------------


def with_consent_link(deps: Deps, notice: Notice) -> Notice | None:
    """The notice as it is sent: for a sign-in request, with the token in its link.

    None if the sign-in is no longer needed. Raises VaultError.
    """
    requested = _requested_side(notice)
    if requested is None:
        return notice
    import_id, side = requested
    consent = deps.store.consents_of(import_id).get(side)
    if (
        consent is None
        or deps.clock.now() >= consent.expires_at
        or side not in pending_providers(deps, import_id)
    ):
        return None
    token = deps.vault.open(consent.token, _link_context(import_id, side)).reveal()
    return replace(notice, text=notice.text.replace(_TOKEN, token), html=notice.html.replace(_TOKEN, token))


def _requested_side(notice: Notice) -> tuple[ImportId, Side] | None:
    kind, _, rest = notice.key.partition(":")
    if kind != "consent":
        return None
    import_id, side, _ = rest.split(":", 2)
    return ImportId(import_id), Side(side)


# --- Helpers ----------------------------------------------------------------------------------------------


def pending_providers(deps: Deps, import_id: ImportId) -> dict[Side, str]:
    """The sides whose owners have not signed in yet, the source first, with the provider they sign in at.
    Raises VaultError."""
    sealed = deps.store.grants(import_id)
    if sealed is None:
        return {}
    opened = open_grants(deps, import_id, sealed)
    grants = {side: opened.of(side) for side in opened.pending_sides}
    return {side: grant.provider for side, grant in grants.items() if isinstance(grant, OAuthGrant)}


def _new_request(deps: Deps, import_id: ImportId, side: Side, now: datetime) -> ConsentRequest:
    token = secrets.token_urlsafe(32)
    sealed = deps.vault.seal(Secret(token), _link_context(import_id, side))
    return ConsentRequest(import_id, side, hash_of(token), sealed, now, now + deps.deadlines.consent)


def link_of(deps: Deps, consent: ConsentRequest) -> str:
    """The link of an open request. Raises VaultError."""
    context = _link_context(consent.import_id, consent.side)
    return _link_to(deps, deps.vault.open(consent.token, context).reveal())


def _link_to(deps: Deps, token: str) -> str:
    return f"{deps.public_url.rstrip('/')}/consent/{token}"


def hash_of(text: str) -> str:
    """Hash of an unguessable text; needs no salt."""
    return sha256(text.encode(errors="replace")).hexdigest()


def _link_context(import_id: ImportId, side: Side) -> str:
    return f"{import_id}:{side.value}:link"
