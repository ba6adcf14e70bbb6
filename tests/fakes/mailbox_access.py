"""Access to mailboxes without any provider: owners sign in when a test says so."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from providers.endpoint import Secret
from providers.errors import GrantExpired, LoginRejected
from providers.grants import Grant, OAuthGrant, OrganisationGrant, OwnerCredential, PasswordGrant
from providers.mailbox_access import AccessToken, Consent, Question, not_set_up
from providers.text import Text


class MemoryAccess:
    """`providers.mailbox_access.MailboxAccess`. Owners can sign in at the providers of `open_at`;
    `organisations` maps providers to the domains they cover. Every access token is `token`; with `rotates`,
    each one replaces the refresh token."""

    def __init__(
        self,
        open_at: frozenset[str] = frozenset(),
        organisations: Mapping[str, frozenset[str]] | None = None,
        *,
        rotates: bool = False,
    ) -> None:
        self.open_at = open_at
        self.organisations = dict(organisations or {})
        self.token = "secret"  # the default password of `MemoryMailbox`
        self.rotates = rotates
        self.withdrawn: set[str] = set()  # refresh tokens that are no longer valid
        self.given_back: list[Grant] = []
        self._codes: dict[str, tuple[str, str]] = {}  # code: nonce of the request, who signed in

    def sign_in(self, asked: Question, mailbox: str) -> dict[str, str]:
        """The owner of `mailbox` signs in. Return the parameters that the browser comes back with."""
        code = secrets.token_hex(4)
        self._codes[code] = (asked.nonce, mailbox)
        return {"state": asked.state, "code": code}

    def can_sign_in(self, provider: str | None) -> bool:
        return provider in self.open_at

    def organisation_grant(self, provider: str | None, mailbox: str) -> OrganisationGrant | None:
        covered = mailbox.rpartition("@")[2] in self.organisations.get(provider or "", frozenset())
        return OrganisationGrant(provider or "") if covered else None

    def credential(
        self,
        grant: Grant,
        mailbox: str,
        keep: Callable[[OAuthGrant], object],
        *,
        initial_token: AccessToken | None = None,
    ) -> OwnerCredential:
        match grant:
            case PasswordGrant(password):
                return password
            case OAuthGrant(provider):
                if provider not in self.open_at:
                    raise GrantExpired(not_set_up(GrantExpired.code, provider))
                return _Tokens(self, grant, keep)
            case OrganisationGrant(provider):
                if self.organisation_grant(provider, mailbox) is None:
                    raise GrantExpired(not_set_up(GrantExpired.code, provider))
                return _Tokens(self, None, keep)
            case _:
                assert_never(grant)

    def begin_sign_in(self, provider: str, mailbox: str) -> Question:
        if provider not in self.open_at:
            raise LoginRejected(not_set_up(LoginRejected.code, provider))
        state, nonce = secrets.token_hex(8), secrets.token_hex(8)
        return Question(f"https://{provider}.example/ask?state={state}", state, Secret(nonce[::-1]), nonce)

    def complete_sign_in(
        self, provider: str, asked: Question, answer: Mapping[str, str], mailbox: str
    ) -> Consent:
        if answer.get("error") == "access_denied":
            raise LoginRejected(Text("login_rejected.denied", steps=Text("consent_denied_google")))
        nonce, who = self._codes.pop(answer.get("code", ""), ("", ""))
        if nonce != asked.nonce or asked.verifier != Secret(nonce[::-1]) or answer["state"] != asked.state:
            raise LoginRejected(Text("login_rejected.other_sign_in"))
        if who != mailbox:
            text = Text("login_rejected.other_account", provider="Example", signed_in=who, mailbox=mailbox)
            raise LoginRejected(text)
        grant = OAuthGrant(provider, Secret(secrets.token_hex(8)))
        return Consent(grant, AccessToken(Secret(self.token), 0.0, 0.0), (who,))

    def revoke_consent(self, grant: Grant) -> bool:
        self.given_back.append(grant)
        return isinstance(grant, OAuthGrant)


@dataclass
class _Tokens:
    """Implements `AccessTokens`."""

    provider: MemoryAccess
    grant: OAuthGrant | None
    keep: Callable[[OAuthGrant], object]

    def access_token(self, *, refused: bool = False) -> Secret:
        if self.grant is not None:
            if self.grant.refresh_token.reveal() in self.provider.withdrawn:
                raise GrantExpired(Text("grant_expired.withdrawn", provider="Example"))
            if self.provider.rotates:
                self.provider.withdrawn.add(self.grant.refresh_token.reveal())
                self.grant = replace(self.grant, refresh_token=Secret(secrets.token_hex(8)))
                self.keep(self.grant)
        return Secret(self.provider.token)
