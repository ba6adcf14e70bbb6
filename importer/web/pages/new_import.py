"""A new import: whose mail, which password, what is there, where to; then it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused, address, password
from importer.domain.csv_import.csv_cells import server as read_server
from importer.domain.csv_import.import_rows import Row
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.model import Account
from importer.service.access.rate_limits import LOOKUPS_PER_PERSON, RateLimited, consume, consume_rows
from importer.service.access.web_sessions import (
    SessionData,
    VerifiedMailbox,
    public_only_account,
    verify_login,
)
from importer.service.imports.submit import RowOutcome, submit
from importer.web.error_texts import cell_problem, mail_problem, too_often
from importer.web.pages.home import login_problem
from importer.web.pages.source_check import looked_so
from importer.web.rendering import go, page
from importer.web.request_context import (
    Fields,
    Guest,
    SignedIn,
    Site,
    destination_of,
    opened_by_right,
    right_of,
    text,
)
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint, Secret, Security
from providers.errors import LoginRejected, MailError, Side
from providers.provider import PasswordKind, Provider, Quirk

MOST_SOURCES: Final = 10

router: Final = APIRouter(prefix="/new")


@router.get("")
def ask_address(guest: SignedIn) -> Response:
    return page(guest, "new_address.html", values={}, errors={}, provider=None)


@router.post("")
def take_address(guest: SignedIn, fields: Fields) -> Response:
    given = text(fields, "address")
    site = guest.visitor.site
    provider = None
    try:
        mail_address = address(given)
        with site.turns.turn(guest.visit.person):
            consume(site.deps, {f"lookup:person:{guest.visit.person}": LOOKUPS_PER_PERSON})
            provider = site.lookups().for_address(mail_address)
        if (
            provider is None
            or not provider.passwords_unavailable
            or site.deps.access.can_sign_in(provider.sign_in)
        ):
            asked = _account_for(mail_address, provider)
            guest.remember(partial(_with_asked, asked))
            return go("/new/mailbox")
        errors = {}
    except Refused as refused:
        errors = {"address": cell_problem(guest.visitor.texts, refused)}
    except RateLimited as error:
        errors = {"address": too_often(guest.visitor.texts, error)}
    return page(guest, "new_address.html", 422, values={"address": given}, errors=errors, provider=provider)


@router.get("/mailbox")
def ask_password(guest: SignedIn) -> Response:
    asked = guest.remembered.pending_source
    return go("/new") if asked is None else _mailbox_page(guest, asked, 200, _values(asked), {})


@router.post("/mailbox")
def check(guest: SignedIn, fields: Fields) -> Response:
    asked = guest.remembered.pending_source
    if asked is None:
        return go("/new")
    who = guest.visitor
    account, secret, errors = _source(guest, asked, fields)
    if account is not None and secret is not None:
        try:
            with who.site.turns.turn(guest.visit.person):
                proven = verify_login(
                    who.site.deps, account, secret, Side.SOURCE, client=who.client, person=guest.visit.person
                )
        except (MailError, RateLimited) as error:
            errors = {"form": _source_problem(guest, error, account)}
        else:
            guest.remember(lambda before: before.with_source(proven, MOST_SOURCES))
            return go("/new/review")
    values = {name: text(fields, name) for name in ("server", "port", "security", "login")}
    return _mailbox_page(guest, account or asked, 422, values, errors)


@router.get("/review")
def review(guest: SignedIn) -> Response:
    remembered = guest.remembered
    return _review_page(guest, remembered) if remembered.sources else go("/new")


@router.post("/remove")
def remove(guest: SignedIn, fields: Fields) -> Response:
    kept = tuple(s for s in guest.remembered.sources if s.account.key != text(fields, "key"))
    guest.remember(lambda before: replace(before, sources=kept))
    return go("/new/review" if kept else "/new")


@router.post("/start")
def start(guest: SignedIn, fields: Fields) -> Response:
    """Starts one import for each source. The destination is looked up among the attached mailboxes, so
    nothing but those can be named; and that of an import which is being run again, by the batch right."""
    who, by_right = guest.visitor, opened_by_right(guest)
    guest.remember(partial(_with_choices, fields))
    remembered = _with_choices(fields, guest.remembered)
    destination = destination_of(guest, text(fields, "destination"))
    if not remembered.sources:
        return go("/new")
    problem = ""
    if destination is None:
        problem = who.texts.gettext("Choose the mailbox to copy the mail into.")
    elif any(source.account.key == destination.account.key for source in remembered.sources):
        problem = who.texts.gettext("The old and the new mailbox are the same.")
    if destination is None or problem:
        return _review_page(guest, remembered, 422, problem)
    covered = destination.account == by_right
    signs_in = "" if covered or destination.password is not None else _signs_in_at_ours(who.site)
    if destination.password is None and not (signs_in or covered):
        problem = who.texts.gettext("Enter the password of this mailbox, then press Import again.")
        values = {"address": destination.account.address}
        return page(guest, "mailboxes.html", 422, values=values, errors={"password": problem})
    rows = [
        Row(
            0,
            public_only_account(source.account),
            source.password,
            destination.account,
            destination.password,
            source.sign_in,
            signs_in,
        ).chosen(label_rule(who.site, remembered), sync_flags=sync_flags(who.site, remembered))
        for source in remembered.sources
    ]
    try:
        count_start(guest, rows)
    except RateLimited as error:
        problem = too_often(who.texts, error)
        return _review_page(guest, remembered, 422, problem, destination.account.key)
    submission = submit(
        who.site.deps,
        rows,
        submitter=(remembered.mailboxes[0] if covered else destination).account.address,
        owner=guest.visit.person,
        language=who.texts.language,
        again=True,
        right=right_of(guest),
    )
    guest.remember(SessionData.without_draft)
    if submission.batch is not None:
        return go(f"/batches/{submission.batch.id}")
    under_way = next((p.import_ for p in submission.rows if p.outcome is not RowOutcome.STARTED), None)
    return go(f"/imports/{under_way.id}" if under_way is not None else "/imports")


@router.post("/consent")
def sign_in_later(guest: SignedIn, _fields: Fields) -> Response:
    """The owner signs in at their host when the import has been put together: see `consent.py`."""
    asked, site = guest.remembered.pending_source, guest.visitor.site
    provider = site.catalog.for_host(asked.endpoint.host) if asked is not None else None
    if (
        asked is None
        or provider is None
        or provider.sign_in is None
        or not site.deps.access.can_sign_in(provider.sign_in)
    ):
        return go("/new")
    own = replace(asked, login=provider.login_name(asked.address))
    proven = VerifiedMailbox(own, None, sign_in=provider.sign_in, has_labels=Quirk.LABELS in provider.quirks)
    guest.remember(lambda before: before.with_source(proven, MOST_SOURCES))
    return go("/new/review")


def _signs_in_at_ours(site: Site) -> str:
    """Where owners of mailboxes at our own host sign in, in place of a password; "" where they cannot."""
    host = site.catalog.for_host(site.destination.host)
    where = host.sign_in if host is not None else None
    return where if where is not None and site.deps.access.can_sign_in(where) else ""


def count_start(guest: Guest, rows: Sequence[Row]) -> None:
    """Raises RateLimited when this person has started, or tried, too much."""
    remembered, who = guest.remembered, guest.visitor
    proven = {
        (mailbox.account.key, mailbox.password)
        for mailbox in (*remembered.mailboxes, *remembered.sources)
        if mailbox.password is not None
    }
    consume_rows(who.site.deps, rows, client=who.client, person=guest.visit.person, verified=proven)


def _with_asked(asked: Account, before: SessionData) -> SessionData:
    """With the first source, what was chosen for others is forgotten."""
    return replace(before if before.sources else before.without_draft(), pending_source=asked)


# --- What is chosen for all of them -----------------------------------------------------------------


def label_rule(site: Site, remembered: SessionData) -> LabelRule:
    """What becomes of mail with several labels."""
    return remembered.labels or site.settings.labels


def sync_flags(site: Site, remembered: SessionData) -> bool:
    """Whether flags that changed since an earlier import are brought over."""
    return site.settings.sync_flags if remembered.sync_flags is None else remembered.sync_flags


def _with_choices(fields: FormData, before: SessionData) -> SessionData:
    given = text(fields, "labels")
    rule = LabelRule(given) if given in list(LabelRule) else before.labels
    return replace(before, labels=rule, sync_flags=bool(text(fields, "sync_flags")))


def _review_page(
    guest: Guest, remembered: SessionData, status: int = 200, problem: str = "", into: str = ""
) -> Response:
    """What a check found is shown where it was looked at as it would be copied now."""
    site = guest.visitor.site
    rule = label_rule(site, remembered)
    by_right = opened_by_right(guest)
    into = into or (by_right or remembered.default_mailbox.account).key
    looked = {s.account.key for s in remembered.sources if s.facts and looked_so(s.facts, into, rule)}
    return page(
        guest,
        "new_review.html",
        status,
        problem=problem,
        into=into,
        by_right=by_right,
        rule=rule,
        sync_flags=sync_flags(site, remembered),
        looked=looked,
        signs_in=_signs_in_at_ours(site),
    )


# --- What the form says ---------------------------------------------------------------------------


def _account_for(mail_address: str, provider: Provider | None) -> Account:
    """Where this mailbox most likely is."""
    if provider is not None and provider.source_endpoint is not None:
        return Account(mail_address, provider.login_name(mail_address), provider.source_endpoint)
    return Account(mail_address, mail_address, Endpoint(f"imap.{mail_address.rpartition('@')[2].lower()}"))


def _values(account: Account) -> dict[str, str]:
    endpoint = account.endpoint
    return {
        "server": endpoint.host,
        "port": str(endpoint.port),
        "security": endpoint.security.value,
        "login": account.login,
    }


def _source(
    guest: Guest, asked: Account, fields: FormData
) -> tuple[Account | None, Secret | None, dict[str, str]]:
    """The account and password as the form gives them, or what is wrong with its fields."""
    texts, errors = guest.visitor.texts, {}
    host, secret = None, None
    name = text(fields, "server").strip()
    try:
        given = read_server(f"{name}:{IMAPS_PORT}" if name and ":" not in name else name)
        host = given.endpoint.host if given.endpoint is not None else asked.endpoint.host
    except Refused as refused:
        errors["server"] = cell_problem(texts, refused)
    try:
        secret = password(text(fields, "password"))
    except Refused as refused:
        errors["password"] = cell_problem(texts, refused)
    security = Security.STARTTLS if text(fields, "security") == "starttls" else Security.TLS
    standard = IMAPS_PORT if security is Security.TLS else IMAP_PORT
    port = text(fields, "port").strip() or str(standard)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        errors["port"] = texts.gettext("The port must be a number from 1 to 65535, usually 993.")
    login = text(fields, "login").strip() or asked.address
    if any(ord(c) < 32 or ord(c) == 127 for c in login) or len(login) > 320:
        errors["login"] = texts.gettext("This is not a valid user name.")
    if errors or host is None:
        return None, secret, errors
    return Account(asked.address, login, Endpoint(host, int(port), security)), secret, errors


def _mailbox_page(
    guest: Guest, account: Account, status: int, values: dict[str, str], errors: dict[str, str]
) -> Response:
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
        open_settings=bool(errors.keys() & {"server", "port", "login"}) or ("form" in errors and not known),
    )


def _source_problem(guest: Guest, error: MailError | RateLimited, account: Account) -> str:
    if isinstance(error, LoginRejected):
        return mail_problem(guest.visitor.texts, error, account.endpoint.host)
    return login_problem(guest.visitor, error, account.endpoint.host)
