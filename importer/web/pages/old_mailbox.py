"""The old mailbox of a new import: its address, then its password or its owner's sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
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
from importer.service.access.source_sign_in import begin
from importer.service.access.visibility import import_of
from importer.service.access.web_sessions import SessionData, VerifiedMailbox, verify_login
from importer.web.audit_middleware import note_login
from importer.web.error_texts import mail_problem, rate_limited
from importer.web.pages.home import login_problem
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, Guest, SignedIn, Site, field_text
from importer.web.shown_state import PageOutdated
from importer.web.typed_text import GO_ON, forget_typed, typed_text
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint, Secret, Security
from providers.errors import LoginRejected, MailError, Side
from providers.provider import LoginKind, PasswordKind, Provider, Quirk, Step

MAX_SOURCES: Final = 10
_NO_ERRORS: Final[Mapping[str, str]] = MappingProxyType({})
OWN_SIGN_IN: Final = "sign-in"
"""The step whose place the button of the form takes."""

router: Final = APIRouter(prefix="/new")


@router.get("")
def address_form(request: Request, guest: SignedIn) -> Response:
    """Empty, or with what was typed before a sign-in, or with the address that is being set up."""
    site = guest.visitor.site
    typed = typed_text(request, site, "/new")
    if typed.get(GO_ON):
        return forget_typed(_found_source(guest, typed["address"], ""), site)
    pending = guest.session_data.pending_source
    entered = typed.get("address") or typed_text(request, site, "/new/start").get("source")
    entered = entered or (pending.address if pending is not None else "")
    return _address_page(guest, entered)


@router.post("")
def submit_address(guest: SignedIn, fields: Fields) -> Response:
    """Look for the mail server of the old address. The field `unknown` says that the reader enters it."""
    return _found_source(guest, field_text(fields, "address"), field_text(fields, "unknown"))


def _found_source(guest: Guest, entered: str, known_as_unknown: str) -> Response:
    """Go on to the password form. A server that is not found is shown before a password is asked for, unless
    the address is `known_as_unknown`: it may be misspelt."""
    site = guest.visitor.site
    provider, unknown = None, ""
    errors: dict[str, str] = {}
    try:
        mail_address = address(entered)
        domain = mail_address.rpartition("@")[2].lower()
        if not _is_own_domain(guest, domain):
            with site.shares.waiting.slot(guest.session.person):
                provider = guest.lookups.for_address(mail_address)
            if provider is None and known_as_unknown != mail_address:
                unknown = mail_address
        unavailable = (
            provider is not None
            and provider.passwords_unavailable
            and not site.deps.access.can_sign_in(provider.sign_in)
        )
        if not (unknown or unavailable):
            source = _likely_account(guest, mail_address, provider)
            guest.update_session(partial(_with_pending_source, source))
            return redirect("/new/mailbox")
        if unknown:
            errors = {"address": _server_not_found(guest, domain)}
    except Refused as refused:
        errors = {"address": refused_text(guest.visitor.texts, refused)}
    except RateLimited as error:
        errors = {"address": rate_limited(guest.visitor.texts, error)}
    return _address_page(guest, entered, errors, provider, unknown)


def _address_page(
    guest: Guest,
    entered: str,
    errors: Mapping[str, str] = _NO_ERRORS,
    provider: Provider | None = None,
    unknown: str = "",
) -> Response:
    """The address form, with a button for each provider at which owners can sign in at once."""
    return page(
        guest,
        "new_address.html",
        422 if errors or provider else 200,
        values={"address": entered},
        errors=errors,
        provider=provider,
        unknown=unknown,
        sign_in_hosts=_sign_in_hosts(guest.visitor.site),
    )


def _sign_in_hosts(site: Site) -> tuple[Provider, ...]:
    """The first host of each provider at which owners can sign in."""
    can_sign_in = site.deps.access.can_sign_in
    hosts = [host for host in site.catalog if host.source_endpoint and can_sign_in(host.sign_in)]
    return tuple({host.sign_in: host for host in reversed(hosts)}.values())[::-1]


def _is_own_domain(guest: Guest, domain: str) -> bool:
    """Whether one of the person's new mailboxes is in that domain: its host is the one of these pages."""
    addresses = (mailbox.account.address for mailbox in guest.session_data.mailboxes)
    return any(own.rpartition("@")[2].lower() == domain for own in addresses)


def _server_not_found(guest: Guest, domain: str) -> str:
    texts = guest.visitor.texts
    similar = guest.visitor.site.catalog.similar_domain(domain)
    if similar:
        return texts.gettext(
            "We found no mail server for %(domain)s. Did you mean %(similar)s?",
            domain=domain,
            similar=similar,
        )
    return texts.gettext("We found no mail server for %(domain)s. Check the address.", domain=domain)


@router.get("/mailbox")
def password_form(request: Request, guest: SignedIn) -> Response:
    source, rerun = guest.session_data.pending_source, guest.session_data.rerun
    if source is None:
        return _typed_source(request, guest)
    again = rerun.import_id if rerun is not None and not guest.session_data.sources else ""
    return _mailbox_page(guest, source, 200, _values(source), {}, again=again)


def _typed_source(request: Request, guest: Guest) -> Response:
    """The password form as it was filled in before a sign-in, or the address form."""
    site = guest.visitor.site
    typed = typed_text(request, site, "/new/mailbox")
    try:
        mail_address = address(typed.get("address", ""))
    except Refused:
        return redirect("/new")
    source = _likely_account(guest, mail_address, site.catalog.for_address(mail_address))
    source = _submitted_account(guest, source, FormData(typed))[0] or source
    guest.update_session(partial(_with_pending_source, source))
    return forget_typed(_mailbox_page(guest, source, 200, _values(source), {}), site)


@router.post("/mailbox")
def submit_password(guest: SignedIn, fields: Fields) -> Response:
    """Verify the mailbox that the page of this form showed, whatever another tab asks for meanwhile."""
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
    return _mailbox_page(guest, account or pending, 422, values, errors, again=again)


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
    return _likely_account(guest, mail_address, guest.visitor.site.catalog.for_address(mail_address))


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
    """The draft with this source. It belongs to the import that the form runs again, if it names one."""
    if rerun is not None and (before.rerun is None or before.rerun.import_id != rerun.id):
        before = before.with_rerun(rerun)
    return before.with_source(source, MAX_SOURCES)


@router.post("/sign-in")
def start_sign_in(guest: SignedIn, fields: Fields) -> Response:
    """Forward to the provider of the old mailbox; `provider_callback.py` goes on with its answer. The form
    is that of the address, or that of the password."""
    entered = field_text(fields, "address")
    try:
        address(entered)
    except Refused as refused:
        return _address_page(guest, entered, {"address": refused_text(guest.visitor.texts, refused)})
    account, rerun = _account_to_sign_in(guest, fields), rerun_of_form(guest, fields)
    if rerun is None:
        guest.update_session(partial(_with_pending_source, account))
    return forward_to_provider(guest, account, rerun)


def forward_to_provider(
    guest: Guest, account: Account, rerun: Import | None, *, starts: bool = False
) -> Response:
    """A page that forwards to the provider at which the owner of `account` signs in; see `begin`.

    A redirect is impossible: the Content-Security-Policy restricts forms, including their redirects, to this
    host.
    """
    host = sign_in_host(guest, account)
    if host is None:
        return redirect("/new")
    again = rerun.id if rerun is not None else ""
    try:
        question = begin(
            guest.visitor.site.deps, guest.session, account, host.sign_in or "", again, starts=starts
        )
    except RateLimited as error:
        errors = {"sign_in": rate_limited(guest.visitor.texts, error)}
        return _mailbox_page(guest, account, 429, _values(account), errors, again=again)
    return page(guest, "going_on.html", kind="consent", url=question.url)


def _account_to_sign_in(guest: Guest, fields: FormData) -> Account:
    """The account that the page of the form showed, at the host that the page named if that one has a
    sign-in: its tokens go to no other host."""
    account = pending_source(guest, fields)
    host = guest.visitor.site.catalog.for_host(field_text(fields, "server"))
    if host is None or host.source_endpoint is None or account.endpoint.host in host.hosts:
        return account
    return replace(account, endpoint=host.source_endpoint)


@router.post("/consent")
def choose_consent(guest: SignedIn, fields: Fields) -> Response:
    """Add the source without a password: its owner, who is somebody else, gets a link. See
    `consent_page.py`."""
    pending, rerun = pending_source(guest, fields), rerun_of_form(guest, fields)
    host = sign_in_host(guest, pending)
    if host is None:
        return redirect("/new")
    account = replace(pending, login=host.login_name(pending.address))
    source = VerifiedMailbox(
        account, None, sign_in=host.sign_in or "", has_labels=Quirk.LABELS in host.quirks
    )
    guest.update_session(partial(with_verified_source, source, rerun))
    return redirect("/new/review")


def sign_in_host(guest: Guest, account: Account) -> Provider | None:
    """The host of the account, if its owner can sign in at a provider; otherwise None."""
    site = guest.visitor.site
    host = site.catalog.for_host(account.endpoint.host)
    return host if host is not None and site.deps.access.can_sign_in(host.sign_in) else None


def _with_pending_source(source: Account, before: SessionData) -> SessionData:
    """The first source begins a new draft: the choices of an earlier one are dropped."""
    return replace(before if before.sources else before.without_draft(), pending_source=source)


def _likely_account(guest: Guest, mail_address: str, provider: Provider | None) -> Account:
    """The account at the provider, at the host of these pages for a domain of its own, or else a guess: host
    `imap.DOMAIN`. Without a provider, the login is the address."""
    if provider is not None and provider.source_endpoint is not None:
        return Account(mail_address, provider.login_name(mail_address), provider.source_endpoint)
    domain = mail_address.rpartition("@")[2].lower()
    own = _is_own_domain(guest, domain)
    return Account(
        mail_address, mail_address, guest.visitor.site.destination if own else Endpoint(f"imap.{domain}")
    )


def _values(account: Account) -> dict[str, str]:
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


def _mailbox_page(
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
    """What the owner does first; the sign-in itself is the button."""
    steps = provider.steps_for(kind) if provider is not None else ()
    return [step for step in steps if step.id != OWN_SIGN_IN]


def source_problem(guest: Guest, error: MailError | RateLimited, account: Account) -> str:
    if isinstance(error, LoginRejected):
        return mail_problem(guest.visitor.texts, error)
    return login_problem(guest.visitor, error, account.endpoint.host)
