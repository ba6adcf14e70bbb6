"""The sign-in of the old mailbox's owner at its provider: immediately on this page, or by a link."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused, address
from importer.domain.model import Account, Import
from importer.i18n.row_problem_texts import refused_text
from importer.service.access.draft_sign_in import begin
from importer.service.access.rate_limits import RateLimited
from importer.service.access.session_data import VerifiedMailbox
from importer.web.error_texts import rate_limited
from importer.web.pages.old_address import address_page, with_pending_source
from importer.web.pages.old_mailbox import (
    account_fields,
    mailbox_page,
    pending_source,
    rerun_of_form,
    sign_in_host,
    with_verified_source,
)
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, Guest, SignedIn, field_text
from providers.provider import Quirk

router: Final = APIRouter(prefix="/new")


@router.post("/sign-in")
def start_sign_in(guest: SignedIn, fields: Fields) -> Response:
    """Forward to the provider of the old mailbox; `provider_callback.py` handles its answer. The form is the
    address form or the password form."""
    entered = field_text(fields, "address")
    try:
        address(entered)
    except Refused as refused:
        return address_page(guest, entered, {"address": refused_text(guest.visitor.texts, refused)})
    account, rerun = _account_to_sign_in(guest, fields), rerun_of_form(guest, fields)
    if rerun is None:
        guest.update_session(partial(with_pending_source, account))
    return forward_to_provider(guest, account, rerun)


def forward_to_provider(
    guest: Guest,
    account: Account,
    rerun: Import | None,
    *,
    starts: bool = False,
    failed_only: bool = False,
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
            guest.visitor.site.deps,
            guest.session,
            account,
            host.sign_in or "",
            again,
            starts=starts,
            failed_only=failed_only,
        )
    except RateLimited as error:
        errors = {"sign_in": rate_limited(guest.visitor.texts, error)}
        return mailbox_page(guest, account, 429, account_fields(account), errors, again=again)
    return page(guest, "going_on.html", kind="consent", url=question.url)


def _account_to_sign_in(guest: Guest, fields: FormData) -> Account:
    """The account that the page of the form showed, at the host that the page named if that host has a
    sign-in. Its tokens are sent to no other host."""
    account = pending_source(guest, fields)
    host = guest.visitor.site.catalog.for_host(field_text(fields, "server"))
    if host is None or host.source_endpoint is None or account.endpoint.host in host.hosts:
        return account
    return replace(account, endpoint=host.source_endpoint)


@router.post("/consent")
def choose_consent(guest: SignedIn, fields: Fields) -> Response:
    """Add the source without a password: its owner, another person, gets a link. See `consent_page.py`."""
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
