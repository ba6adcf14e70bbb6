"""Protocols for mailbox access other than by password: sign-in with OAuth or OpenID Connect, organisations.

This module imports no network library; `oauth_access` and `openid_connect` do, and are loaded only if they
are set up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Protocol

from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected
from providers.frozen import frozen
from providers.grants import Grant, OAuthGrant, OrganisationGrant, OwnerCredential, PasswordGrant
from providers.sign_in_providers import name_of
from providers.text import Text


@frozen
class Question:
    """A pending authorization request, for one use.

    The browser is redirected to `url`; the rest is kept until it returns.
    """

    url: str = field(repr=False)
    state: str
    verifier: Secret
    nonce: str


@frozen
class AccessToken:
    """A token, its expiry on the clock of `time.monotonic`, and its lifetime, both in seconds."""

    secret: Secret
    ends_at_s: float
    life_s: float


@frozen
class Consent:
    """An owner's consent: the grant to store, the first token, and the addresses of the signed-in account."""

    grant: OAuthGrant
    token: AccessToken
    addresses: tuple[str, ...]


@frozen
class Person:
    """A person as authenticated by an OpenID issuer.

    `subject` is stable for a person at that issuer (OpenID Connect Core section 5.7). `addresses` are the
    person's mail addresses and `domains` the domains that they administer, according to the issuer. Of the
    addresses, `unverified` are those whose verification it does not state: they give no right over others.
    `is_operator`: the issuer names them an operator of this installation.
    """

    issuer: str
    subject: str
    addresses: tuple[str, ...]
    domains: tuple[str, ...] = ()
    unverified: frozenset[str] = frozenset()
    is_operator: bool = False


class People(Protocol):
    """An OpenID provider for sign-in to the web pages."""

    def begin_sign_in(self) -> Question:
        """Begin a sign-in. Raises ServerUnavailable, Throttled."""
        ...

    def complete_sign_in(self, question: Question, answer: Mapping[str, str]) -> Person:
        """Complete a sign-in with the parameters that the browser returned with.

        Raises LoginRejected if the sign-in failed or `answer` belongs to another request; ServerUnavailable,
        Throttled.
        """
        ...

    def logout_url(self, return_to: str) -> str:
        """The URL that signs the browser out at the issuer; "" if the issuer does not offer it.

        The browser is sent back to `return_to`. Raises ServerUnavailable, Throttled.
        """
        ...


class MailboxAccess(Protocol):
    """Mailbox access by OAuth. Providers are named by the ids of `SIGN_IN_PROVIDERS`."""

    def can_sign_in(self, provider: str | None) -> bool:
        """Whether sign-in of owners at `provider` is set up."""
        ...

    def begin_sign_in(self, provider: str, mailbox: str) -> Question:
        """Begin the sign-in of the owner of `mailbox`. Raises LoginRejected if it is not set up."""
        ...

    def complete_sign_in(
        self, provider: str, question: Question, answer: Mapping[str, str], mailbox: str
    ) -> Consent:
        """Complete the owner's sign-in with the parameters that the browser returned with.

        Raises LoginRejected if the consent was denied or is for another mailbox; ServerUnavailable,
        Throttled.
        """
        ...

    def organisation_grant(self, provider: str | None, mailbox: str) -> OrganisationGrant | None:
        """The organisation's grant for `mailbox`, None if there is none.

        It opens every mailbox of the organisation, so it is for operators of the installation only.
        """
        ...

    def credential(
        self,
        grant: Grant,
        mailbox: str,
        save_grant: Callable[[OAuthGrant], object],
        *,
        initial_token: AccessToken | None = None,
    ) -> OwnerCredential:
        """The credential for `mailbox`.

        `save_grant` is called with the grant whenever its refresh token was replaced, before the new one is
        used; `initial_token` is the token that came with the consent. Raises GrantExpired if the application
        or the organisation is no longer set up.
        """
        ...

    def revoke_consent(self, grant: Grant) -> bool:
        """Revoke an owner's consent at its provider; True if that succeeded. Never raises.

        At some providers (Google) this ends every grant of this owner for this installation.
        """
        ...


class PasswordsOnly:
    """Implements `MailboxAccess` for installations without OAuth."""

    def can_sign_in(self, _provider: str | None) -> bool:
        return False

    def begin_sign_in(self, provider: str, _mailbox: str) -> Question:
        raise LoginRejected(not_set_up(LoginRejected.code, provider))

    def complete_sign_in(
        self, provider: str, _question: Question, _answer: Mapping[str, str], _mailbox: str
    ) -> Consent:
        raise LoginRejected(not_set_up(LoginRejected.code, provider))

    def organisation_grant(self, _provider: str | None, _mailbox: str) -> OrganisationGrant | None:
        return None

    def credential(
        self,
        grant: Grant,
        _mailbox: str,
        _save_grant: Callable[[OAuthGrant], object],
        *,
        initial_token: AccessToken | None = None,
    ) -> OwnerCredential:
        if isinstance(grant, PasswordGrant):
            return grant.password
        raise GrantExpired(not_set_up(GrantExpired.code, grant.provider))

    def revoke_consent(self, _grant: Grant) -> bool:
        return False


def not_set_up(code: str, provider: str) -> Text:
    """The text, below the code of an error, for a sign-in or grant of a provider that is not set up."""
    return Text(f"{code}.not_set_up", provider=name_of(provider))
