"""The ways into mailboxes that an installation was set up with, beside passwords.

This page needs no network library: what does is in `sign_in.py`, and loaded only where it is set up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected
from providers.grants import Grant, OAuthGrant, OrganisationGrant, OwnerCredential, PasswordGrant


@dataclass(frozen=True, slots=True)
class Question:
    """One owner being asked. `url` is where to send the browser; the rest is kept here until it comes back,
    for one use."""

    url: str = field(repr=False)
    state: str
    verifier: Secret
    nonce: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and when it ends, on the clock of `time.monotonic`."""

    secret: Secret
    ends_at_s: float
    life_s: float


@dataclass(frozen=True, slots=True)
class Consent:
    """What an owner gave: the grant to keep, the first token, and the addresses that they signed in as."""

    grant: OAuthGrant
    token: AccessToken
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom an issuer knows as `subject`, always the same for one person there (OpenID Connect Core
    section 5.7), the addresses that it says are theirs, and the domains that it says they administer."""

    issuer: str
    subject: str
    addresses: tuple[str, ...]
    domains: tuple[str, ...] = ()


class People(Protocol):
    """An OpenID provider at which people sign in to our pages."""

    def begin_sign_in(self) -> Question:
        """Where to send the browser. Raises ServerUnavailable, Throttled."""
        ...

    def complete_sign_in(self, asked: Question, answer: Mapping[str, str]) -> Person:
        """Who it is, from the parameters that the browser came back with.

        Raises LoginRejected when it is nobody, or not for this question; ServerUnavailable, Throttled.
        """
        ...

    def logout_url(self, back: str) -> str:
        """Where to send the browser to sign out there too; "" where that is not offered. The browser comes
        back to `back`. Raises ServerUnavailable, Throttled."""
        ...


class MailboxAccess(Protocol):
    """What can be opened with something else than a password. Providers are "google" and "microsoft"."""

    def can_sign_in(self, provider: str | None) -> bool:
        """Whether owners at `provider` can be asked for their consent."""
        ...

    def begin_sign_in(self, provider: str, mailbox: str) -> Question:
        """Where to send the owner of `mailbox`. Raises LoginRejected when nobody can be asked."""
        ...

    def complete_sign_in(
        self, provider: str, asked: Question, answer: Mapping[str, str], mailbox: str
    ) -> Consent:
        """What the owner gave, from the parameters that the browser came back with.

        Raises LoginRejected when it was not given, or for another mailbox; ServerUnavailable, Throttled.
        """
        ...

    def organisation_grant(self, provider: str | None, mailbox: str) -> OrganisationGrant | None:
        """The grant that opens `mailbox` without its owner, None when there is none.

        It opens every mailbox of the organisation: only who runs the installation may be given it.
        """
        ...

    def credential(
        self,
        grant: Grant,
        mailbox: str,
        keep: Callable[[OAuthGrant], object],
        *,
        initial_token: AccessToken | None = None,
    ) -> OwnerCredential:
        """What a login to `mailbox` takes. `keep` is given the grant to store each time that its refresh
        token is replaced, before the new one is used; `first` is a token that came with the consent.

        Raises GrantExpired when the installation no longer knows the application or the organisation.
        """
        ...

    def revoke_consent(self, grant: Grant) -> bool:
        """Ends an owner's consent at its provider, where that is possible; whether it did. Never raises.

        At Google it ends every grant that this owner gave to this installation.
        """
        ...


class PasswordsOnly:
    """Implements `MailboxAccess` where nothing is set up."""

    def can_sign_in(self, _provider: str | None) -> bool:
        return False

    def begin_sign_in(self, provider: str, _mailbox: str) -> Question:
        raise LoginRejected(not_set_up(provider))

    def complete_sign_in(
        self, provider: str, _asked: Question, _answer: Mapping[str, str], _mailbox: str
    ) -> Consent:
        raise LoginRejected(not_set_up(provider))

    def organisation_grant(self, _provider: str | None, _mailbox: str) -> OrganisationGrant | None:
        return None

    def credential(
        self,
        grant: Grant,
        _mailbox: str,
        _keep: Callable[[OAuthGrant], object],
        *,
        initial_token: AccessToken | None = None,
    ) -> OwnerCredential:
        if isinstance(grant, PasswordGrant):
            return grant.password
        raise GrantExpired(not_set_up(grant.provider))

    def revoke_consent(self, _grant: Grant) -> bool:
        return False


def not_set_up(provider: str) -> str:
    """Told where a grant or a question is of no use here."""
    return (
        f"Mailhaul is not set up for signing in with {provider.capitalize()}: whoever runs it has to set"
        " that up, or the owner has to use a password."
    )
