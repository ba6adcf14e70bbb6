"""The front page, signing in and out, further mailboxes, and the choice of language."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused, address, password
from importer.domain.model import Account
from importer.domain.people.identities import NO_PERSON, WebSession, person_of
from importer.i18n.row_problem_texts import refused_text
from importer.i18n.translations import LANGUAGES
from importer.service.access.client_networks import client_network
from importer.service.access.draft_sign_in import give_back
from importer.service.access.login_attempts import LoginOrigin, known_browser
from importer.service.access.rate_limits import RateLimited
from importer.service.access.web_sessions import attach_mailbox, read_session_data, sign_in, sign_out
from importer.web.audit_middleware import note_login
from importer.web.cookies import (
    delete_session_token,
    delete_wanted_page,
    known_browser_cookie,
    remember_known_browser,
    set_language,
    set_session_token,
    wanted_page_cookie,
)
from importer.web.error_texts import mail_problem, rate_limited
from importer.web.rendering import page, redirect
from importer.web.request_context import AnyVisitor, Fields, SignedIn, Site, Visitor, field_text, local_path
from importer.web.typed_text import GO_ON, forget_typed, keep_typed, typed_text
from providers.endpoint import Secret
from providers.errors import LoginRejected, MailError
from providers.provider import Provider

router: Final = APIRouter()


@router.get("/")
def front_page(request: Request, visitor: AnyVisitor) -> Response:
    if visitor.session is not None:
        return redirect("/new")
    wanted = wanted_page_cookie(request, visitor.site)
    return page(visitor, "front.html", values={}, errors={}, wanted=wanted)


def after_sign_in(request: Request, site: Site) -> Response:
    """A redirect to the page requested before the sign-in, or to the first step of a new import."""
    response = redirect(wanted_page_cookie(request, site) or "/new")
    delete_wanted_page(response, site)
    return response


@router.post("/sign-in")
def submit_sign_in(request: Request, visitor: AnyVisitor, fields: Fields) -> Response:
    if not visitor.site.settings.password_sign_in:
        return page(visitor, "front.html", 403, values={}, errors={})
    account, secret, errors = _submitted_mailbox(visitor, fields)
    old_address = field_text(fields, "old_address").strip()
    if account is not None and (elsewhere := _old_provider(visitor.site, account)) is not None:
        errors["address"] = visitor.texts.gettext(
            "This is an address at %(provider)s. Sign in with your new address at %(host)s; the old one comes"
            " next.",
            provider=elsewhere.name,
            host=visitor.site.destination.host,
        )
    elif account is not None and secret is not None:
        try:
            with visitor.site.shares.waiting.slot(client_network(visitor.client)):
                token, _ = sign_in(
                    visitor.site.deps, account, secret, login_origin(request, visitor, account)
                )
        except (MailError, RateLimited) as error:
            errors = {"form": login_problem(visitor, error, account.endpoint.host)}
            note_login(visitor.audit, account, error, person_of(account))
        else:
            note_login(visitor.audit, account, None, person_of(account))
            visitor.audit.actor = person_of(account)
            if visitor.session is not None:
                sign_out(visitor.site.deps, visitor.session)
            response = after_sign_in(request, visitor.site)
            if old_address and response.headers["location"] == "/new":
                keep_typed(response, visitor.site, "/new", {"address": old_address, GO_ON: "yes"})
            set_session_token(response, visitor.site, token)
            remember_known_browser(request, response, visitor.site, account)
            return response
    values = {"address": field_text(fields, "address"), "old_address": old_address}
    return page(visitor, "front.html", 422, values=values, errors=errors)


@router.post("/sign-out")
def submit_sign_out(visitor: AnyVisitor, _fields: Fields) -> Response:
    response = redirect("/")
    if visitor.session is not None:
        data = read_session_data(visitor.site.deps, visitor.session)
        dropped = (*data.sources, *data.mailboxes)
        sign_out(visitor.site.deps, visitor.session)
        logout_url = _issuer_logout_url(visitor, visitor.session)
        if logout_url:
            response = page(visitor, "going_on.html", kind="sign-out", url=logout_url)
        response.background = BackgroundTask(give_back, visitor.site.deps, dropped)
    delete_session_token(response, visitor.site)
    return response


@router.post("/language")
def choose_language(visitor: AnyVisitor, fields: Fields, request: Request) -> Response:
    """Redirect to the page of the form, or to the front page if that page is on another site."""
    referer = request.headers.get("referer", "")
    response = redirect(local_path(referer, visitor.site.settings.web_origin) or "/")
    if field_text(fields, "language") in LANGUAGES:
        set_language(response, visitor.site, field_text(fields, "language"))
    return response


@router.get("/mailboxes")
def mailboxes(request: Request, guest: SignedIn) -> Response:
    site = guest.visitor.site
    typed = typed_text(request, site, "/mailboxes")
    return forget_typed(page(guest, "mailboxes.html", values=typed, errors={}), site)


@router.post("/mailboxes")
def add_mailbox(request: Request, guest: SignedIn, fields: Fields) -> Response:
    visitor = guest.visitor
    account, secret, errors = _submitted_mailbox(visitor, fields)
    if account is not None and secret is not None:
        try:
            with visitor.site.shares.waiting.slot(guest.session.person):
                origin = login_origin(request, visitor, account)
                token = attach_mailbox(visitor.site.deps, guest.session, account, secret, origin)
        except (MailError, RateLimited) as error:
            errors = {"form": login_problem(visitor, error, account.endpoint.host)}
            note_login(visitor.audit, account, error)
        else:
            note_login(visitor.audit, account, None)
            response = redirect("/new/review" if guest.session_data.sources else "/mailboxes")
            set_session_token(response, visitor.site, token)
            return response
    return page(
        guest, "mailboxes.html", 422, values={"address": field_text(fields, "address")}, errors=errors
    )


def login_problem(visitor: Visitor, error: MailError | RateLimited, host: str) -> str:
    """The message for a failed login: identical for every refusal, so that it does not reveal whether the
    address exists."""
    if isinstance(error, RateLimited):
        return rate_limited(visitor.texts, error)
    if isinstance(error, LoginRejected):
        return visitor.texts.gettext("Address and password do not match. Check both and try again.")
    return mail_problem(visitor.texts, error)


def login_origin(request: Request, visitor: Visitor, account: Account) -> LoginOrigin:
    """The origin of a login of this request, for the rate limits."""
    person = visitor.session.person if visitor.session is not None else NO_PERSON
    browser = known_browser(visitor.site.deps, known_browser_cookie(request, visitor.site), account)
    return LoginOrigin(visitor.client, person, browser)


def _old_provider(site: Site, account: Account) -> Provider | None:
    """The provider of an address that cannot be at the host of these pages, by its domain: its password is
    not sent there."""
    provider = site.catalog.for_address(account.address)
    return None if provider is site.catalog.for_host(site.destination.host) else provider


def _issuer_logout_url(visitor: Visitor, session: WebSession) -> str:
    """The URL that signs the browser out at the OpenID issuer, if the session began there; otherwise ""."""
    identity_provider = visitor.site.deps.identity_provider
    if identity_provider is None or not session.person.startswith("openid:"):
        return ""
    try:
        return identity_provider.logout_url(f"{visitor.site.settings.public_url}/")
    except MailError:
        return ""


def _submitted_mailbox(
    visitor: Visitor, fields: FormData
) -> tuple[Account | None, Secret | None, dict[str, str]]:
    """The destination mailbox and password that the form contains, or the problems of its fields."""
    errors: dict[str, str] = {}
    account = secret = None
    try:
        mail_address = address(field_text(fields, "address"))
        account = Account(mail_address, mail_address, visitor.site.destination)
    except Refused as refused:
        errors["address"] = refused_text(visitor.texts, refused)
    try:
        secret = password(field_text(fields, "password"))
    except Refused as refused:
        errors["password"] = refused_text(visitor.texts, refused)
    return account, secret, errors
