"""Sign in at a provider while a new import is being set up: the owner of the mailbox is at the page.

The request and then the grant are sealed in the web session; the import gets the grant when it starts.

Invariants:
- An answer counts only in the session that began the sign-in, at the redirect address of its provider, once,
  and within SIGN_IN_TIMEOUT (RFC 6749 section 10.12, RFC 9700 section 4.4.2).
- A grant is stored only for the mailbox that the request was made for, and only if the provider confirms that
  it belongs to that mailbox.
- With the grant, the session gets a new token: another browser that knows the old one never has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from importer.domain.model import Account
from importer.domain.people.identities import RateLimit, WebSession
from importer.service.access.login_attempts import LoginOrigin, try_login
from importer.service.access.rate_limits import RateLimited, consume
from importer.service.access.sealed_grants import has_running_consent
from importer.service.access.session_data import SessionData, VerifiedMailbox
from importer.service.access.session_sign_ins import PendingSignIn, SessionGrant, SignInState
from importer.service.access.web_sessions import SessionEnded, is_open, renew_session, update_session_data
from importer.service.deps import Deps
from providers.errors import LoginRejected, MailError, Side
from providers.grants import Credential, OAuthGrant
from providers.mailbox_access import AccessToken, Question

SIGN_IN_TIMEOUT: Final = timedelta(minutes=10)
MAX_KEPT: Final = 5
"""How many sign-ins of one session are kept, in several tabs; the oldest gives way to another."""

SIGN_INS_PER_PERSON: Final = RateLimit(60, 900)


class SignInGone(Exception):
    """The session has no such sign-in: another browser began it, it took too long, or was answered before."""


def begin(
    deps: Deps,
    session: WebSession,
    account: Account,
    provider: str,
    again: str = "",
    *,
    starts: bool = False,
    failed_only: bool = False,
    side: Side = Side.SOURCE,
) -> Question:
    """Begin the sign-in of the owner of `account`; `Question.url` is where to send the browser.

    `again` is the id of the import that is run again, or "". With `starts`, it starts immediately afterwards;
    with `failed_only`, only its failed messages are tried again. Raises RateLimited, and LoginRejected if
    sign-in at the provider is not set up.
    """
    consume(deps, {f"sign-in:person:{session.person}": SIGN_INS_PER_PERSON})
    account = replace(account, login=account.address)  # a grant opens the mailbox of the address, no other
    asked = deps.access.begin_sign_in(provider, account.address)
    ends_at = deps.clock.now() + SIGN_IN_TIMEOUT
    pending = PendingSignIn(
        provider,
        account,
        asked.state,
        asked.verifier,
        asked.nonce,
        ends_at,
        again,
        starts,
        failed_only=failed_only,
        side=side,
    )
    update_session_data(
        deps, session, lambda before: replace(before, sign_ins=(*before.sign_ins, pending)[-MAX_KEPT:])
    )
    return asked


def find(data: SessionData, provider: str, state: str) -> PendingSignIn | None:
    """The sign-in that this session began at `provider` with that state, answered or not; None if none."""
    found = (s for s in data.sign_ins if s.provider == provider and state and s.state == state)
    return next(found, None)


def complete(
    deps: Deps,
    session: WebSession,
    pending: PendingSignIn,
    answer: Mapping[str, str],
    client: str,
    *,
    has_labels: bool,
) -> VerifiedMailbox:
    """Exchange the answer for the grant, and try it at the mailbox. Return the mailbox; `keep` stores it.

    `answer` holds the parameters that the browser returned with, `client` is its network address,
    `has_labels` the assumption if the host cannot be asked now. Raises SignInGone, SessionEnded,
    ServerUnavailable, Throttled; LoginRejected if consent was denied or is for another mailbox, or the host
    does not let its owner in by it.
    """
    _use_up(deps, session, pending)
    account = pending.account
    question = Question("", pending.state, pending.verifier, pending.nonce)
    consent = deps.access.complete_sign_in(pending.provider, question, answer, account.address)
    token, grants = consent.token, [consent.grant]
    credential = deps.access.credential(consent.grant, account.address, grants.append, initial_token=token)
    try:
        origin = LoginOrigin(client, session.person)
        has_labels = try_login(deps, account, credential, pending.side, origin)
    except LoginRejected:
        _give_back(deps, account, grants[-1])
        raise
    except (MailError, RateLimited):
        pass  # the check on the next page tries again, and reports the problem
    left = timedelta(seconds=max(0.0, token.ends_at_s - time.monotonic()))
    signed_in = SessionGrant(grants[-1], token.secret, deps.clock.now() + left, token.life_s)
    return VerifiedMailbox(
        account, None, sign_in=pending.provider, has_labels=has_labels, signed_in=signed_in
    )


def keep(
    deps: Deps,
    session: WebSession,
    pending: PendingSignIn,
    mailbox: VerifiedMailbox,
    change: Callable[[SessionData], SessionData],
) -> str:
    """Note that the sign-in is done, apply `change` to the session data, and return the session's new token.

    Raises SessionEnded.
    """
    try:
        data = update_session_data(
            deps, session, lambda before: change(_with_progress(before, pending, SignInState.DONE))
        )
        return renew_session(deps, session, data)
    except SessionEnded:
        give_back(deps, [mailbox])
        raise


def mailbox_credential(deps: Deps, session: WebSession, mailbox: VerifiedMailbox) -> Credential | None:
    """The credential that this session has for a mailbox; None if it is not open.

    A replaced refresh token is stored in the session. Raises GrantExpired.
    """
    signed_in = mailbox.signed_in
    if signed_in is None:
        return mailbox.password

    def save_grant(renewed: OAuthGrant) -> None:
        update_session_data(deps, session, lambda before: _with_grant(before, mailbox.account, renewed))

    left_s = (signed_in.ends_at - deps.clock.now()).total_seconds()
    token = AccessToken(signed_in.token, time.monotonic() + left_s, signed_in.life_s)
    return deps.access.credential(signed_in.grant, mailbox.account.address, save_grant, initial_token=token)


def give_back(deps: Deps, mailboxes: Iterable[VerifiedMailbox]) -> None:
    """Revoke the grants of mailboxes that were dropped without an import. Never raises; asks the
    providers."""
    for mailbox in mailboxes:
        if mailbox.signed_in is not None:
            _give_back(deps, mailbox.account, mailbox.signed_in.grant)


def _give_back(deps: Deps, account: Account, grant: OAuthGrant) -> None:
    # At Google, revoking would end the consent that a running import uses.
    if deps.revokes_consents and not has_running_consent(deps, account):
        deps.access.revoke_consent(grant)


def _use_up(deps: Deps, session: WebSession, pending: PendingSignIn) -> None:
    """Note that the request is answered. Raises SignInGone if it was before or is too old, SessionEnded."""
    unanswered = False

    def answered(before: SessionData) -> SessionData:
        nonlocal unanswered
        found = find(before, pending.provider, pending.state)
        unanswered = found is not None and found.progress is SignInState.AT_PROVIDER
        return _with_progress(before, pending, SignInState.FAILED) if unanswered else before

    update_session_data(deps, session, answered)
    if not is_open(deps, session):
        raise SessionEnded
    if not unanswered or pending.ends_at <= deps.clock.now():
        raise SignInGone


def _with_progress(before: SessionData, pending: PendingSignIn, progress: SignInState) -> SessionData:
    sign_ins = tuple(s.over(progress) if s.state == pending.state else s for s in before.sign_ins)
    return replace(before, sign_ins=sign_ins)


def _with_grant(before: SessionData, account: Account, grant: OAuthGrant) -> SessionData:
    def renewed(mailbox: VerifiedMailbox) -> VerifiedMailbox:
        if mailbox.account.key != account.key or mailbox.signed_in is None:
            return mailbox
        return replace(mailbox, signed_in=replace(mailbox.signed_in, grant=grant))

    sources, mailboxes = map(renewed, before.sources), map(renewed, before.mailboxes)
    return replace(before, sources=tuple(sources), mailboxes=tuple(mailboxes))
