"""Asking owners to sign in, so that an import can read one mailbox and put mail into the other.

An import without a grant for a side waits (`consent_needed`) while that mailbox's owner has a link. When both
sides lack one, both owners are asked at once, each for their own mailbox. The links are made by whoever works
on the import first, under its lease; each works for one import, until its owner has signed in or time is
over. One consent serves one import: the owner was shown where the mail comes from and where it goes.

Invariants:
- Tokens and states are stored as hashes, and not in mails that wait to be sent; the link can be shown
  again by who has the vault's key.
- What an owner gives is kept only if the provider vouches that the mailbox is the one asked for.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Final

from importer.domain import import_state
from importer.domain.model import Import, ImportId, Problem, State
from importer.domain.people import consent_schedule as waiting
from importer.ports.consents import ConsentRequest
from importer.ports.leases import Lease
from importer.ports.notices import Invitation, Notice
from importer.ports.vault import VaultError
from importer.service.access.sealed_grants import is_shared, open_grants, seal_grant
from importer.service.deps import Deps
from importer.service.imports.finish import compose_notices, finish, report_of
from importer.service.notify.webhooks import webhook_calls
from providers.endpoint import Secret
from providers.errors import GrantExpired, Side
from providers.grants import OAuthGrant
from providers.mailbox_access import Question, not_set_up

LINK_PATH: Final = "/consent/{token}"
"""Where a link leads, below `Deps.public_url`."""

_TOKEN: Final = "TOKEN-OF-THE-LINK"  # noqa: S105
"""Stands in mails for the token until they are sent."""

PROVIDER_NAMES: Final[Mapping[str, str]] = {"google": "Google", "microsoft": "Microsoft"}


class LinkGone(Exception):
    """The link was used, has run out, or never was one; the text is for whoever opened it."""

    def __init__(self) -> None:
        super().__init__(
            "This link does not work any more: it was used already, or it has run out. Ask whoever sent it"
            " for a new one."
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the owner is shown before signing in."""

    import_: Import
    side: Side  # of the mailbox that they own
    provider: str  # of `Provider.sign_in`
    expires_at: datetime

    @property
    def provider_name(self) -> str:
        return PROVIDER_NAMES.get(self.provider, self.provider)

    @property
    def mailbox(self) -> str:
        return self.import_.account(self.side).address

    @property
    def is_destination(self) -> bool:
        """Whether mail comes into it."""
        return self.side is Side.DESTINATION


# --- What a page does ---------------------------------------------------------------------------------


def find_request(deps: Deps, token: str) -> Asked:
    """What a link asks for. Raises LinkGone."""
    consent = deps.store.consent_by_token(_hash(token))
    return _asked(deps, consent)


def begin(deps: Deps, token: str) -> Question:
    """Where to send the browser. Whoever shows the page keeps `import_state` in that browser (a cookie), and
    lets nobody else complete what it began. Beginning again replaces what was begun before.

    Raises LinkGone, and LoginRejected when the installation cannot ask there any more.
    """
    asked = find_request(deps, token)
    question = deps.access.begin_sign_in(asked.provider, asked.mailbox)
    facts = Secret(json.dumps({"verifier": question.verifier.reveal(), "nonce": question.nonce}))
    sealed = deps.vault.seal(facts, _question_context(asked.import_.id, asked.side))
    if not deps.store.begin_consent(asked.import_.id, asked.side, _hash(question.state), sealed):
        raise LinkGone
    return question


def complete(deps: Deps, state: str, answer: Mapping[str, str]) -> Import:
    """Keeps what the owner gave, and rings. `answer` holds the parameters that the browser came back with.

    Raises LinkGone; LoginRejected when the owner gave nothing, or signed in to another mailbox: the link
    still works then; ServerUnavailable.
    """
    consent = deps.store.consent_by_state(_hash(state)) if state else None
    if consent is None:
        raise LinkGone
    asked = _asked(deps, consent)
    import_id, side = asked.import_.id, asked.side
    facts = json.loads(deps.vault.open(consent.question, _question_context(import_id, side)).reveal())
    question = Question("", state, Secret(facts["verifier"]), facts["nonce"])
    grant = deps.access.complete_sign_in(asked.provider, question, answer, asked.mailbox).grant
    sealed = seal_grant(deps, import_id, side, grant)
    if not deps.store.give_consent(import_id, side, consent.state_hash, sealed):
        if not is_shared(deps, asked.import_, side):  # at Google it would end the consent that others live on
            deps.access.revoke_consent(grant)
        raise LinkGone
    deps.queue.ring(import_id)
    return deps.store.import_(import_id) or asked.import_


# --- What the operator sees -----------------------------------------------------------------------------


Links = Mapping[ImportId, Mapping[Side, str]]


def links(deps: Deps, imports: Iterable[Import]) -> Links:
    """The links of those imports that wait for owners, by the side whose owner has yet to sign in."""
    found: dict[ImportId, Mapping[Side, str]] = {}
    for import_ in imports:
        asked = deps.store.consents_of(import_.id) if import_.state in import_state.ALIVE else {}
        with contextlib.suppress(VaultError):  # another key: `doctor` says so
            if asked and (sides := [side for side in pending_sides(deps, import_) if side in asked]):
                found[import_.id] = {side: _link(deps, asked[side]) for side in sides}
    return found


def pending_sides(deps: Deps, import_: Import) -> tuple[Side, ...]:
    """The sides whose owners have yet to sign in. Raises VaultError."""
    return tuple(_pending_providers(deps, import_.id)) if import_.state in import_state.ALIVE else ()


# --- What a worker does ------------------------------------------------------------------------------------


def start_consent(deps: Deps, import_id: ImportId) -> None:
    """Makes the links of an import that was just stored, and writes to its owners."""
    lease = deps.store.acquire(
        f"import:{import_id}", deps.lease_owner, deps.clock.now(), deps.deadlines.lease
    )
    if lease is not None:  # else a worker does it
        try:
            import_ = deps.store.import_(import_id)
            if import_ is not None and import_.state in import_state.GOING:
                process_pending_consents(deps, import_, lease)
        finally:
            deps.store.release(lease)


def process_pending_consents(deps: Deps, import_: Import, lease: Lease) -> Import:
    """What there is to do for an import whose owners have yet to sign in: the links, mails that are due, or
    the end, as soon as one owner cannot be asked any more. Under the import's lease; raises LeaseLost,
    VaultError."""
    now = deps.clock.now()
    asked = [_waited_for(deps, import_, *one, now) for one in _pending_providers(deps, import_.id).items()]
    if not asked:  # the owners were quick
        return _go_on(deps, import_, lease)
    for one in asked:
        if not deps.access.can_sign_in(one.provider):
            problem = Problem(GrantExpired.code, not_set_up(one.provider), one.side)
            return finish(deps, import_, State.STOPPED, lease, problem)
        if now >= one.consent.expires_at:
            over = waiting.expired(one.mailbox, one.name, one.consent.expires_at, one.side)
            return finish(deps, import_, State.STOPPED, lease, over)
    both = len(asked) > 1
    if deps.outgoing_mail is not None:
        for one in asked:
            mail = waiting.mails_due(one.consent.asked_at, now)
            # The mail waits in the store: the token is put into it as it is sent.
            link, until = _link_to(deps, _TOKEN), one.consent.expires_at
            invitation = Invitation(import_, one.side, one.name, link, until, mail, both)
            deps.store.post(
                compose_notices(partial(deps.outgoing_mail.composer.invitation, invitation, now), import_.id)
            )
        deps.queue.ring_mail()
    until = min(waiting.next_look(one.consent.asked_at, now, one.consent.expires_at) for one in asked)
    first = asked[0]
    why = waiting.needed(first.mailbox, first.name, first.consent.expires_at, first.side, both=both)
    after = import_state.queued_behind(import_, why, now, until)
    deps.store.update_import(after, lease)
    deps.store.post_calls(webhook_calls(deps, report_of(deps, after)))
    # An owner does not need our lease: a consent that came meanwhile must not wait for a reminder.
    same = len(_pending_providers(deps, import_.id)) == len(asked)
    return after if same else _go_on(deps, after, lease)


@dataclass(frozen=True, slots=True)
class _WaitedFor:
    """One owner who has yet to sign in."""

    side: Side
    provider: str
    mailbox: str
    consent: ConsentRequest

    @property
    def name(self) -> str:
        return PROVIDER_NAMES.get(self.provider, self.provider)


def _waited_for(deps: Deps, import_: Import, side: Side, provider: str, now: datetime) -> _WaitedFor:
    consent = deps.store.consents_of(import_.id).get(side)
    if consent is None:
        consent = deps.store.add_consent(_new(deps, import_.id, side, now))
    return _WaitedFor(side, provider, import_.account(side).address, consent)


def _go_on(deps: Deps, import_: Import, lease: Lease) -> Import:
    after = import_state.continued(import_, progressed=True)
    deps.store.update_import(after, lease)
    return after


# --- What is mailed -------------------------------------------------------------------------------------


def with_consent_link(deps: Deps, notice: Notice) -> Notice | None:
    """A notice as it is to be sent: with the token in its link, if it asks an owner to sign in. None when
    the owner has done so, or need not any more. Raises VaultError."""
    invited = _invited(notice)
    if invited is None:
        return notice
    import_id, side = invited
    consent = deps.store.consents_of(import_id).get(side)
    if (
        consent is None
        or deps.clock.now() >= consent.expires_at
        or side not in _pending_providers(deps, import_id)
    ):
        return None
    token = deps.vault.open(consent.token, _link_context(import_id, side)).reveal()
    return replace(notice, text=notice.text.replace(_TOKEN, token), html=notice.html.replace(_TOKEN, token))


def _invited(notice: Notice) -> tuple[ImportId, Side] | None:
    kind, _, rest = notice.key.partition(":")
    if kind != "consent":
        return None
    import_id, side, _ = rest.split(":", 2)
    return ImportId(import_id), Side(side)


# --- Pieces -----------------------------------------------------------------------------------------------


def _asked(deps: Deps, consent: ConsentRequest | None) -> Asked:
    import_ = None if consent is None else deps.store.import_(consent.import_id)
    if consent is None or import_ is None or import_.state in import_state.ENDED:
        raise LinkGone
    provider = _pending_providers(deps, consent.import_id).get(consent.side)
    if provider is None or deps.clock.now() >= consent.expires_at:
        raise LinkGone
    return Asked(import_, consent.side, provider, consent.expires_at)


def _pending_providers(deps: Deps, import_id: ImportId) -> dict[Side, str]:
    """The sides whose owners have yet to sign in, the source first, and the provider where they do."""
    sealed = deps.store.grants(import_id)
    if sealed is None:
        return {}
    opened = open_grants(deps, import_id, sealed)
    grants = {side: opened.of(side) for side in opened.pending_sides}
    return {side: grant.provider for side, grant in grants.items() if isinstance(grant, OAuthGrant)}


def _new(deps: Deps, import_id: ImportId, side: Side, now: datetime) -> ConsentRequest:
    token = secrets.token_urlsafe(32)
    sealed = deps.vault.seal(Secret(token), _link_context(import_id, side))
    return ConsentRequest(import_id, side, _hash(token), sealed, now, now + deps.deadlines.consent)


def _link(deps: Deps, consent: ConsentRequest) -> str:
    sealed_for = _link_context(consent.import_id, consent.side)
    return _link_to(deps, deps.vault.open(consent.token, sealed_for).reveal())


def _link_to(deps: Deps, token: str) -> str:
    return deps.public_url.rstrip("/") + LINK_PATH.format(token=token)


def _hash(text: str) -> str:
    """Of a text that nobody can guess."""
    return sha256(text.encode(errors="replace")).hexdigest()


def _link_context(import_id: ImportId, side: Side) -> str:
    return f"{import_id}:{side.value}:link"


def _question_context(import_id: ImportId, side: Side) -> str:
    return f"{import_id}:{side.value}:question"
