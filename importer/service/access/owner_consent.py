"""Owner consent: ask mailbox owners to sign in at their provider, so that an import can use their mailboxes.

An import without a grant for a side waits (`consent_needed`) until the owner of that mailbox opens a link and
signs in. If both sides lack a grant, both owners are asked at the same time, each for their own mailbox. The
first worker of the import creates the links, under the import's lease. A link is for one import and is valid
until its owner has signed in or it expires. A consent serves one import: its page shows the owner where the
mail comes from and where it goes.

Where a host's panel asks for it, the owner of a source enters its password over the link (PASSWORD_LINK). No
mail goes out then: the panel hands the link on.

Invariants:
- Tokens and states are stored as hashes only, and pending mails contain neither. A link can be shown again
  with the vault's key.
- A grant is stored only if the provider confirms that it is for the requested mailbox.
"""

from __future__ import annotations

import contextlib
import json
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
from importer.service.access.login_attempts import LoginOrigin, try_login
from importer.service.access.sealed_grants import is_shared, open_grants, seal_grant
from importer.service.deps import Deps
from importer.service.import_batch import batch_of_import
from importer.service.imports.finish import compose_notices, finish, report_of
from importer.service.notify.webhooks import webhook_calls
from providers.endpoint import Secret
from providers.errors import GrantExpired, Side
from providers.frozen import frozen
from providers.grants import PASSWORD_LINK, OAuthGrant, PasswordGrant
from providers.mailbox_access import Question, not_set_up
from providers.sign_in_providers import name_of

LINK_PATH: Final = "/consent/{token}"
"""The path of a link, relative to `Deps.public_url`."""

_TOKEN: Final = "TOKEN-OF-THE-LINK"  # noqa: S105
"""Placeholder for the token in pending mails; replaced when they are sent."""


class LinkGone(Exception):
    """The link was used, has expired or is unknown."""


@frozen
class ConsentPrompt:
    """The request that is shown to the owner before signing in."""

    import_: Import
    side: Side  # of the owner's mailbox
    provider: str  # of `Provider.sign_in`, or PASSWORD_LINK
    expires_at: datetime

    @property
    def by_password(self) -> bool:
        """Whether the owner enters the password, and does not sign in at a provider."""
        return self.provider == PASSWORD_LINK

    @property
    def provider_name(self) -> str:
        return name_of(self.provider)

    @property
    def mailbox(self) -> str:
        return self.import_.account(self.side).address

    @property
    def is_destination(self) -> bool:
        """Whether the mailbox is the destination."""
        return self.side is Side.DESTINATION


# --- For the web pages --------------------------------------------------------------------------------


def find_prompt(deps: Deps, token: str) -> ConsentPrompt:
    """The request behind a link. Raises LinkGone."""
    consent = deps.store.consent_by_token(_hash(token))
    return _prompt(deps, consent)


def begin(deps: Deps, token: str) -> Question:
    """Begin the sign-in of the owner; `Question.url` is where to redirect the browser.

    The caller keeps `Question.state` in a cookie and calls `complete` for the same browser only. A further
    call replaces the earlier one.

    Raises LinkGone, and LoginRejected if sign-in at the provider is no longer set up.
    """
    prompt = find_prompt(deps, token)
    if prompt.by_password:
        raise LinkGone
    question = deps.access.begin_sign_in(prompt.provider, prompt.mailbox)
    facts = Secret(json.dumps({"verifier": question.verifier.reveal(), "nonce": question.nonce}))
    sealed = deps.vault.seal(facts, _question_context(prompt.import_.id, prompt.side))
    if not deps.store.begin_consent(prompt.import_.id, prompt.side, _hash(question.state), sealed):
        raise LinkGone
    return question


def give_password(deps: Deps, token: str, password: Secret, origin: LoginOrigin) -> Import:
    """Log in to the mailbox, store the password for this import alone, and ring; the link is used up then.

    Raises LinkGone; RateLimited and any MailError of scope session or account, and the link stays valid.
    """
    prompt = find_prompt(deps, token)
    if not prompt.by_password:
        raise LinkGone
    import_id, side = prompt.import_.id, prompt.side
    try_login(deps, prompt.import_.account(side), password, side, origin)
    attempt = _hash(secrets.token_urlsafe(32))
    sealed = seal_grant(deps, import_id, side, PasswordGrant(password))
    if not deps.store.begin_consent(import_id, side, attempt, b"") or not deps.store.give_consent(
        import_id, side, attempt, sealed
    ):
        raise LinkGone
    deps.queue.ring(import_id)
    return deps.store.import_(import_id) or prompt.import_


def complete(deps: Deps, state: str, answer: Mapping[str, str]) -> Import:
    """Store the owner's grant and ring. `answer` holds the parameters that the browser returned with.

    Raises LinkGone and ServerUnavailable; LoginRejected if the owner gave no consent or signed in to another
    mailbox, in which case the link stays valid.
    """
    consent = deps.store.consent_by_state(_hash(state)) if state else None
    if consent is None:
        raise LinkGone
    prompt = _prompt(deps, consent)
    import_id, side = prompt.import_.id, prompt.side
    facts = json.loads(deps.vault.open(consent.question, _question_context(import_id, side)).reveal())
    question = Question("", state, Secret(facts["verifier"]), facts["nonce"])
    grant = deps.access.complete_sign_in(prompt.provider, question, answer, prompt.mailbox).grant
    sealed = seal_grant(deps, import_id, side, grant)
    if not deps.store.give_consent(import_id, side, consent.state_hash, sealed):
        # At Google, revoking would end the consent that other imports use.
        if not is_shared(deps, prompt.import_, side):
            deps.access.revoke_consent(grant)
        raise LinkGone
    deps.queue.ring(import_id)
    return deps.store.import_(import_id) or prompt.import_


# --- For operators --------------------------------------------------------------------------------------


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


def _prompt(deps: Deps, consent: ConsentRequest | None) -> ConsentPrompt:
    import_ = None if consent is None else deps.store.import_(consent.import_id)
    if consent is None or import_ is None or import_.state in import_state.ENDED:
        raise LinkGone
    provider = pending_providers(deps, consent.import_id).get(consent.side)
    if provider is None or deps.clock.now() >= consent.expires_at:
        raise LinkGone
    return ConsentPrompt(import_, consent.side, provider, consent.expires_at)


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
    return ConsentRequest(import_id, side, _hash(token), sealed, now, now + deps.deadlines.consent)


def link_of(deps: Deps, consent: ConsentRequest) -> str:
    """The link of an open request. Raises VaultError."""
    context = _link_context(consent.import_id, consent.side)
    return _link_to(deps, deps.vault.open(consent.token, context).reveal())


def _link_to(deps: Deps, token: str) -> str:
    return deps.public_url.rstrip("/") + LINK_PATH.format(token=token)


def _hash(text: str) -> str:
    """Hash of an unguessable text; needs no salt."""
    return sha256(text.encode(errors="replace")).hexdigest()


def _link_context(import_id: ImportId, side: Side) -> str:
    return f"{import_id}:{side.value}:link"


def _question_context(import_id: ImportId, side: Side) -> str:
    return f"{import_id}:{side.value}:question"
