"""A new import, step by step: the old address, its password, the review with the destination, the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused, address, password
from importer.domain.csv_import.csv_cells import server as read_server
from importer.domain.csv_import.import_rows import Row
from importer.domain.import_options import OPTIONS, Choices, ImportOptions, text_of
from importer.domain.model import Account, Import, ImportId
from importer.i18n.row_problem_texts import refused_text
from importer.service.access.login_attempts import LoginOrigin
from importer.service.access.rate_limits import RateLimited, consume_rows
from importer.service.access.visibility import import_of
from importer.service.access.web_sessions import (
    SessionData,
    VerifiedMailbox,
    public_only_account,
    verify_login,
)
from importer.service.imports.submit import RowOutcome, submit
from importer.web.audit_middleware import note_login
from importer.web.error_texts import mail_problem, rate_limited
from importer.web.pages.home import login_problem
from importer.web.pages.source_check import applies_to
from importer.web.rendering import page, redirect
from importer.web.request_context import (
    Fields,
    Guest,
    SignedIn,
    Site,
    closed_rerun_destination,
    field_text,
    find_destination,
    guest_actor,
    rerun_destination_by_right,
)
from importer.web.shown_state import PageOutdated, draft_shown, fingerprint, is_current
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint, Secret, Security
from providers.errors import LoginRejected, MailError, Side
from providers.provider import PasswordKind, Provider, Quirk

MAX_SOURCES: Final = 10
_NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})
_ABOUT_LABELS: Final = {name for name, option in OPTIONS.items() if option.needs_labels}

router: Final = APIRouter(prefix="/new")


@router.get("")
def address_form(guest: SignedIn) -> Response:
    return page(guest, "new_address.html", values={}, errors={}, provider=None, unknown="")


@router.post("")
def submit_address(guest: SignedIn, fields: Fields) -> Response:
    """Look for the mail server of the old address. One that is not found is shown before a password is asked
    for: the address may be misspelt. The field `unknown` says that the reader enters the server."""
    entered = field_text(fields, "address")
    site = guest.visitor.site
    provider, unknown = None, ""
    errors: dict[str, str] = {}
    try:
        mail_address = address(entered)
        domain = mail_address.rpartition("@")[2].lower()
        if not _is_own_domain(guest, domain):
            with site.shares.waiting.slot(guest.session.person):
                provider = guest.lookups.for_address(mail_address)
            if provider is None and field_text(fields, "unknown") != mail_address:
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
    values = {"address": entered}
    return page(
        guest, "new_address.html", 422, values=values, errors=errors, provider=provider, unknown=unknown
    )


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
def password_form(guest: SignedIn) -> Response:
    source, rerun = guest.session_data.pending_source, guest.session_data.rerun
    if source is None:
        return redirect("/new")
    again = rerun.import_id if rerun is not None and not guest.session_data.sources else ""
    return _mailbox_page(guest, source, 200, _values(source), {}, again=again)


@router.post("/mailbox")
def submit_password(guest: SignedIn, fields: Fields) -> Response:
    """Verify the mailbox that the page of this form showed, whatever another tab asks for meanwhile."""
    pending = _pending_source(guest, fields)
    rerun = _rerun_of_form(guest, fields)
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
            errors = {"form": _source_problem(guest, error, account)}
            note_login(visitor.audit, account, error)
        else:
            note_login(visitor.audit, account, None)
            guest.update_session(partial(_with_verified_source, verified, rerun))
            return redirect("/new/review")
    values = {name: field_text(fields, name) for name in ("server", "port", "security", "login")}
    again = rerun.id if rerun is not None else ""
    return _mailbox_page(guest, account or pending, 422, values, errors, again=again)


def _pending_source(guest: Guest, fields: FormData) -> Account:
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


def _rerun_of_form(guest: Guest, fields: FormData) -> Import | None:
    """The import that the page of the form runs again; None for a new one. Raises PageOutdated."""
    import_id = field_text(fields, "again")
    if not import_id:
        return None
    import_ = import_of(guest.visitor.site.deps, guest.session.person, ImportId(import_id))
    if import_ is None:
        raise PageOutdated
    return import_


def _with_verified_source(source: VerifiedMailbox, rerun: Import | None, before: SessionData) -> SessionData:
    """The draft with this source. It belongs to the import that the form runs again, if it names one."""
    if rerun is not None and (before.rerun is None or before.rerun.import_id != rerun.id):
        before = before.with_rerun(rerun)
    return before.with_source(source, MAX_SOURCES)


@router.get("/review")
def review(guest: SignedIn) -> Response:
    session_data = guest.session_data
    return _review_page(guest, session_data) if session_data.sources else redirect("/new")


@router.post("/remove")
def remove_source(guest: SignedIn, fields: Fields) -> Response:
    key = field_text(fields, "key")
    remaining = tuple(source for source in guest.session_data.sources if source.account.key != key)
    guest.update_session(lambda before: replace(before, sources=remaining))
    return redirect("/new/review" if remaining else "/new")


@router.post("/start")
def start_imports(guest: SignedIn, fields: Fields) -> Response:
    """Start one import for each source.

    The destination can only be a mailbox attached to the session, or that of an import which is run again
    under the batch right.
    """
    if not guest.session_data.sources:
        raise PageOutdated
    chosen, errors = _submitted_choices(guest, fields)
    guest.update_session(partial(_with_choices, chosen))
    choices = _with_choices(chosen, guest.session_data)
    if not is_current(guest, fields, draft_shown(guest.session_data)):
        problem = guest.visitor.texts.gettext(
            "This page was out of date: something has changed since, perhaps in another tab. Nothing has been"
            " started. Check what the page shows now, then press Import again."
        )
        return _review_page(guest, choices, 409, problem)
    destination = find_destination(guest, field_text(fields, "destination"))
    problem = ""
    if destination is None:
        problem = guest.visitor.texts.gettext("Choose the mailbox to copy the mail into.")
    elif any(source.account.key == destination.account.key for source in choices.sources):
        problem = guest.visitor.texts.gettext("The old and the new mailbox are the same.")
    if destination is None or problem or errors:
        entered = {name: field_text(fields, name) for name in errors}
        return _review_page(guest, choices, 422, problem, errors=errors, entered=entered)
    by_right = destination.account == rerun_destination_by_right(guest)
    sign_in = "" if by_right or destination.password is not None else _destination_sign_in(guest.visitor.site)
    if destination.password is None and not (sign_in or by_right):
        problem = guest.visitor.texts.gettext("Enter the password of this mailbox, then press Import again.")
        values = {"address": destination.account.address}
        return page(guest, "mailboxes.html", 422, values=values, errors={"password": problem})
    rows = _rows(choices, destination, sign_in)
    try:
        count_starts(guest, rows)
    except RateLimited as error:
        problem = rate_limited(guest.visitor.texts, error)
        return _review_page(guest, choices, 422, problem, destination.account.key)
    submitter = choices.mailbox(destination.account.key) or choices.mailboxes[0]
    return _submit(guest, rows, import_options(guest.visitor.site, choices), submitter.account.address)


def _rows(choices: SessionData, destination: VerifiedMailbox, sign_in: str) -> list[Row]:
    """One row for each source. `sign_in` is the `Row.destination_sign_in`."""
    return [
        Row(
            0,
            public_only_account(source.account),
            source.password,
            destination.account,
            destination.password,
            source.sign_in,
            sign_in,
        )
        for source in choices.sources
    ]


def _submit(guest: Guest, rows: Sequence[Row], options: ImportOptions, notify: str) -> Response:
    """Submit the rows and redirect to their batch, or to an import of them that is already under way."""
    submission = submit(
        guest.visitor.site.deps, guest_actor(guest, notify), rows, options=options, again=True
    )
    guest.visitor.audit.targets = [import_.id for import_ in submission.started]
    guest.update_session(SessionData.without_draft)
    if submission.batch is not None:
        return redirect(f"/batches/{submission.batch.id}")
    under_way = next((row.import_ for row in submission.rows if row.outcome is not RowOutcome.STARTED), None)
    return redirect(f"/imports/{under_way.id}" if under_way is not None else "/imports")


@router.post("/consent")
def choose_consent(guest: SignedIn, fields: Fields) -> Response:
    """Add the source without a password: its owner signs in after the import has been submitted. See
    `consent_page.py`."""
    pending, rerun, site = _pending_source(guest, fields), _rerun_of_form(guest, fields), guest.visitor.site
    provider = site.catalog.for_host(pending.endpoint.host)
    if provider is None or provider.sign_in is None or not site.deps.access.can_sign_in(provider.sign_in):
        return redirect("/new")
    account = replace(pending, login=provider.login_name(pending.address))
    source = VerifiedMailbox(
        account, None, sign_in=provider.sign_in, has_labels=Quirk.LABELS in provider.quirks
    )
    guest.update_session(partial(_with_verified_source, source, rerun))
    return redirect("/new/review")


def _destination_sign_in(site: Site) -> str:
    """The `Provider.sign_in` that replaces passwords at the destination host; "" if unavailable."""
    host = site.catalog.for_host(site.destination.host)
    sign_in = host.sign_in if host is not None else None
    return sign_in if sign_in is not None and site.deps.access.can_sign_in(sign_in) else ""


def count_starts(guest: Guest, rows: Sequence[Row]) -> None:
    """Count the imports about to be started. Raises RateLimited if this person started or tried too many."""
    session_data, visitor = guest.session_data, guest.visitor
    verified = {
        (mailbox.account.key, mailbox.password)
        for mailbox in (*session_data.mailboxes, *session_data.sources)
        if mailbox.password is not None
    }
    consume_rows(
        visitor.site.deps, rows, client=visitor.client, person=guest.session.person, verified=verified
    )


def _with_pending_source(source: Account, before: SessionData) -> SessionData:
    """The first source begins a new draft: the choices of an earlier one are dropped."""
    return replace(before if before.sources else before.without_draft(), pending_source=source)


# --- Options of all sources -------------------------------------------------------------------------


def import_options(site: Site, session_data: SessionData) -> ImportOptions:
    """The options as chosen, and for the rest the defaults of the installation."""
    return site.settings.import_options.choose(session_data.choices)


def _with_choices(chosen: Choices, before: SessionData) -> SessionData:
    return replace(before, choices={**before.choices, **chosen})


def _submitted_choices(guest: Guest, fields: FormData) -> tuple[dict[str, Any], dict[str, str]]:
    """The options that the form chooses, and what is wrong with texts. A text that was cleared means the
    default, an unknown word chooses nothing."""
    choices: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, option in OPTIONS.items():
        if option.api_type is bool:
            choices[name] = bool(field_text(fields, name))
        elif name in fields:
            try:
                value = option.parse(field_text(fields, name))
                choices[name] = option.default if value is None else value
            except Refused as refused:
                if not option.words:
                    errors[name] = refused_text(guest.visitor.texts, refused)
    return choices, errors


def _review_page(
    guest: Guest,
    session_data: SessionData,
    status: int = 200,
    problem: str = "",
    into: str = "",
    *,
    errors: Mapping[str, str] = _NO_TEXTS,
    entered: Mapping[str, str] = _NO_TEXTS,
) -> Response:
    """The review. `into` is the `Account.key` of the selected destination, "" for the default; `errors` are
    those of options, by name, and `entered` their texts.

    The results of a check are shown for sources that were checked with the selected destination and options.
    """
    site = guest.visitor.site
    options = import_options(site, session_data)
    closed, rerun = closed_rerun_destination(guest), session_data.rerun
    into = into or session_data.default_destination.key
    checked = {s.account.key for s in session_data.sources if s.facts and applies_to(s.facts, into, options)}
    return page(
        guest,
        "new_review.html",
        status,
        problem=problem,
        into=into,
        closed=closed,
        by_right=rerun_destination_by_right(guest),
        rerun=rerun,
        elsewhere=rerun is not None and find_destination(guest, rerun.destination.key) is None,
        shown=fingerprint(guest, draft_shown(session_data)),
        values={**{name: text_of(getattr(options, name)) for name in OPTIONS}, **entered},
        errors=errors,
        advanced=bool(errors or rerun or options.chosen.keys() - _ABOUT_LABELS),
        checked=checked,
        signs_in=_destination_sign_in(site),
    )


# --- The form of a source -------------------------------------------------------------------------


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
    texts, errors = guest.visitor.texts, {}
    host, secret = None, None
    name = field_text(fields, "server").strip()
    try:
        server = read_server(f"{name}:{IMAPS_PORT}" if name and ":" not in name else name)
        host = server.endpoint.host if server.endpoint is not None else pending.endpoint.host
    except Refused as refused:
        errors["server"] = refused_text(texts, refused)
    try:
        secret = password(field_text(fields, "password"))
    except Refused as refused:
        errors["password"] = refused_text(texts, refused)
    security = Security.STARTTLS if field_text(fields, "security") == "starttls" else Security.TLS
    default_port = IMAPS_PORT if security is Security.TLS else IMAP_PORT
    port = field_text(fields, "port").strip() or str(default_port)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        errors["port"] = texts.gettext("The port must be a number from 1 to 65535, usually 993.")
    login = field_text(fields, "login").strip() or pending.address
    if any(ord(c) < 32 or ord(c) == 127 for c in login) or len(login) > 320:
        errors["login"] = texts.gettext("This is not a valid user name.")
    if errors or host is None:
        return None, secret, errors
    return Account(pending.address, login, Endpoint(host, int(port), security)), secret, errors


def _mailbox_page(
    guest: Guest,
    account: Account,
    status: int,
    values: dict[str, str],
    errors: dict[str, str],
    *,
    again: str = "",
) -> Response:
    """The password form. `again` is the id of the import that is run again."""
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
        asks=provider is not None and site.deps.access.can_sign_in(provider.sign_in),
        takes_password=provider is None or provider.password is not PasswordKind.NONE,
        app_password=provider is not None and provider.password is PasswordKind.APP,
        values=values,
        errors=errors,
        again=again,
        open_settings=bool(errors.keys() & {"server", "port", "login"}) or ("form" in errors and not known),
    )


def _source_problem(guest: Guest, error: MailError | RateLimited, account: Account) -> str:
    if isinstance(error, LoginRejected):
        return mail_problem(guest.visitor.texts, error)
    return login_problem(guest.visitor, error, account.endpoint.host)
