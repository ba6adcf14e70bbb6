"""Run an ended import again, on one page. Its passwords were erased; everything else is unchanged.

Options, servers, destination, recipients and language are the earlier import's. To change something, a person
uses the form of a new import (`run_again` in `import_buttons.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.audit_event import AuditAction
from importer.domain.csv_import.csv_cells import Refused, password
from importer.domain.csv_import.import_rows import Row
from importer.domain.import_state import ENDED
from importer.domain.model import Account, Import
from importer.i18n.code_texts import render_with_advice
from importer.i18n.row_problem_texts import refused_text
from importer.service.access.login_attempts import LoginOrigin
from importer.service.access.rate_limits import RateLimited, consume_rows
from importer.service.access.session_data import VerifiedMailbox
from importer.service.access.web_sessions import (
    attach_mailbox,
    find_session,
    read_session_data,
    verify_login,
)
from importer.service.imports.retry_failed import RetryRefused, has_failed, require_failed
from importer.service.imports.submit import RowOutcome, resubmit
from importer.web.audit_middleware import note_login
from importer.web.cookies import set_session_token
from importer.web.error_texts import rate_limited
from importer.web.live_progress import Snapshot
from importer.web.pages.destination_sign_in import forward_destination
from importer.web.pages.home import login_origin, login_problem
from importer.web.pages.old_mailbox import OWN_SIGN_IN, sign_in_host, source_problem
from importer.web.pages.own_imports import PageNotFound, import_or_404
from importer.web.pages.source_sign_in import forward_to_provider
from importer.web.rendering import page, redirect
from importer.web.request_context import (
    Fields,
    Guest,
    SignedIn,
    destination_sign_in,
    field_text,
    guest_actor,
    guest_batch_right,
)
from importer.web.view_models import import_view
from providers.endpoint import Secret
from providers.errors import MailError, Side
from providers.grants import OAuthGrant
from providers.provider import LoginKind, PasswordKind

router: Final = APIRouter(prefix="/imports/{import_id}/again")
ONLY_FAILED: Final = "failed"
"""The value of the parameter or the field `only` that limits the rerun to failed messages."""


@dataclass(frozen=True, slots=True)
class _Destination:
    """How the destination of the earlier import opens now. `is_open`: in this session, by right or, if its
    owner does not sign in first, by a link after the start (`sign_in`); otherwise the page asks for its
    password. `is_elsewhere`: these pages cannot open it."""

    password: Secret | None = None
    grant: OAuthGrant | None = None
    sign_in: str = ""
    is_open: bool = False
    is_elsewhere: bool = False


@router.get("")
def way_on_page(guest: SignedIn, import_id: str, only: str = "") -> Response:
    import_ = import_or_404(guest, import_id)
    if import_.state not in ENDED:
        return redirect(f"/imports/{import_.id}")
    failed_only = only == ONLY_FAILED and has_failed(guest.visitor.site.deps, import_)
    return _page(guest, import_, failed_only=failed_only)


@router.post("/start")
def start_with_password(request: Request, guest: SignedIn, fields: Fields, import_id: str) -> Response:
    """Verify the passwords of the page, and start."""
    import_ = import_or_404(guest, import_id)
    opened = _open_destination(request, guest, import_, fields)
    guest, errors, failed_only = opened.guest, opened.errors, _is_failed_only(fields)
    secret = None
    try:
        secret = password(field_text(fields, "password"))
    except Refused as refused:
        errors["password"] = refused_text(guest.visitor.texts, refused)
    if secret is not None and not errors:
        errors = _tried(guest, import_.source, secret)
    if secret is None or errors:
        response = _page(guest, import_, 422, errors, failed_only=failed_only)
    else:
        response = start_again(guest, import_, secret, failed_only=failed_only)
    return opened.with_token(response)


@router.post("/sign-in")
def start_sign_in(request: Request, guest: SignedIn, fields: Fields, import_id: str) -> Response:
    """Forward to the provider; its answer starts the import (`provider_callback.py`)."""
    import_ = import_or_404(guest, import_id)
    opened = _open_destination(request, guest, import_, fields)
    guest, failed_only = opened.guest, _is_failed_only(fields)
    if opened.errors:
        errors = {f"sign_in_{name}": text for name, text in opened.errors.items()}
        response = _page(guest, import_, 422, errors, failed_only=failed_only)
    else:
        response = forward_to_provider(guest, import_.source, import_, starts=True, failed_only=failed_only)
    return opened.with_token(response)


@router.post("/destination")
def sign_in_destination(guest: SignedIn, fields: Fields, import_id: str) -> Response:
    """Forward to the provider of the new mailbox, which returns to this page."""
    import_ = import_or_404(guest, import_id)
    if not _destination(guest, import_).sign_in:
        return redirect(f"/imports/{import_.id}/again")
    mailbox = VerifiedMailbox(import_.destination, None)
    return forward_destination(guest, mailbox, import_.id, failed_only=_is_failed_only(fields))


def _is_failed_only(fields: FormData) -> bool:
    return field_text(fields, "only") == ONLY_FAILED


def start_again(
    guest: Guest,
    import_: Import,
    source_password: Secret | None,
    source_grant: OAuthGrant | None = None,
    *,
    failed_only: bool = False,
) -> Response:
    """Start the import again, and redirect to it. The caller has verified the password or the grant."""
    destination = _destination(guest, import_)
    if destination.is_elsewhere or not destination.is_open:
        return redirect(f"/imports/{import_.id}/again")
    deps, visitor = guest.visitor.site.deps, guest.visitor
    if failed_only:
        try:
            require_failed(deps, import_)
        except RetryRefused as refused:
            return _page(guest, import_, 409, {"form": render_with_advice(refused.text, visitor.texts)})
    row = Row(
        0,
        import_.source,
        source_password,
        import_.destination,
        destination.password,
        destination_sign_in=destination.sign_in,
        source_grant=source_grant,
        destination_grant=destination.grant,
    )
    entered = [(row.source, source_password), (row.destination, destination.password)]
    verified = {(account.key, secret) for account, secret in entered if secret is not None}
    try:
        consume_rows(deps, [row], client=visitor.client, person=guest.session.person, verified=verified)
    except RateLimited as error:
        errors = {"form": rate_limited(visitor.texts, error)}
        return _page(guest, import_, 429, errors, failed_only=failed_only)
    submitted = resubmit(
        deps,
        replace(guest_actor(guest, ""), language=""),
        import_,
        source_password,
        destination.password,
        destination_sign_in=destination.sign_in,
        source_grant=source_grant,
        destination_grant=destination.grant,
        failed_only=failed_only,
    )
    guest.update_session(lambda before: before.without_grant(import_.destination.key))
    visitor.audit.action, visitor.audit.targets = AuditAction.IMPORT_START, [submitted.import_.id]
    if submitted.outcome is RowOutcome.STARTED:
        return redirect(f"/batches/{submitted.import_.batch_id}")
    return redirect(f"/imports/{submitted.import_.id}")


def _page(
    guest: Guest,
    import_: Import,
    status: int = 200,
    errors: dict[str, str] | None = None,
    *,
    failed_only: bool = False,
) -> Response:
    site = guest.visitor.site
    provider = site.catalog.for_address(import_.source.address)
    provider = provider or site.catalog.for_host(import_.source.endpoint.host)
    own_login = import_.source.login.lower() == import_.source.address.lower()
    steps = provider.steps_for(LoginKind.PASSWORD) if provider is not None else ()
    return page(
        guest,
        "way_on.html",
        status,
        one=import_view(
            guest.visitor.texts,
            Snapshot(import_),
            site.deps.clock.now(),
            any_failed=has_failed(site.deps, import_),
        ),
        destination=_destination(guest, import_),
        new_host=site.catalog.for_host(import_.destination.endpoint.host),
        provider=provider,
        asks=own_login and sign_in_host(guest, import_.source) is not None,
        takes_password=provider is None or provider.password is not PasswordKind.NONE,
        app_password=provider is not None and provider.password is PasswordKind.APP,
        steps=[step for step in steps if step.id != OWN_SIGN_IN],
        errors=errors or {},
        failed_only=failed_only,
    )


def _destination(guest: Guest, import_: Import) -> _Destination:
    site, account = guest.visitor.site, import_.destination
    if account.endpoint != site.destination:
        return _Destination(is_elsewhere=True)
    mailbox = guest.session_data.mailbox(account.key)
    if mailbox is not None and mailbox.is_open:
        grant = mailbox.signed_in.grant if mailbox.signed_in is not None else None
        return _Destination(mailbox.password, grant, is_open=True)
    if guest_batch_right(guest).covers(account):
        return _Destination(is_open=True)
    sign_in = destination_sign_in(site)
    return _Destination(sign_in=sign_in, is_open=bool(sign_in))


@dataclass(frozen=True, slots=True)
class _Opened:
    """The guest after the destination's password was verified. A new session with the new `token` holds the
    password; if none was required, the guest is unchanged."""

    guest: Guest
    token: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    def with_token(self, response: Response) -> Response:
        if self.token:
            set_session_token(response, self.guest.visitor.site, self.token)
        return response


def _open_destination(request: Request, guest: Guest, import_: Import, fields: FormData) -> _Opened:
    visitor, deps, account = guest.visitor, guest.visitor.site.deps, import_.destination
    destination = _destination(guest, import_)
    if destination.is_open or destination.is_elsewhere:
        return _Opened(guest)
    try:
        secret = password(field_text(fields, "destination_password"))
        with visitor.site.shares.waiting.slot(guest.session.person):
            origin = login_origin(request, visitor, account)
            token = attach_mailbox(deps, guest.session, account, secret, origin)
    except Refused as refused:
        return _Opened(guest, errors={"destination_password": refused_text(visitor.texts, refused)})
    except (MailError, RateLimited) as error:
        visitor.audit.action = AuditAction.MAILBOX_OPEN
        note_login(visitor.audit, account, error)
        text = login_problem(visitor, error, account.endpoint.host)
        return _Opened(guest, errors={"destination_password": text})
    session = find_session(deps, token)
    if session is None:
        raise PageNotFound
    visitor = replace(visitor, token=token, session=session)
    return _Opened(Guest(visitor, session, read_session_data(deps, session)), token)


def _tried(guest: Guest, source: Account, secret: Secret) -> dict[str, str]:
    """Try the password of the old mailbox; return errors by field."""
    visitor = guest.visitor
    try:
        with visitor.site.shares.waiting.slot(guest.session.person):
            origin = LoginOrigin(visitor.client, guest.session.person)
            verify_login(visitor.site.deps, source, secret, Side.SOURCE, origin)
    except (MailError, RateLimited) as error:
        visitor.audit.action = AuditAction.MAILBOX_OPEN
        note_login(visitor.audit, source, error)
        return {"password": source_problem(guest, error, source)}
    return {}
