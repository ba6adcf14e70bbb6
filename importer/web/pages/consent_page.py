"""Consent of mailbox owners: the page behind a consent link, the redirect to the provider and its answer, or
the form for the password where the link asks for that.

The `state` of a request is kept for ten minutes in the browser that started it. An answer in another browser
is rejected (RFC 6749 section 10.12), and so is an answer at the redirect URI of another provider (RFC 9700
section 4.4.2). `service/access/owner_consent.py` handles PKCE, the single use of a state, and the check that
the grant is for the requested mailbox.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.audit_event import AuditAction
from importer.domain.csv_import.csv_cells import Refused, password
from importer.domain.model import Account
from importer.i18n.row_problem_texts import refused_text
from importer.service.access.client_networks import client_network
from importer.service.access.consent_requests import pending_sides
from importer.service.access.login_attempts import LoginOrigin
from importer.service.access.owner_consent import (
    ConsentPrompt,
    LinkGone,
    begin,
    complete,
    find_prompt,
    give_password,
)
from importer.service.access.rate_limits import RateLimited
from importer.service.access.session_sign_ins import SignInState
from importer.web.audit_middleware import note_login
from importer.web.cookies import set_sign_in_state, sign_in_state
from importer.web.error_texts import mail_problem
from importer.web.pages.home import login_problem
from importer.web.pages.sign_in_result import Retry, failure, result_page
from importer.web.rendering import page
from importer.web.request_context import AnyVisitor, Fields, Visitor, field_text
from providers.errors import LoginRejected, MailError
from providers.provider import LoginKind, PasswordKind

STATE_LIFETIME_S: Final = 600

router: Final = APIRouter()

_COOKIE: Final = "asked"


@dataclass(frozen=True, slots=True)
class _Asked:
    """The latest sign-in that this browser started, with the token of its link."""

    provider: str
    state: str
    token: str
    progress: SignInState = SignInState.AT_PROVIDER

    @property
    def retry(self) -> Retry:
        return Retry(f"/consent/{self.token}")

    def is_answered_by(self, provider: str, state: str) -> bool:
        own, given = f"{self.provider}:{self.state}", f"{provider}:{state}"
        return hmac.compare_digest(own.encode(), given.encode("utf-8", "surrogatepass"))


@router.get("/consent/{token}")
def consent_prompt(visitor: AnyVisitor, token: str) -> Response:
    try:
        prompt = find_prompt(visitor.site.deps, token)
    except LinkGone:
        return result_page(visitor, "gone")
    if prompt.by_password:
        return _password_page(visitor, prompt, token)
    return page(visitor, "consent.html", prompt=prompt, token=token)


@router.post("/consent/{token}")
def give_consent(visitor: AnyVisitor, fields: Fields, token: str) -> Response:
    """Start the sign-in or accept the password, as the link requires."""
    try:
        prompt = find_prompt(visitor.site.deps, token)
    except LinkGone:
        return result_page(visitor, "gone")
    return (
        _take_password(visitor, fields, prompt, token)
        if prompt.by_password
        else _start_sign_in(visitor, token)
    )


def _take_password(visitor: Visitor, fields: FormData, prompt: ConsentPrompt, token: str) -> Response:
    account = prompt.import_.account(prompt.side)
    visitor.audit.action = AuditAction.MAILBOX_OPEN
    try:
        secret = password(field_text(fields, "password"))
    except Refused as refused:
        return _password_page(visitor, prompt, token, refused_text(visitor.texts, refused))
    origin = LoginOrigin(visitor.client)
    try:
        with visitor.site.shares.waiting.slot(client_network(visitor.client)):
            import_ = give_password(visitor.site.deps, token, secret, origin)
    except LinkGone:
        return result_page(visitor, "gone")
    except (RateLimited, MailError) as error:
        note_login(visitor.audit, account, error)
        return _password_page(visitor, prompt, token, _why_refused(visitor, error, account))
    note_login(visitor.audit, account, None)
    kind = "one_of_two" if pending_sides(visitor.site.deps, import_) else "given"
    return result_page(visitor, kind)


def _why_refused(visitor: Visitor, error: RateLimited | MailError, account: Account) -> str:
    if isinstance(error, LoginRejected):
        return mail_problem(visitor.texts, error)
    return login_problem(visitor, error, account.endpoint.host)


def _password_page(visitor: Visitor, prompt: ConsentPrompt, token: str, problem: str = "") -> Response:
    account = prompt.import_.account(prompt.side)
    catalog = visitor.site.catalog
    provider = catalog.for_address(account.address) or catalog.for_host(account.endpoint.host)
    return page(
        visitor,
        "consent_password.html",
        403 if problem else 200,
        prompt=prompt,
        token=token,
        problem=problem,
        app_password=provider is not None and provider.password is PasswordKind.APP,
        password_steps=provider.steps_for(LoginKind.PASSWORD) if provider is not None else (),
    )


def _start_sign_in(visitor: Visitor, token: str) -> Response:
    """A page that forwards to the provider. A redirect is impossible: the Content-Security-Policy restricts
    forms, including their redirects, to this host."""
    try:
        provider = find_prompt(visitor.site.deps, token).provider
        question = begin(visitor.site.deps, token)
    except LinkGone:
        return result_page(visitor, "gone")
    except LoginRejected:
        return result_page(visitor, "closed")
    response = page(visitor, "going_on.html", kind="consent", url=question.url)
    _remember(response, visitor, _Asked(provider, question.state, token))
    return response


def complete_consent(
    visitor: Visitor, request: Request, provider: str, answer: Mapping[str, str]
) -> Response:
    """The page for the owner's answer at the redirect URI of `provider`.

    Reloading it shows the same result and has no effect.
    """
    asked, state = _asked(request, visitor), answer.get("state", "")
    if asked is None:
        return result_page(visitor, "elsewhere")
    if not asked.is_answered_by(provider, state) or asked.progress is SignInState.FAILED:
        return result_page(visitor, "expired", retry=asked.retry)
    if asked.progress is SignInState.DONE:
        return result_page(visitor, "again", onward="/imports" if visitor.session else "")
    progress = SignInState.FAILED
    try:
        import_ = complete(visitor.site.deps, state, answer)
    except LinkGone:
        response = result_page(visitor, "gone")
    except MailError as error:
        if isinstance(error, LoginRejected):
            visitor.audit.action = AuditAction.CONSENT_DECLINE
        response = failure(visitor, error, retry=asked.retry)
    else:
        visitor.audit.targets = [import_.id]
        progress = SignInState.DONE
        kind = "one_of_two" if pending_sides(visitor.site.deps, import_) else "given"
        response = result_page(
            visitor, kind, onward=f"/batches/{import_.batch_id}" if visitor.session else ""
        )
    _remember(response, visitor, replace(asked, progress=progress))
    return response


def _remember(response: Response, visitor: Visitor, asked: _Asked) -> None:
    facts = ":".join((asked.progress.name, asked.provider, asked.state, asked.token))
    set_sign_in_state(response, visitor.site, _COOKIE, facts, STATE_LIFETIME_S)


def _asked(request: Request, visitor: Visitor) -> _Asked | None:
    facts = sign_in_state(request, visitor.site, _COOKIE).split(":")
    if len(facts) != 4 or facts[0] not in SignInState.__members__:
        return None
    return _Asked(facts[1], facts[2], facts[3], SignInState[facts[0]])
