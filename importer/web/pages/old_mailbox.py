"""The second step of a new import: the password of the old mailbox, or its owner's sign-in."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused, address, password
from importer.domain.csv_import.csv_cells import server as read_server
from importer.domain.model import Account, Import, ImportId
from importer.i18n.row_problem_texts import refused_text
from importer.service.access.login_attempts import LoginOrigin
from importer.service.access.rate_limits import RateLimited
from importer.service.access.session_data import SessionData, VerifiedMailbox
from importer.service.access.visibility import import_of
from importer.service.access.web_sessions import verify_login
from importer.web.audit_middleware import note_login
from importer.web.error_texts import mail_problem
from importer.web.pages.home import login_problem
from importer.web.pages.old_address import likely_account, with_pending_source
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, Guest, SignedIn, Site, field_text
from importer.web.shown_state import PageOutdated
from importer.web.typed_text import forget_typed, typed_text
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint, Secret, Security
from providers.errors import LoginRejected, MailError, Side
from providers.provider import LoginKind, PasswordKind, Provider, Step

MAX_SOURCES: Final = 10
OWN_SIGN_IN: Final = "sign-in"
"""The step that the button of the form replaces."""

router: Final = APIRouter(prefix="/new")


@router.get("/mailbox")
def password_form(request: Request, guest: SignedIn) -> Response:
    source, rerun = guest.session_data.pending_source, guest.session_data.rerun
    if source is None:
        return _typed_source(request, guest)
    again = rerun.import_id if rerun is not None and not guest.session_data.sources else ""
    return mailbox_page(guest, source, 200, account_fields(source), {}, again=again)


def _typed_source(request: Request, guest: Guest) -> Response:
    """The password form with the fields filled in before a sign-in, or the address form."""
    site = guest.visitor.site
    typed = typed_text(request, site, "/new/mailbox")
    try:
        mail_address = address(typed.get("address", ""))
    except Refused:
        return redirect("/new")
    source = likely_account(guest, mail_address, site.catalog.for_address(mail_address))
    source = _submitted_account(guest, source, FormData(typed))[0] or source
    guest.update_session(partial(with_pending_source, source))
    return forget_typed(mailbox_page(guest, source, 200, account_fields(source), {}), site)


@router.post("/mailbox")
def submit_password(guest: SignedIn, fields: Fields) -> Response:
    """Verify the mailbox that the page of this form showed, even if another tab has chosen another one
    since."""
    pending = pending_source(guest, fields)
    rerun = rerun_of_form(guest, fields)
    visitor = guest.visitor
    account, secret, errors = _submitted_source(guest, pending, fields)
    if account is not None and secret is not None:
        try:
            with visitor.site.shares.waiting.slot(guest.session.person):
                verified = verify_login(
                    visitor.site.deps,
                    account,
                    secret,
                    Side.SOURCE,
                    LoginOrigin(visitor.client, guest.session.person),
                )
        except (MailError, RateLimited) as error:
            errors = {"form": source_problem(guest, error, account)}
            note_login(visitor.audit, account, error)
        else:
            note_login(visitor.audit, account, None)
            guest.update_session(partial(with_verified_source, verified, rerun))
            return redirect("/new/review")
    values = {name: field_text(fields, name) for name in ("server", "port", "security", "login")}
    again = rerun.id if rerun is not None else ""
    return mailbox_page(guest, account or pending, 422, values, errors, again=again)


def pending_source(guest: Guest, fields: FormData) -> Account:
    """The account whose address the page of the form showed. Raises PageOutdated if the form names none."""
    pending = guest.session_data.pending_source
    shown = field_text(fields, "address")
    if pending is not None and pending.address == shown:
        return pending
    try:
        mail_address = address(shown)
    except Refused:
        raise PageOutdated from None
    return likely_account(guest, mail_address, guest.visitor.site.catalog.for_address(mail_address))


def rerun_of_form(guest: Guest, fields: FormData) -> Import | None:
    """The import that the page of the form runs again; None for a new one. Raises PageOutdated."""
    import_id = field_text(fields, "again")
    if not import_id:
        return None
    import_ = import_of(guest.visitor.site.deps, guest.session.person, ImportId(import_id))
    if import_ is None:
        raise PageOutdated
    return import_


def with_verified_source(source: VerifiedMailbox, rerun: Import | None, before: SessionData) -> SessionData:
    """The draft with this source, for the import that the form runs again, if any."""
    if rerun is not None and (before.rerun is None or before.rerun.import_id != rerun.id):
        before = before.with_rerun(rerun)
    return before.with_source(source, MAX_SOURCES)


def account_fields(account: Account) -> dict[str, str]:
    endpoint = account.endpoint
    return {
        "server": endpoint.host,
        "port": str(endpoint.port),
        "security": endpoint.security.value,
        "login": account.login,
    }


def _submitted_source(
    guest: Guest, pending: Account, fields: FormData
) -> tuple[Account | None, Secret | None, dict[str, str]]:
    """The account and password that the form contains, or the problems of its fields."""
    account, errors = _submitted_account(guest, pending, fields)
    secret = None
    try:
        secret = password(field_text(fields, "password"))
    except Refused as refused:
        errors["password"] = refused_text(guest.visitor.texts, refused)
    return (None if errors else account), secret, errors


def _submitted_account(
    guest: Guest, pending: Account, fields: FormData
) -> tuple[Account | None, dict[str, str]]:
    """The account that the form describes, or the problems of its fields."""
    texts, errors = guest.visitor.texts, {}
    host = None
    name = field_text(fields, "server").strip()
    try:
        server = read_server(f"{name}:{IMAPS_PORT}" if name and ":" not in name else name)
        host = server.endpoint.host if server.endpoint is not None else pending.endpoint.host
    except Refused as refused:
        errors["server"] = refused_text(texts, refused)
    security = Security.STARTTLS if field_text(fields, "security") == "starttls" else Security.TLS
    default_port = IMAPS_PORT if security is Security.TLS else IMAP_PORT
    port = field_text(fields, "port").strip() or str(default_port)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        errors["port"] = texts.gettext("The port must be a number from 1 to 65535, usually 993.")
    login = field_text(fields, "login").strip() or pending.address
    if any(ord(c) < 32 or ord(c) == 127 for c in login) or len(login) > 320:
        errors["login"] = texts.gettext("This is not a valid user name.")
    if errors or host is None:
        return None, errors
    return Account(pending.address, login, Endpoint(host, int(port), security)), errors


def mailbox_page(
    guest: Guest,
    account: Account,
    status: int,
    values: dict[str, str],
    errors: dict[str, str],
    *,
    again: str = "",
) -> Response:
    """The form of a sign-in, of a password, or of both, each with its own steps. `again` is the id of the
    import that is run again."""
    site: Site = guest.visitor.site
    provider = site.catalog.for_address(account.address) or site.catalog.for_host(account.endpoint.host)
    known = provider is not None and provider.source_endpoint is not None
    return page(
        guest,
        "new_mailbox.html",
        status,
        account=account,
        provider=provider,
        known=known,
        asks=sign_in_host(guest, account) is not None,
        takes_password=provider is None or provider.password is not PasswordKind.NONE,
        app_password=provider is not None and provider.password is PasswordKind.APP,
        sign_in_steps=_steps(provider, LoginKind.SIGN_IN),
        password_steps=_steps(provider, LoginKind.PASSWORD),
        values=values,
        errors=errors,
        again=again,
        open_settings=bool(errors.keys() & {"server", "port", "login"}) or ("form" in errors and not known),
    )


def _steps(provider: Provider | None, kind: LoginKind) -> list[Step]:
    """The owner's steps before the sign-in; the sign-in itself is the button."""
    steps = provider.steps_for(kind) if provider is not None else ()
    return [step for step in steps if step.id != OWN_SIGN_IN]


def source_problem(guest: Guest, error: MailError | RateLimited, account: Account) -> str:
    if isinstance(error, LoginRejected):
        return mail_problem(guest.visitor.texts, error)
    return login_problem(guest.visitor, error, account.endpoint.host)


def sign_in_host(guest: Guest, account: Account) -> Provider | None:
    """The host of the account, if its owner can sign in at a provider; otherwise None."""
    site = guest.visitor.site
    host = site.catalog.for_host(account.endpoint.host)
    return host if host is not None and site.deps.access.can_sign_in(host.sign_in) else None
