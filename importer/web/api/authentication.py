"""Who calls, and what for: bearer tokens (RFC 6750), scopes, and how many calls there may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from importer.domain.model import Account, Batch, Import
from importer.domain.people.api_tokens import ApiToken, TokenScope
from importer.domain.people.batch_right import BatchRight
from importer.domain.people.identities import RateLimit
from importer.service.access.api_clients import authenticate, visible_batch, visible_import
from importer.service.access.batch_rights import token_batch_right
from importer.service.access.rate_limits import (
    PER_ACCOUNT,
    RateLimited,
    consume,
    consume_call,
    refund_keys,
    token_login_keys,
)
from importer.service.deps import Deps
from importer.web.api.problem_details import ProblemAnswer, not_found, too_many
from importer.web.request_context import Site

STARTS_PER_ACCOUNT: Final = RateLimit(10, 900)
"""Fewer than would lock the owner out elsewhere."""

_bearer: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token that `mailhaul token create` printed."
)


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """A client with a good token."""

    site: Site
    token: ApiToken

    @property
    def deps(self) -> Deps:
        return self.site.deps

    @property
    def right(self) -> BatchRight:
        """Into which mailboxes it may bring mail without their passwords."""
        return token_batch_right(self.deps, self.token)

    @property
    def for_all(self) -> bool:
        """What an organisation allowed opens any of its mailboxes: it is for who runs the installation."""
        return TokenScope.ADMIN in self.token.scopes

    @property
    def _client(self) -> str:
        return f"token:{self.token.id}"

    def import_(self, id_: str) -> Import:
        """Raises ProblemAnswer unless the token may see it."""
        found = visible_import(self.deps, self.token, id_)
        if found is None:
            raise not_found()
        return found

    def batch(self, id_: str) -> tuple[Batch, list[Import]]:
        """With its imports, in their order. Raises ProblemAnswer unless the token may see it."""
        found = visible_batch(self.deps, self.token, id_)
        if found is None:
            raise not_found()
        return found[0], list(found[1])

    def why_not_into(self, destination: Account) -> str:
        """Why this token may not bring mail into that mailbox, as a sentence; "" when it may. One that is
        bound to domains is for this installation's host: elsewhere a domain says little of whose it is."""
        if self.token.domains and destination.endpoint != self.site.destination:
            return f"This token is for mailboxes at {self.site.destination.host} only."
        return self.token.why_not_into(destination)

    def demand(self, destination: Account) -> None:
        """Raises ProblemAnswer when this token may not bring mail into that mailbox."""
        if why := self.why_not_into(destination):
            raise ProblemAnswer("scope_missing", why)

    def count_try(self, account: Account) -> None:
        """Counts a login: no token may be used to find out passwords. Raises TooManyTries."""
        consume(self.deps, token_login_keys(account, self._client))

    def count_starts(self, accounts: Iterable[Account]) -> None:
        """The same for imports that are about to start: a worker will try what was sent. Raises
        TooManyTries."""
        for account in {account.key: account for account in accounts}.values():
            keys = {
                f"starts:account-client:{account.key}:{self._client}": STARTS_PER_ACCOUNT,
                f"login:account:{account.key}": PER_ACCOUNT,
            }
            consume(self.deps, keys)

    def forgive(self, account: Account) -> None:
        """The login succeeded: it was no guess."""
        refund_keys(self.deps, token_login_keys(account, self._client))


def caller_with(scope: TokenScope) -> Callable[..., ApiCaller]:
    """A dependency: the caller, whose token is good for `scope`. Raises ProblemAnswer."""

    def caller(
        request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> ApiCaller:
        if given is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="mailhaul"'}
            raise ProblemAnswer("token_missing", "Send it as `Authorization: Bearer …`.", headers=challenge)
        site: Site = request.app.state.site
        token = authenticate(site.deps, given.credentials)
        if token is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="mailhaul", error="invalid_token"'}
            raise ProblemAnswer("token_refused", "Ask whoever runs this for a new one.", headers=challenge)
        _count(site, token)
        if not token.may(scope):
            challenge = {
                "WWW-Authenticate": f'Bearer realm="mailhaul", error="insufficient_scope", scope="{scope}"'
            }
            raise ProblemAnswer("scope_missing", f"It lacks the scope “{scope}”.", headers=challenge)
        return ApiCaller(site, token)

    return caller


def _count(site: Site, token: ApiToken) -> None:
    most = site.settings.api_calls_per_minute
    try:
        consume_call(site.deps, token, most)
    except RateLimited as limited:
        raise too_many(limited.seconds, f"A token may call {most} times a minute.") from None


Reader = Annotated[ApiCaller, Depends(caller_with(TokenScope.READ))]
Writer = Annotated[ApiCaller, Depends(caller_with(TokenScope.WRITE))]
