"""Asking owners to sign in, so that an import can read their mailboxes.

An import without a grant for its source waits (`consent_needed`) while its owner has a link. The link is
made by whoever works on the import first, under its lease; it works for one import, until the owner has
signed in or time is over. One consent serves one import: the owner was shown where the mail goes.

Invariants:
- Tokens and states are stored as hashes, and not in mails that wait to be sent; the link can be shown
  again by who has the vault's key.
- What an owner gives is kept only if the provider vouches that the mailbox is the one asked for.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from importer.domain import consent as waiting
from importer.domain import state
from importer.domain.model import Import, ImportId, Problem, State
from importer.ports import ConsentRequest, Invitation, Lease, Notice, VaultError
from importer.service.deps import Deps
from importer.service.finish import finish, report_of, written
from importer.service.grants import awaits_owner, is_shared, open_grants, seal_one
from importer.service.hooks import calls_about
from providers.access import Question, not_set_up
from providers.errors import GrantExpired, Side
from providers.grants import OAuthGrant
from providers.model import Secret

LINK_PATH: Final = "/consent/{token}"
"""Where a link leads, below `Deps.public_url`."""

_TOKEN: Final = "TOKEN-OF-THE-LINK"  # noqa: S105
"""Stands in mails for the token until they are sent."""

NAMES: Final[Mapping[str, str]] = {"google": "Google", "microsoft": "Microsoft"}


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
    provider: str  # of `Provider.sign_in`
    expires_at: datetime

    @property
    def provider_name(self) -> str:
        return NAMES.get(self.provider, self.provider)


# --- What a page does ---------------------------------------------------------------------------------


def look_up(deps: Deps, token: str) -> Asked:
    """What a link asks for. Raises LinkGone."""
    consent = deps.store.consent_by_token(_hash(token))
    return _asked(deps, consent)


def begin(deps: Deps, token: str) -> Question:
    """Where to send the browser. Whoever shows the page keeps `state` in that browser (a cookie), and lets
    nobody else complete what it began. Beginning again replaces what was begun before.

    Raises LinkGone, and LoginRejected when the installation cannot ask there any more.
    """
    asked = look_up(deps, token)
    question = deps.access.question(asked.provider, asked.import_.source.address)
    facts = Secret(json.dumps({"verifier": question.verifier.reveal(), "nonce": question.nonce}))
    sealed = deps.vault.seal(facts, _question_context(asked.import_.id))
    if not deps.store.begin_consent(asked.import_.id, _hash(question.state), sealed):
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
    import_id = asked.import_.id
    facts = json.loads(deps.vault.open(consent.question, _question_context(import_id)).reveal())
    question = Question("", state, Secret(facts["verifier"]), facts["nonce"])
    given = deps.access.answered(asked.provider, question, answer, asked.import_.source.address)
    grant = given.grant
    sealed = seal_one(deps, import_id, Side.SOURCE, grant)
    if not deps.store.give_consent(import_id, consent.state_hash, sealed):
        if not is_shared(deps, asked.import_):  # at Google it would end the consent that others live on
            deps.access.give_back(grant)
        raise LinkGone
    deps.queue.ring(import_id)
    return deps.store.import_(import_id) or asked.import_


# --- What the operator sees -----------------------------------------------------------------------------


def links(deps: Deps, imports: Iterable[Import]) -> dict[ImportId, str]:
    """The links of those imports that wait for their owners."""
    found: dict[ImportId, str] = {}
    for import_ in imports:
        if import_.state in state.ALIVE and (consent := deps.store.consent_of(import_.id)) is not None:
            try:
                found[import_.id] = _link(deps, consent)
            except VaultError:  # another key: `doctor` says so
                continue
    return found


# --- What a worker does ------------------------------------------------------------------------------------


def ask_owner(deps: Deps, import_id: ImportId) -> None:
    """Makes the link of an import that was just stored, and writes to its owner."""
    lease = deps.store.acquire(f"import:{import_id}", deps.owner, deps.clock.now(), deps.limits.lease)
    if lease is not None:  # else a worker does it
        try:
            import_ = deps.store.import_(import_id)
            if import_ is not None and import_.state in state.GOING:
                await_owner(deps, import_, lease)
        finally:
            deps.store.release(lease)


def await_owner(deps: Deps, import_: Import, lease: Lease) -> Import:
    """What there is to do for an import whose owner has yet to sign in: the link, a mail that is due, or
    the end. Under the import's lease; raises LeaseLost, VaultError."""
    now = deps.clock.now()
    provider = _awaited(deps, import_.id)
    if provider is None:  # the owner was quick
        return _go_on(deps, import_, lease)
    name = NAMES.get(provider, provider)
    if not deps.access.asks(provider):
        problem = Problem(GrantExpired.code, not_set_up(provider), Side.SOURCE)
        return finish(deps, import_, State.STOPPED, lease, problem)
    consent = deps.store.consent_of(import_.id) or deps.store.add_consent(_new(deps, import_.id, now))
    address, expires_at = import_.source.address, consent.expires_at
    if now >= expires_at:
        over = waiting.expired(address, name, expires_at)
        return finish(deps, import_, State.STOPPED, lease, over)
    if deps.mailer is not None:
        mail = waiting.mails_due(consent.asked_at, now)
        # The mail waits in the store: the token is put into it as it is sent.
        invitation = Invitation(import_, name, _link_to(deps, _TOKEN), expires_at, mail)
        deps.store.post(written(lambda: deps.composer.invitation(invitation, now), import_.id))
        deps.queue.ring_mail()
    until = waiting.next_look(consent.asked_at, now, expires_at)
    after = state.queued_behind(import_, waiting.needed(address, name, expires_at), now, until)
    deps.store.update_import(after, lease)
    deps.store.post_calls(calls_about(deps, report_of(deps, after)))
    # The owner does not need our lease: a consent that came meanwhile must not wait for a reminder.
    return after if _awaited(deps, import_.id) is not None else _go_on(deps, after, lease)


def _go_on(deps: Deps, import_: Import, lease: Lease) -> Import:
    after = state.continued(import_, progressed=True)
    deps.store.update_import(after, lease)
    return after


# --- What is mailed -------------------------------------------------------------------------------------


def filled_in(deps: Deps, notice: Notice) -> Notice | None:
    """A notice as it is to be sent: with the token in its link, if it asks an owner to sign in. None when
    the owner has done so, or need not any more. Raises VaultError."""
    import_id = _invited(notice)
    if import_id is None:
        return notice
    consent = deps.store.consent_of(import_id)
    if consent is None or deps.clock.now() >= consent.expires_at or _awaited(deps, import_id) is None:
        return None
    token = deps.vault.open(consent.token, _link_context(import_id)).reveal()
    return replace(notice, text=notice.text.replace(_TOKEN, token), html=notice.html.replace(_TOKEN, token))


def _invited(notice: Notice) -> ImportId | None:
    kind, _, rest = notice.key.partition(":")
    return ImportId(rest.partition(":")[0]) if kind == "consent" else None


# --- Pieces -----------------------------------------------------------------------------------------------


def _asked(deps: Deps, consent: ConsentRequest | None) -> Asked:
    import_ = None if consent is None else deps.store.import_(consent.import_id)
    if consent is None or import_ is None or import_.state in state.ENDED:
        raise LinkGone
    provider = _awaited(deps, consent.import_id)
    if provider is None or deps.clock.now() >= consent.expires_at:
        raise LinkGone
    return Asked(import_, provider, consent.expires_at)


def _awaited(deps: Deps, import_id: ImportId) -> str | None:
    """The provider at which its owner has yet to sign in; None when nobody has to."""
    sealed = deps.store.grants(import_id)
    source = open_grants(deps, import_id, sealed).source if sealed is not None else None
    return source.provider if isinstance(source, OAuthGrant) and awaits_owner(source) else None


def _new(deps: Deps, import_id: ImportId, now: datetime) -> ConsentRequest:
    token = secrets.token_urlsafe(32)
    sealed = deps.vault.seal(Secret(token), _link_context(import_id))
    return ConsentRequest(import_id, _hash(token), sealed, now, now + deps.limits.consent)


def _link(deps: Deps, consent: ConsentRequest) -> str:
    return _link_to(deps, deps.vault.open(consent.token, _link_context(consent.import_id)).reveal())


def _link_to(deps: Deps, token: str) -> str:
    return deps.public_url.rstrip("/") + LINK_PATH.format(token=token)


def _hash(text: str) -> str:
    """Of a text that nobody can guess."""
    return sha256(text.encode(errors="replace")).hexdigest()


def _link_context(import_id: ImportId) -> str:
    return f"{import_id}:link"


def _question_context(import_id: ImportId) -> str:
    return f"{import_id}:question"
