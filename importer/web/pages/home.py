"""The first page, signing in and out, further mailboxes, and the language."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused, address, password
from importer.domain.model import Account
from importer.domain.people.identities import WebSession
from importer.i18n.translations import LANGUAGES
from importer.service.access.rate_limits import RateLimited, client_network
from importer.service.access.web_sessions import attach_mailbox, sign_in, sign_out
from importer.web.error_texts import cell_problem, mail_problem, too_often
from importer.web.rendering import go, page, set_language, set_token
from importer.web.request_context import AnyVisitor, Fields, SignedIn, Visitor, text
from providers.endpoint import Secret
from providers.errors import LoginRejected, MailError

router: Final = APIRouter()


@router.get("/")
def first(who: AnyVisitor) -> Response:
    return go("/new") if who.visit is not None else page(who, "front.html", values={}, errors={})


@router.post("/sign-in")
def enter(who: AnyVisitor, fields: Fields) -> Response:
    account, secret, errors = _mailbox(who, fields)
    if account is not None and secret is not None:
        try:
            with who.site.turns.turn(client_network(who.client)):
                token, _ = sign_in(who.site.deps, account, secret, client=who.client)
        except (MailError, RateLimited) as error:
            errors = {"form": login_problem(who, error, account.endpoint.host)}
        else:
            if who.visit is not None:
                sign_out(who.site.deps, who.visit)
            response = go("/new")
            set_token(response, who.site, token)
            return response
    return page(who, "front.html", 422, values={"address": text(fields, "address")}, errors=errors)


@router.post("/sign-out")
def leave(who: AnyVisitor, fields: Fields) -> Response:
    response = go("/")
    if who.visit is not None:
        sign_out(who.site.deps, who.visit)
        elsewhere = _out_there(who, who.visit)
        response = page(who, "going_on.html", kind="sign-out", url=elsewhere) if elsewhere else response
    response.delete_cookie(who.site.cookie, path="/", secure=who.site.secure, httponly=True, samesite="lax")
    return response


@router.post("/language")
def speak(who: AnyVisitor, fields: Fields, request: Request) -> Response:
    """Back to the page that it was asked on, when that page can be asked for again."""
    before = urlsplit(request.headers.get("referer", ""))
    own = f"{before.scheme}://{before.netloc}" == who.site.settings.web_origin
    path = before.path if own and before.path.startswith("/") and not before.path.startswith("//") else "/"
    response = go(path)
    if text(fields, "language") in LANGUAGES:
        set_language(response, who.site, text(fields, "language"))
    return response


@router.get("/mailboxes")
def mailboxes(guest: SignedIn) -> Response:
    return page(guest, "mailboxes.html", values={}, errors={})


@router.post("/mailboxes")
def add_mailbox(guest: SignedIn, fields: Fields) -> Response:
    who = guest.visitor
    account, secret, errors = _mailbox(who, fields)
    if account is not None and secret is not None:
        try:
            with who.site.turns.turn(guest.visit.person):
                attach_mailbox(who.site.deps, guest.visit, account, secret, client=who.client)
        except (MailError, RateLimited) as error:
            errors = {"form": login_problem(who, error, account.endpoint.host)}
        else:
            return go("/new/review" if guest.remembered.sources else "/mailboxes")
    return page(guest, "mailboxes.html", 422, values={"address": text(fields, "address")}, errors=errors)


def login_problem(who: Visitor, error: MailError | RateLimited, host: str) -> str:
    """One answer to every login that a host refuses, so that it tells nothing about the address."""
    if isinstance(error, RateLimited):
        return too_often(who.texts, error)
    if isinstance(error, LoginRejected):
        return who.texts.gettext("Address and password do not match. Check both and try again.")
    return mail_problem(who.texts, error, host)


def _out_there(who: Visitor, visit: WebSession) -> str:
    """Where somebody who signed in at an issuer signs out there too; "" when there is nothing to do."""
    people = who.site.deps.identity_provider
    if people is None or not visit.person.startswith("openid:"):
        return ""
    try:
        return people.logout_url(f"{who.site.settings.public_url}/")
    except MailError:
        return ""


def _mailbox(who: Visitor, fields: FormData) -> tuple[Account | None, Secret | None, dict[str, str]]:
    """The mailbox at our own host that the form names, or what is wrong with its fields."""
    errors: dict[str, str] = {}
    account = secret = None
    try:
        mail_address = address(text(fields, "address"))
        account = Account(mail_address, mail_address, who.site.destination)
    except Refused as refused:
        errors["address"] = cell_problem(who.texts, refused)
    try:
        secret = password(text(fields, "password"))
    except Refused as refused:
        errors["password"] = cell_problem(who.texts, refused)
    return account, secret, errors
