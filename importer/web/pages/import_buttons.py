"""Actions on an import: run again, pause, resume, cancel, remind its owner, undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.responses import Response

from importer.domain.model import Import, ImportId
from importer.service.access.batch_rights import destination_credential
from importer.service.access.draft_sign_in import give_back
from importer.service.access.owner_reminders import NotReminded, remind
from importer.service.access.rate_limits import RateLimited
from importer.service.deps import Deps
from importer.service.imports.control import Changed, cancel, pause, resume
from importer.service.imports.finish import report_of
from importer.service.imports.undo_import import UndoRefused, undo_credential
from importer.web.error_texts import rate_limited
from importer.web.pages.import_pages import import_page
from importer.web.pages.own_imports import batch_or_404, import_or_404
from importer.web.rendering import redirect
from importer.web.request_context import Fields, Guest, SignedIn, field_text, guest_batch_right
from providers.errors import Side

router: Final = APIRouter()


@router.post("/imports/{import_id}/again")
def run_again(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    """Redirect to the password form for the same source: its password was deleted when the import ended."""
    import_ = import_or_404(guest, import_id)
    dropped = guest.session_data.sources
    guest.update_session(lambda before: before.with_rerun(import_))
    response = redirect("/new/mailbox")
    response.background = BackgroundTask(give_back, guest.visitor.site.deps, dropped)
    return response


@router.post("/imports/{import_id}/pause")
def pause_import(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, pause)


@router.post("/imports/{import_id}/resume")
def resume_import(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, resume)


@router.post("/imports/{import_id}/cancel")
def cancel_import(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    return _request(guest, import_id, cancel)


@router.post("/imports/{import_id}/remind")
def remind_owner(guest: SignedIn, fields: Fields, import_id: str) -> Response:
    """Send the owner of a mailbox one more invitation, now."""
    import_ = import_or_404(guest, import_id)
    batch, _ = batch_or_404(guest, import_.batch_id or "")
    try:
        side = Side(field_text(fields, "side"))
        remind(guest.visitor.site.deps, batch, import_, side, guest.session.person)
    except RateLimited as error:
        return _not_done(guest, import_, rate_limited(guest.visitor.texts, error))
    except (NotReminded, ValueError):
        text = guest.visitor.texts.gettext("No reminder can be sent for this mailbox any more.")
        return _not_done(guest, import_, text)
    back = field_text(fields, "back")
    return redirect(f"/batches/{batch.id}" if back == "batch" else f"/imports/{import_.id}")


@router.post("/imports/{import_id}/undo")
def undo_import(guest: SignedIn, _fields: Fields, import_id: str) -> Response:
    """Needs the batch right, or the password of the new mailbox. The session holds that password if it
    verified the login."""
    site = guest.visitor.site
    import_ = import_or_404(guest, import_id)
    mailbox = guest.session_data.mailbox(import_.destination.key)
    password, right = mailbox.password if mailbox else None, guest_batch_right(guest)
    if password is None and not right.covers(import_.destination):
        try:
            undo_credential(site.deps, import_, site.catalog.for_host(import_.destination.endpoint.host))
        except UndoRefused as refused:
            site.undo_jobs.refuse(import_, refused)
            return redirect(f"/imports/{import_.id}")
        return redirect("/mailboxes")
    credential = destination_credential(site.deps, right, import_.destination, password)
    site.undo_jobs.start(site.deps, import_, credential, guest.session.person)
    return redirect(f"/imports/{import_.id}")


def _request(guest: Guest, import_id: str, request: Callable[[Deps, ImportId], Changed]) -> Response:
    """Make a control request; its effect is visible on the page of the batch."""
    import_ = import_or_404(guest, import_id)
    request(guest.visitor.site.deps, import_.id)
    return redirect(f"/batches/{import_.batch_id}")


def _not_done(guest: Guest, import_: Import, problem: str) -> Response:
    return import_page(guest, report_of(guest.visitor.site.deps, import_), problem, 429)
