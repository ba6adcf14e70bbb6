"""Every way into mailboxes that this installation was set up with, and what each grant opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from providers import oauth
from providers.errors import GrantExpired
from providers.grants import Credential, Grant, OAuthGrant, OrganisationGrant, PasswordGrant
from providers.oauth import AccessToken, Application, Web
from providers.tokens import FreshTokens, of_consent


@dataclass(frozen=True, slots=True)
class OrganisationAccess:
    """What an organisation allowed for the mailboxes of its `domains`, and for no others.

    `tokens_for` gives the tokens for one mailbox.
    """

    domains: frozenset[str]
    tokens_for: Callable[[str], FreshTokens]

    def covers(self, mailbox: str) -> bool:
        return mailbox.rpartition("@")[2].casefold().rstrip(".") in self.domains


@dataclass(frozen=True, slots=True)
class Access:
    """Applications that owners sign in to, and organisations that let us in, each by provider."""

    web: Web | None = None
    applications: Mapping[str, Application] = field(default_factory=dict)
    organisations: Mapping[str, OrganisationAccess] = field(default_factory=dict)

    def application(self, provider: str | None) -> Application | None:
        """The one that owners at `provider` sign in to, None when there is none."""
        return self.applications.get(provider or "")

    def organisation_grant(self, provider: str | None, mailbox: str) -> OrganisationGrant | None:
        """The grant that opens `mailbox` without its owner, None when there is none.

        It opens every mailbox of those domains: only who runs the installation may be given it.
        """
        found = self.organisations.get(provider or "")
        return OrganisationGrant(provider or "") if found is not None and found.covers(mailbox) else None

    def credential(
        self,
        grant: Grant,
        mailbox: str,
        keep: Callable[[OAuthGrant], object],
        *,
        first: AccessToken | None = None,
    ) -> Credential:
        """What a login to `mailbox` takes. `keep` is given the grant to store each time that its refresh
        token is replaced; `first` is a token that came with the consent.

        Raises GrantExpired when the installation no longer knows the application or the organisation.
        """
        match grant:
            case PasswordGrant(password):
                return password
            case OAuthGrant(provider):
                application = self.applications.get(provider)
                if application is None or self.web is None:
                    raise _not_set_up(provider)
                return of_consent(self.web, application, grant, keep, first=first)
            case OrganisationGrant(provider):
                organisation = self.organisations.get(provider)
                if organisation is None or not organisation.covers(mailbox):
                    raise _not_set_up(provider)
                return organisation.tokens_for(mailbox)
            case _:
                assert_never(grant)

    def give_back(self, grant: Grant) -> bool:
        """Ends an owner's consent at its provider, where that is possible; whether it did. Never raises."""
        application = self.applications.get(grant.provider) if isinstance(grant, OAuthGrant) else None
        if application is None or self.web is None or not isinstance(grant, OAuthGrant):
            return False
        return oauth.revoked(self.web, application, grant)


def _not_set_up(provider: str) -> GrantExpired:
    return GrantExpired(
        f"Mailferry is no longer set up for signing in with {provider.capitalize()}: whoever runs it has to"
        " set that up again, or the owner has to use a password."
    )
