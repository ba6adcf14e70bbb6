"""The first step of a new import: the address of the old mailbox, and its mail server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused, address
from importer.domain.model import Account
from importer.i18n.row_problem_texts import refused_text
from importer.service.access.rate_limits import RateLimited
from importer.service.access.session_data import SessionData
from importer.web.error_texts import rate_limited
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, Guest, SignedIn, Site, field_text
from importer.web.typed_text import GO_ON, forget_typed, typed_text
from providers.endpoint import Endpoint
from providers.provider import Provider

_NO_ERRORS: Final[Mapping[str, str]] = MappingProxyType({})

router: Final = APIRouter(prefix="/new")


@router.get("")
def address_form(request: Request, guest: SignedIn) -> Response:
    """The form: empty, with text typed before a sign-in, or with the address being set up."""
    site = guest.visitor.site
    typed = typed_text(request, site, "/new")
    if typed.get(GO_ON):
        return forget_typed(_found_source(guest, typed["address"], ""), site)
    pending = guest.session_data.pending_source
    entered = typed.get("address") or typed_text(request, site, "/new/start").get("source")
    entered = entered or (pending.address if pending is not None else "")
    return address_page(guest, entered)


@router.post("")
def submit_address(guest: SignedIn, fields: Fields) -> Response:
    """Look for the mail server of the old address. With the field `unknown`, the reader enters it."""
    return _found_source(guest, field_text(fields, "address"), field_text(fields, "unknown"))


def _found_source(guest: Guest, entered: str, known_as_unknown: str) -> Response:
    """Go on to the password form. If no server is found, the page reports that before it asks for a password,
    because the address may be misspelt; not if it is `known_as_unknown`."""
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
            source = likely_account(guest, mail_address, provider)
            guest.update_session(partial(with_pending_source, source))
            return redirect("/new/mailbox")
        if unknown:
            errors = {"address": _server_not_found(guest, domain)}
    except Refused as refused:
        errors = {"address": refused_text(guest.visitor.texts, refused)}
    except RateLimited as error:
        errors = {"address": rate_limited(guest.visitor.texts, error)}
    return address_page(guest, entered, errors, provider, unknown)


def address_page(
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
    """Whether one of the person's new mailboxes is in that domain. Its host is that of these pages."""
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


def with_pending_source(source: Account, before: SessionData) -> SessionData:
    """The first source starts a new draft and discards the choices of an earlier one."""
    return replace(before if before.sources else before.without_draft(), pending_source=source)


def likely_account(guest: Guest, mail_address: str, provider: Provider | None) -> Account:
    """The account at the provider, at the host of these pages for a domain of its own, or else a guess: host
    `imap.DOMAIN`. Without a provider, the login is the address."""
    if provider is not None and provider.source_endpoint is not None:
        return Account(mail_address, provider.login_name(mail_address), provider.source_endpoint)
    domain = mail_address.rpartition("@")[2].lower()
    own = _is_own_domain(guest, domain)
    return Account(
        mail_address, mail_address, guest.visitor.site.destination if own else Endpoint(f"imap.{domain}")
    )
