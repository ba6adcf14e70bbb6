"""Authentication and authorization of API calls: bearer tokens (RFC 6750), scopes and rate limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from importer.domain.audit_event import AuditAction, AuditActor
from importer.domain.model import Account, Batch, Import
from importer.domain.people.actor import Actor
from importer.domain.people.api_tokens import ApiToken, TokenScope
from importer.domain.people.batch_right import BatchRight
from importer.domain.people.identities import RateLimit
from importer.i18n.translations import CatalogTranslator
from importer.service.access.api_clients import authenticate, visible_batch, visible_import
from importer.service.access.audit import record_token_use
from importer.service.access.batch_rights import token_batch_right
from importer.service.access.counted_lookups import CountedLookups
from importer.service.access.rate_limits import (
    RateLimited,
    consume,
    consume_call,
    consume_starts,
    refund_keys,
    token_login_keys,
)
from importer.service.deps import Deps
from importer.web.api.problem_details import ProblemAnswer, not_found, too_many
from importer.web.audit_middleware import AuditNote, audit_note
from importer.web.request_context import Site, accepted_texts
from providers.text import Text

STARTS_PER_ACCOUNT: Final = RateLimit(10, 900)
"""Imports of one client that try a password at the same mailbox."""

_bearer: Final = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token that `mailhaul token create` printed."
)


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The client that makes the request, identified by its valid token."""

    site: Site
    token: ApiToken
    audit: AuditNote
    texts: CatalogTranslator  # by Accept-Language
    address: str  # of the client, "" if unknown

    @property
    def deps(self) -> Deps:
        return self.site.deps

    @property
    def lookups(self) -> CountedLookups:
        """Finds mail servers, on this client's account."""
        return CountedLookups(self.deps, self.site.lookups(), self.token.client)

    @property
    def batch_right(self) -> BatchRight:
        """The mailboxes that the client may import into without their passwords."""
        return token_batch_right(self.deps, self.token)

    @property
    def is_admin(self) -> bool:
        """Whether the token has the scope `admin`. Only then may organisation-wide grants be used: they open
        every mailbox of an organisation."""
        return TokenScope.ADMIN in self.token.scopes

    @property
    def actor(self) -> Actor:
        """The client as the submitter of imports: without a recipient of reports, and in no language."""
        return Actor(self.token.client, self.batch_right, organisation=self.is_admin)

    @property
    def audit_actor(self) -> AuditActor:
        """The client as the actor of events that a handler records itself."""
        return AuditActor(self.audit.actor, self.address)

    @property
    def _client(self) -> str:
        return f"token:{self.token.id}"

    def import_(self, id_: str) -> Import:
        """Raises ProblemAnswer unless the token may see the import."""
        import_ = visible_import(self.deps, self.token, id_)
        if import_ is None:
            raise not_found()
        return import_

    def batch(self, id_: str) -> tuple[Batch, list[Import]]:
        """The batch and its imports in order. Raises ProblemAnswer unless the token may see the batch."""
        visible = visible_batch(self.deps, self.token, id_)
        if visible is None:
            raise not_found()
        batch, imports = visible
        return batch, list(imports)

    def destination_refusal(self, destination: Account) -> Text | None:
        """Why this token does not permit imports into that mailbox; None if it does.

        A token bound to domains is limited to the host of this installation: at other hosts, the domain of an
        address does not prove whose mailbox it is.
        """
        if self.token.domains and destination.endpoint != self.site.destination:
            return Text("destination_not_allowed.host", host=self.site.destination.host)
        return self.token.why_not_into(destination)

    def require_destination(self, destination: Account) -> None:
        """Raises ProblemAnswer if this token does not permit imports into that mailbox."""
        if refusal := self.destination_refusal(destination):
            raise ProblemAnswer("scope_missing", Text("api.scope_missing.destination", reason=refusal))

    def count_login(self, account: Account) -> None:
        """Count a login attempt, so that no token can be used to guess passwords. Raises RateLimited."""
        consume(self.deps, token_login_keys(account, self._client))

    def count_starts(self, accounts: Iterable[Account]) -> None:
        """Count imports about to be started as login attempts, because a worker will try their passwords.
        Each mailbox counts once. Raises RateLimited."""
        for account in {account.key: account for account in accounts}.values():
            consume(self.deps, {f"starts:account-client:{account.key}:{self._client}": STARTS_PER_ACCOUNT})

    def consume_imports(self, number: int) -> None:
        """Count imports about to be started against the client's quota; administrators have none. Raises
        StartsLimited, and then none is counted."""
        if not self.is_admin:
            consume_starts(self.deps, self.token.client, number, self.deps.quotas.client_starts)

    def refund_login(self, account: Account) -> None:
        """Uncount a successful login: it was no guess."""
        refund_keys(self.deps, token_login_keys(account, self._client))


def caller_with(scope: TokenScope) -> Callable[..., ApiCaller]:
    """A FastAPI dependency that returns the caller. It raises ProblemAnswer unless the token has `scope`."""

    def caller(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> ApiCaller:
        note, client = audit_note(request), request.client.host if request.client else ""
        if credentials is None:
            note.action, note.detail = AuditAction.TOKEN_USE, Text("api.token_missing")
            challenge = {"WWW-Authenticate": 'Bearer realm="mailhaul"'}
            raise ProblemAnswer("token_missing", headers=challenge)
        site: Site = request.app.state.site
        token = authenticate(site.deps, credentials.credentials)
        if token is None:
            note.action, note.detail = AuditAction.TOKEN_USE, Text("api.token_refused")
            challenge = {"WWW-Authenticate": 'Bearer realm="mailhaul", error="invalid_token"'}
            raise ProblemAnswer("token_refused", headers=challenge)
        note.actor, note.concerns = f"token:{token.id}", token.client
        _count_call(site, token)
        if not token.may(scope):
            challenge = {
                "WWW-Authenticate": f'Bearer realm="mailhaul", error="insufficient_scope", scope="{scope}"'
            }
            note.action, note.detail = AuditAction.TOKEN_USE, Text("audit_scope_missing", scope=scope)
            raise ProblemAnswer(
                "scope_missing", Text("api.scope_missing.scope", scope=scope), headers=challenge
            )
        record_token_use(site.deps, token, client)
        return ApiCaller(site, token, note, accepted_texts(request), client)

    return caller


def _count_call(site: Site, token: ApiToken) -> None:
    per_minute = site.settings.api_calls_per_minute
    try:
        consume_call(site.deps, token, per_minute)
    except RateLimited as limited:
        raise too_many(limited.seconds, Text("api.too_many_requests.token", calls=per_minute)) from None


Reader = Annotated[ApiCaller, Depends(caller_with(TokenScope.READ))]
Writer = Annotated[ApiCaller, Depends(caller_with(TokenScope.WRITE))]
