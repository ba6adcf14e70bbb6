"""The sign-in of a new mailbox at its provider before an import starts. A page with both mailboxes
follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response

from importer.service.access.draft_sign_in import begin
from importer.service.access.rate_limits import RateLimited
from importer.service.access.session_data import SessionData, VerifiedMailbox
from importer.service.access.session_sign_ins import PendingSignIn
from importer.web.pages.sign_in_result import Retry, failure
from importer.web.rendering import page, redirect
from importer.web.request_context import (
    Fields,
    Guest,
    SignedIn,
    destination_sign_in,
    field_text,
    find_destination,
)
from providers.errors import Side

router: Final = APIRouter(prefix="/new/destination")


@router.post("/sign-in")
def start_sign_in(guest: SignedIn, fields: Fields) -> Response:
    """Forward to the provider of the destination that the form names."""
    mailbox = find_destination(guest, field_text(fields, "destination"))
    return redirect("/new/review") if mailbox is None else forward_destination(guest, mailbox)


def forward_destination(
    guest: Guest, mailbox: VerifiedMailbox, again: str = "", *, failed_only: bool = False
) -> Response:
    """A page that forwards to the provider at which the owner of the destination signs in. `again` is the id
    of the import whose page the browser returns to; "" for the review of a new import."""
    provider = destination_sign_in(guest.visitor.site)
    if not provider:
        return redirect("/new/review")
    account = mailbox.account
    try:
        question = begin(
            guest.visitor.site.deps,
            guest.session,
            account,
            provider,
            again,
            failed_only=failed_only,
            side=Side.DESTINATION,
        )
    except RateLimited as error:
        return failure(guest, error, retry=retry_of(account.key, again, failed_only=failed_only))
    guest.visitor.audit.forwarded = True
    return page(guest, "going_on.html", kind="consent", url=question.url)


def retry_of(key: str, again: str, *, failed_only: bool) -> Retry:
    """The form that restarts the sign-in of the destination with that Account.key."""
    if again:
        return Retry(f"/imports/{again}/again/destination", only_failed(failed_only))
    return Retry("/new/destination/sign-in", {"destination": key})


def only_failed(wanted: bool) -> dict[str, str]:
    """The form field that limits a rerun to failed messages."""
    return {"only": "failed"} if wanted else {}


def page_after(pending: PendingSignIn) -> str:
    """The page after the owner of the destination has signed in."""
    if pending.again:
        return "?".join(
            filter(None, (f"/imports/{pending.again}/again", urlencode(only_failed(pending.failed_only))))
        )
    return f"/new/review?{urlencode({'into': pending.account.key})}"


def with_opened_destination(opened: VerifiedMailbox, before: SessionData) -> SessionData:
    """The session with this destination open. The destination gives the session no further rights."""
    known = before.mailbox(opened.account.key)
    gives_rights = known is not None and known.gives_rights
    return before.with_destination(replace(opened, gives_rights=gives_rights))
