"""`MailboxAccess` with OAuth applications and organisations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from providers import oauth
from providers.errors import GrantExpired, LoginRejected
from providers.frozen import frozen
from providers.grants import Grant, OAuthGrant, OrganisationGrant, OwnerCredential, PasswordGrant
from providers.mailbox_access import AccessToken, Consent, Question, not_set_up
from providers.oauth import Application
from providers.oauth_http import OAuthHttp
from providers.token_refresh import FreshTokens, consent_tokens


@frozen
class OrganisationAccess:
    """Access to the mailboxes of an organisation's `domains`, and to no others.

    `tokens_for` returns the tokens for one mailbox.
    """

    domains: frozenset[str]
    tokens_for: Callable[[str], FreshTokens]

    def covers(self, mailbox: str) -> bool:
        return mailbox.rpartition("@")[2].casefold().rstrip(".") in self.domains


@frozen
class OAuthAccess:
    """Implements `MailboxAccess`. `applications` and `organisations` are by provider."""

    web: OAuthHttp
    applications: Mapping[str, Application]
    organisations: Mapping[str, OrganisationAccess]

    def can_sign_in(self, provider: str | None) -> bool:
        return provider in self.applications

    def begin_sign_in(self, provider: str, mailbox: str) -> Question:
        return oauth.begin_authorization(self._application(provider), mailbox)

    def complete_sign_in(
        self, provider: str, question: Question, answer: Mapping[str, str], mailbox: str
    ) -> Consent:
        return oauth.complete_authorization(self.web, self._application(provider), question, answer, mailbox)

    def organisation_grant(self, provider: str | None, mailbox: str) -> OrganisationGrant | None:
        access = self.organisations.get(provider or "")
        return OrganisationGrant(provider or "") if access is not None and access.covers(mailbox) else None

    def credential(
        self,
        grant: Grant,
        mailbox: str,
        save_grant: Callable[[OAuthGrant], object],
        *,
        initial_token: AccessToken | None = None,
    ) -> OwnerCredential:
        match grant:
            case PasswordGrant(password):
                return password
            case OAuthGrant(provider):
                application = self.applications.get(provider)
                if application is None:
                    raise GrantExpired(not_set_up(GrantExpired.code, provider))
                return consent_tokens(self.web, application, grant, save_grant, initial_token=initial_token)
            case OrganisationGrant(provider):
                organisation = self.organisations.get(provider)
                if organisation is None or not organisation.covers(mailbox):
                    raise GrantExpired(not_set_up(GrantExpired.code, provider))
                return organisation.tokens_for(mailbox)
            case _:
                assert_never(grant)

    def revoke_consent(self, grant: Grant) -> bool:
        application = self.applications.get(grant.provider) if isinstance(grant, OAuthGrant) else None
        if application is None or not isinstance(grant, OAuthGrant):
            return False
        return oauth.revoke_consent(self.web, application, grant)

    def _application(self, provider: str) -> Application:
        application = self.applications.get(provider)
        if application is None:
            raise LoginRejected(not_set_up(LoginRejected.code, provider))
        return application
