"""Owner consent: the owner of a mailbox opens a link (`consent_requests.py`) and signs in at the provider, or
enters the password, so that one import can use the mailbox. The page shows the owner where the mail comes
from and where it goes.

Invariants:
- A state is stored as its hash only.
- A grant is stored only if the provider confirms that it is for the requested mailbox.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime

from importer.domain import import_state
from importer.domain.model import Import, ImportId
from importer.ports.consents import ConsentRequest
from importer.service.access.consent_requests import hash_of, pending_providers
from importer.service.access.login_attempts import LoginOrigin, try_login
from importer.service.access.sealed_grants import is_shared, seal_grant
from importer.service.deps import Deps
from providers.endpoint import Secret
from providers.errors import Side
from providers.frozen import frozen
from providers.grants import PASSWORD_LINK, PasswordGrant
from providers.mailbox_access import Question
from providers.sign_in_providers import name_of


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


def find_prompt(deps: Deps, token: str) -> ConsentPrompt:
    """The request behind a link. Raises LinkGone."""
    consent = deps.store.consent_by_token(hash_of(token))
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
    if not deps.store.begin_consent(prompt.import_.id, prompt.side, hash_of(question.state), sealed):
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
    attempt = hash_of(secrets.token_urlsafe(32))
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
    consent = deps.store.consent_by_state(hash_of(state)) if state else None
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


def _prompt(deps: Deps, consent: ConsentRequest | None) -> ConsentPrompt:
    import_ = None if consent is None else deps.store.import_(consent.import_id)
    if consent is None or import_ is None or import_.state in import_state.ENDED:
        raise LinkGone
    provider = pending_providers(deps, consent.import_id).get(consent.side)
    if provider is None or deps.clock.now() >= consent.expires_at:
        raise LinkGone
    return ConsentPrompt(import_, consent.side, provider, consent.expires_at)


def _question_context(import_id: ImportId, side: Side) -> str:
    return f"{import_id}:{side.value}:question"
