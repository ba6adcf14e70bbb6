"""The last step of a new import: the review with the destination and the options, and the start.

The earlier steps are in `old_address.py`, `old_mailbox.py` and `source_sign_in.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.csv_import.csv_cells import Refused
from importer.domain.csv_import.import_rows import Row
from importer.domain.import_options import OPTIONS, Choices, ImportOptions, text_of
from importer.i18n.row_problem_texts import refused_text
from importer.service.access.draft_sign_in import give_back
from importer.service.access.login_attempts import public_only_account
from importer.service.access.rate_limits import RateLimited, consume_rows
from importer.service.access.session_data import SessionData, VerifiedMailbox
from importer.service.imports.submit import RowOutcome, submit
from importer.web.error_texts import rate_limited
from importer.web.pages.destination_sign_in import forward_destination
from importer.web.pages.source_check import applies_to
from importer.web.rendering import page, redirect
from importer.web.request_context import (
    Fields,
    Guest,
    SignedIn,
    Site,
    closed_rerun_destination,
    destination_sign_in,
    field_text,
    find_destination,
    guest_actor,
    rerun_destination_by_right,
)
from importer.web.shown_state import PageOutdated, draft_shown, fingerprint, is_current
from importer.web.typed_text import forget_typed, typed_text

BY_LINK: Final = "link"
_NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})
_ABOUT_LABELS: Final = {name for name, option in OPTIONS.items() if option.needs_labels}

router: Final = APIRouter(prefix="/new")


@router.get("/review")
def review(request: Request, guest: SignedIn, into: str = "") -> Response:
    """Restores options that were chosen before a sign-in. `into` is the `Account.key` of the destination to
    select."""
    session_data, site = guest.session_data, guest.visitor.site
    if not session_data.sources:
        return redirect("/new")
    typed = typed_text(request, site, "/new/start")
    into = into if find_destination(guest, into) is not None else ""
    if not typed:
        return _review_page(guest, session_data, into=into)
    chosen = _typed_choices(typed)
    guest.update_session(partial(_with_choices, chosen))
    return forget_typed(_review_page(guest, _with_choices(chosen, session_data), into=into), site)


def _typed_choices(typed: Mapping[str, str]) -> dict[str, Any]:
    """The options among these fields; none if one of them is invalid."""
    choices: dict[str, Any] = {}
    try:
        for name, option in OPTIONS.items():
            if option.api_type is bool:
                choices[name] = name in typed
            elif name in typed:
                choices[name] = option.parse(typed[name])
    except Refused:
        return {}
    return choices


@router.post("/remove")
def remove_source(guest: SignedIn, fields: Fields) -> Response:
    key = field_text(fields, "key")
    remaining = tuple(source for source in guest.session_data.sources if source.account.key != key)
    guest.update_session(lambda before: replace(before, sources=remaining))
    response = redirect("/new/review" if remaining else "/new")
    dropped = [source for source in guest.session_data.sources if source.account.key == key]
    response.background = BackgroundTask(give_back, guest.visitor.site.deps, dropped)
    return response


@router.post("/start")
def start_imports(guest: SignedIn, fields: Fields) -> Response:
    """Start one import for each source.

    The destination must be attached to the session, or belong to an import that is run again under the batch
    right. If its owner has to sign in at a provider, nothing starts before that sign-in, unless the form
    requests a link for another person (`by`).
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
    opens = by_right or destination.is_open
    sign_in = "" if opens else destination_sign_in(guest.visitor.site)
    if sign_in and field_text(fields, "by") != BY_LINK:
        return forward_destination(guest, destination)
    if not (opens or sign_in):
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
    response = _submit(guest, rows, import_options(guest.visitor.site, choices), submitter.account.address)
    key = destination.account.key
    guest.update_session(lambda before: before.without_draft().without_grant(key))
    return response


def _rows(choices: SessionData, destination: VerifiedMailbox, sign_in: str) -> list[Row]:
    """One row for each source. `sign_in` is the `Row.destination_sign_in`."""
    return [
        Row(
            0,
            public_only_account(source.account),
            source.password,
            destination.account,
            destination.password,
            "" if source.signed_in else source.sign_in,
            sign_in,
            source_grant=source.signed_in.grant if source.signed_in else None,
            destination_grant=destination.signed_in.grant if destination.signed_in else None,
        )
        for source in choices.sources
    ]


def _submit(guest: Guest, rows: Sequence[Row], options: ImportOptions, notify: str) -> Response:
    """Submit the rows. Redirect to their batch, or to one of their imports that is already under way."""
    submission = submit(
        guest.visitor.site.deps, guest_actor(guest, notify), rows, options=options, again=True
    )
    guest.visitor.audit.targets = [import_.id for import_ in submission.started]
    if submission.batch is not None:
        return redirect(f"/batches/{submission.batch.id}")
    under_way = next((row.import_ for row in submission.rows if row.outcome is not RowOutcome.STARTED), None)
    return redirect(f"/imports/{under_way.id}" if under_way is not None else "/imports")


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


# --- Options of all sources -------------------------------------------------------------------------


def import_options(site: Site, session_data: SessionData) -> ImportOptions:
    """The chosen options, with the defaults of the installation for the others."""
    return site.settings.import_options.choose(session_data.choices)


def _with_choices(chosen: Choices, before: SessionData) -> SessionData:
    return replace(before, choices={**before.choices, **chosen})


def _submitted_choices(guest: Guest, fields: FormData) -> tuple[dict[str, Any], dict[str, str]]:
    """The options that the form selects, and the errors of text options. A cleared text selects the default;
    an unknown word is ignored."""
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
    target, by_right = find_destination(guest, into), rerun_destination_by_right(guest)
    opens = target is None or target.is_open or target.account == by_right
    sign_in_host = (
        None if opens or not destination_sign_in(site) else site.catalog.for_host(site.destination.host)
    )
    checked = {s.account.key for s in session_data.sources if s.facts and applies_to(s.facts, into, options)}
    return page(
        guest,
        "new_review.html",
        status,
        problem=problem,
        into=into,
        closed=closed,
        by_right=by_right,
        sign_in_host=sign_in_host,
        by_link=BY_LINK,
        rerun=rerun,
        elsewhere=rerun is not None and find_destination(guest, rerun.destination.key) is None,
        shown=fingerprint(guest, draft_shown(session_data)),
        values={**{name: text_of(getattr(options, name)) for name in OPTIONS}, **entered},
        errors=errors,
        advanced=bool(errors or rerun or options.chosen.keys() - _ABOUT_LABELS),
        checked=checked,
        signs_in=destination_sign_in(site),
    )
