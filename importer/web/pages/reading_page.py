"""Jobs that read both mailboxes of an import again: a verification, and the trace of one message."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused, password
from importer.domain.model import Account, Import
from importer.domain.reporting.formatting import printable
from importer.i18n.code_texts import render_with_advice
from importer.i18n.message_trace_texts import trace_text
from importer.i18n.row_problem_texts import refused_text
from importer.i18n.translations import CatalogTranslator
from importer.i18n.verification_texts import compared_text, count_texts
from importer.service.access.batch_rights import destination_credential
from importer.service.access.login_attempts import LoginOrigin
from importer.service.access.rate_limits import RateLimited
from importer.service.access.sealed_grants import Credentials
from importer.service.access.stored_credentials import stored_credentials
from importer.service.access.web_sessions import verify_login
from importer.service.imports.trace_message import trace_in_both
from importer.service.imports.verify_import import verify
from importer.web.audit_middleware import note_login
from importer.web.error_texts import rate_limited
from importer.web.pages.home import login_origin, login_problem
from importer.web.pages.old_mailbox import source_problem
from importer.web.pages.own_imports import import_or_404
from importer.web.reading_jobs import Reading, ReadingKind, ReadsMailboxes
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, Guest, SignedIn, field_text, guest_batch_right
from providers.endpoint import Secret
from providers.errors import MailError, Side
from providers.grants import Credential

SAMPLE: Final = 100
SHOWN: Final = 50
MAX_MESSAGE_ID_CHARS: Final = 998
"""A line of a header (RFC 5322 section 2.1.1)."""

router: Final = APIRouter(prefix="/imports/{import_id}/verify")


@router.get("")
def reading_page(guest: SignedIn, import_id: str) -> Response:
    return _page(guest, import_or_404(guest, import_id))


@router.post("")
def start_verification(request: Request, guest: SignedIn, fields: Fields, import_id: str) -> Response:
    """Compare a sample, or with `full` every message."""
    import_ = import_or_404(guest, import_id)
    sample = None if field_text(fields, "full") else SAMPLE
    return _start(request, guest, fields, import_, ReadingKind.VERIFICATION, sample=sample)


@router.post("/message")
def find_message(request: Request, guest: SignedIn, fields: Fields, import_id: str) -> Response:
    import_ = import_or_404(guest, import_id)
    message_id = field_text(fields, "message_id").strip()
    if not message_id or len(message_id) > MAX_MESSAGE_ID_CHARS:
        errors = {"message_id": guest.visitor.texts.gettext("Enter the Message-ID of one message.")}
        return _page(guest, import_, 422, errors)
    return _start(request, guest, fields, import_, ReadingKind.TRACE, message_id=message_id)


def _start(
    request: Request,
    guest: Guest,
    fields: FormData,
    import_: Import,
    kind: ReadingKind,
    *,
    sample: int | None = None,
    message_id: str = "",
) -> Response:
    """Open both mailboxes with the passwords of the form, and start the job."""
    deps = guest.visitor.site.deps
    credentials, errors = _credentials(request, guest, fields, import_)
    if credentials is None:
        return _page(guest, import_, 422, errors, {"message_id": message_id})
    read: ReadsMailboxes = partial(trace_in_both, deps, import_, message_id, credentials)
    if kind is ReadingKind.VERIFICATION:
        read = partial(verify, deps, import_, credentials, sample=sample)
    try:
        guest.visitor.site.reading_jobs.start(deps, import_.id, kind, read, guest.session.person, message_id)
    except RateLimited as error:
        return _page(guest, import_, 429, {"form": rate_limited(guest.visitor.texts, error)})
    return redirect(f"/imports/{import_.id}/verify")


def _credentials(
    request: Request, guest: Guest, fields: FormData, import_: Import
) -> tuple[Credentials | None, dict[str, str]]:
    """The credentials, or the errors by field. Each entered password is tried at its host first."""
    stored = stored_credentials(guest.visitor.site.deps, import_)
    if stored is not None:
        return stored, {}
    errors: dict[str, str] = {}
    opened: dict[Side, Credential] = {}
    if (known := _known_destination(guest, import_)) is not None:
        opened[Side.DESTINATION] = known
    for side in Side:
        if side in opened:
            continue
        name, account = f"{side.value}_password", import_.account(side)
        try:
            secret = password(field_text(fields, name))
        except Refused as refused:
            errors[name] = refused_text(guest.visitor.texts, refused)
            continue
        if problem := _tried(request, guest, account, secret, side):
            errors[name] = problem
        opened[side] = secret
    if errors:
        return None, errors
    return Credentials(opened[Side.SOURCE], opened[Side.DESTINATION]), {}


def _known_destination(guest: Guest, import_: Import) -> Credential | None:
    """The credential of a destination that this session holds or the administrator's right covers."""
    mailbox = guest.session_data.mailbox(import_.destination.key)
    if mailbox is not None and mailbox.password is not None:
        return mailbox.password
    right = guest_batch_right(guest)
    if right.covers(import_.destination):
        return destination_credential(guest.visitor.site.deps, right, import_.destination, None)
    return None


def _tried(request: Request, guest: Guest, account: Account, secret: Secret, side: Side) -> str:
    """Why the password does not open the mailbox; "" if it does."""
    visitor = guest.visitor
    origin = LoginOrigin(visitor.client, guest.session.person)
    if side is Side.DESTINATION:
        origin = login_origin(request, visitor, account)
    try:
        with visitor.site.shares.waiting.slot(guest.session.person):
            verify_login(visitor.site.deps, account, secret, side, origin)
    except (MailError, RateLimited) as error:
        note_login(visitor.audit, account, error)
        if side is Side.SOURCE:
            return source_problem(guest, error, account)
        return login_problem(visitor, error, account.endpoint.host)
    return ""


def _page(
    guest: Guest,
    import_: Import,
    status: int = 200,
    errors: dict[str, str] | None = None,
    values: dict[str, str] | None = None,
) -> Response:
    site, texts = guest.visitor.site, guest.visitor.texts
    readings = {kind.value: site.reading_jobs.latest(import_.id, kind) for kind in ReadingKind}
    return page(
        guest,
        "verify.html",
        status,
        import_=import_,
        readings=readings,
        failures={name: _failure(texts, reading) for name, reading in readings.items()},
        running=any(reading is not None and reading.running for reading in readings.values()),
        counts=partial(count_texts, texts),
        compared=partial(compared_text, texts),
        traced=partial(trace_text, texts),
        shown=SHOWN,
        sample=SAMPLE,
        source_needed=stored_credentials(site.deps, import_) is None,
        destination_needed=_known_destination(guest, import_) is None,
        errors=errors or {},
        values=values or {},
    )


def _failure(texts: CatalogTranslator, reading: Reading | None) -> str:
    if reading is None or reading.failure is None:
        return ""
    return printable(render_with_advice(reading.failure, texts, reading.side), 600)
