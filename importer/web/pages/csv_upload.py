"""Import many mailboxes from a CSV file: template, upload, preview and start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from importer.domain.csv_import.csv_files import annotate, template
from importer.domain.csv_import.csv_reader import (
    DESTINATION_SERVER,
    NOT_TEXT,
    PASSWORD_COLUMNS,
    PROBLEM_COLUMN,
    Record,
    RowProblem,
    Sheet,
    is_text_file,
)
from importer.domain.csv_import.import_rows import BATCH_BYTES, BATCH_ROWS, PROBLEMS_SHOWN, Parsed
from importer.domain.csv_import.row_parser import parse
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.import_options import FREE_TEXT
from importer.domain.reporting.formatting import printable
from importer.i18n.row_problem_texts import cell_problem_text, row_problem_text
from importer.service.access.rate_limits import RateLimited
from importer.service.access.sealed_grants import sign_in_method
from importer.service.access.web_sessions import public_only_account
from importer.service.imports.submit import RowOutcome, submit
from importer.web.error_texts import rate_limited
from importer.web.pages.new_import import count_starts
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, Guest, SignedIn, field_text, guest_actor, guest_batch_right
from importer.web.shown_state import PageOutdated, file_shown, fingerprint, is_current
from providers.provider import Quirk
from providers.text import Text

_VALID_CELL_RULES: Final = frozenset(
    {
        "provider_unavailable",
        "batch_right_missing",
        "master_elsewhere",
        "master_address",
        "duplicate_row",
        "same_mailbox",
        "server_unknown",
        "destination_elsewhere",
    }
)
"""Rules whose problems concern valid cells, which can be shown. A cell with any other problem is hidden: it
may be a password in the wrong column."""

router: Final = APIRouter(prefix="/file")


@dataclass(frozen=True, slots=True)
class PreviewCell:
    """One cell of the preview.

    `text` is "" for hidden cells such as passwords; `filled` is True if the file contains a value. For a
    missing password, `consent_needed` means that the owner signs in at their host, and `by_right` that the
    batch right covers the mailbox.
    """

    column: str
    text: str
    filled: bool
    problems: tuple[str, ...]
    consent_needed: bool = False
    by_right: bool = False


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row of the preview; `problems` are those of the row as a whole."""

    number: int
    cells: tuple[PreviewCell, ...]
    problems: tuple[str, ...]


@router.get("")
def upload_form(guest: SignedIn) -> Response:
    return _upload_page(guest)


@router.get("/template.csv")
def download_template(_guest: SignedIn) -> Response:
    return _csv(template(), "mailhaul.csv")


@router.post("")
async def upload(guest: SignedIn, fields: Fields) -> Response:
    file, pasted = fields.get("file"), field_text(fields, "rows")
    name, content = "", pasted.encode("utf-8", "surrogatepass")
    if isinstance(file, UploadFile) and file.filename:
        name, content = printable(file.filename, 80), await file.read(BATCH_BYTES + 1)
    if not content.strip():
        problem = guest.visitor.texts.gettext("Choose a file, or paste its rows.")
        return await run_in_threadpool(_upload_page, guest, problem)
    if name and not is_text_file(name, content):
        problem = cell_problem_text(guest.visitor.texts, NOT_TEXT.text)
        return await run_in_threadpool(_upload_page, guest, problem)
    if len(content) > BATCH_BYTES:
        problem = guest.visitor.texts.gettext("The file is too large. 25 rows easily fit into 64 kB.")
        return await run_in_threadpool(_upload_page, guest, problem)
    await run_in_threadpool(
        guest.update_session, lambda before: replace(before, file_name=name, file=content)
    )
    return redirect("/file/preview")


@router.get("/preview")
def preview(guest: SignedIn) -> Response:
    if not guest.session_data.file:
        return redirect("/file")
    try:
        parsed, problems = _parsed(guest)
    except RateLimited as error:
        return _upload_page(guest, rate_limited(guest.visitor.texts, error))
    return _preview_page(guest, parsed, problems)


def _preview_page(
    guest: Guest, parsed: Parsed, problems: Sequence[RowProblem], *, outdated: bool = False
) -> Response:
    """The preview of the session's file. `outdated` says that the reader started another one."""
    shown = problems[:PROBLEMS_SHOWN]
    records = parsed.sheet.records[:BATCH_ROWS]
    lines = {record.line for record in records}
    return page(
        guest,
        "preview.html",
        409 if outdated else 200,
        name=guest.session_data.file_name,
        columns=_columns(parsed.sheet),
        lines=_preview_rows(guest, parsed, records, problems),
        right=guest_batch_right(guest),
        invites=guest_batch_right(guest).any or guest.visitor.site.deps.invites_everyone,
        general=[
            printable(row_problem_text(guest.visitor.texts, p), 400) for p in shown if p.line not in lines
        ],
        problem_count=len(problems),
        problems_more=len(problems) - len(shown),
        row_count=parsed.row_count,
        rules=_rules(guest, parsed),
        shown=fingerprint(guest, file_shown(guest.session_data)),
        outdated=outdated,
    )


@router.get("/annotated.csv")
def download_annotated(guest: SignedIn) -> Response:
    if not guest.session_data.file:
        return redirect("/file")
    try:
        parsed, problems = _parsed(guest)
    except RateLimited as error:
        return _upload_page(guest, rate_limited(guest.visitor.texts, error))
    content = annotate(replace(parsed, problems=problems), partial(row_problem_text, guest.visitor.texts))
    return _csv(content, "mailhaul-problems.csv")


@router.post("/start")
def start_batch(guest: SignedIn, fields: Fields) -> Response:
    session_data = guest.session_data
    if not session_data.file:
        raise PageOutdated
    try:
        parsed, problems = _parsed(guest)
    except RateLimited as error:
        return _upload_page(guest, rate_limited(guest.visitor.texts, error))
    if problems:
        return redirect("/file/preview")
    if not is_current(guest, fields, file_shown(session_data)):
        return _preview_page(guest, parsed, problems, outdated=True)
    rows = [replace(row, source=public_only_account(row.source)) for row in parsed.rows]
    try:
        count_starts(guest, rows)
    except RateLimited as error:
        return _upload_page(guest, rate_limited(guest.visitor.texts, error))
    submission = submit(
        guest.visitor.site.deps,
        guest_actor(guest, session_data.mailboxes[0].account.address),
        rows,
        options=guest.visitor.site.settings.import_options,
        name=session_data.file_name,
    )
    guest.visitor.audit.targets = [import_.id for import_ in submission.started]
    guest.update_session(lambda before: replace(before, file=b"", file_name=""))
    if submission.batch is None:
        done = sum(row.outcome is RowOutcome.DONE for row in submission.rows)
        return page(guest, "nothing_new.html", done=done, under_way=len(submission.rows) - done)
    return redirect(f"/batches/{submission.batch.id}")


def _upload_page(guest: Guest, problem: str = "") -> Response:
    errors = {"file": problem} if problem else {}
    return page(guest, "file.html", 422 if problem else 200, errors=errors, right=guest_batch_right(guest))


# --- The preview ------------------------------------------------------------------------------------


def _parsed(guest: Guest) -> tuple[Parsed, tuple[RowProblem, ...]]:
    """The parsed file and all its problems, including rows whose destination is not at `Site.destination`."""
    site = guest.visitor.site
    parsed = parse(
        guest.session_data.file,
        catalog=guest.lookups,
        destination=site.destination,
        public_only=True,
        # Organisation-wide grants are for the operator only: on the pages, each owner must sign in.
        sign_in=sign_in_method(site.deps.access, organisation=False),
        right=guest_batch_right(guest),
    )
    column = DESTINATION_SERVER if DESTINATION_SERVER in parsed.sheet.columns else "destination_address"
    wrong_destination = (
        RowProblem(row.line, column, Text("destination_elsewhere", host=site.destination.host))
        for row in parsed.rows
        if row.destination.endpoint != site.destination
    )
    problems = sorted((*parsed.problems, *wrong_destination), key=lambda problem: problem.line)
    return parsed, tuple(problems)


def _rules(guest: Guest, parsed: Parsed) -> dict[LabelRule, list[int]]:
    """The label rules of the rows whose source host has labels -> their lines."""
    site = guest.visitor.site
    rules: defaultdict[LabelRule, list[int]] = defaultdict(list)
    for row in parsed.rows:
        provider = site.catalog.for_host(row.source.endpoint.host)
        if provider is not None and Quirk.LABELS in provider.quirks:
            rules[site.settings.import_options.choose(row.choices).labels].append(row.line)
    return dict(rules)


def _columns(sheet: Sheet) -> tuple[str, ...]:
    return tuple(column for column in sheet.columns if column != PROBLEM_COLUMN)


def _preview_rows(
    guest: Guest, parsed: Parsed, records: Sequence[Record], problems: Sequence[RowProblem]
) -> list[PreviewRow]:
    """Those rows as a table. Passwords are hidden, and so are cells that may hold one by mistake: all cells
    of a file that was not read."""
    texts_by_cell: dict[tuple[int, str], list[str]] = defaultdict(list)
    hidden = set()
    for number, problem in enumerate(problems):
        if number < PROBLEMS_SHOWN:
            texts_by_cell[problem.line, problem.column].append(_problem_text(guest, problem))
        if problem.rule not in _VALID_CELL_RULES:
            hidden.add((problem.line, problem.column))
        hidden |= {(problem.line, column) for column in FREE_TEXT}
    consent_needed = {(row.line, "source_password") for row in parsed.rows if row.source_sign_in}
    consent_needed |= {(row.line, "destination_password") for row in parsed.rows if row.destination_sign_in}
    by_master = {row.line for row in parsed.rows if row.by_master}
    not_read = parsed.row_count > BATCH_ROWS
    preview_rows = []
    for record in records:
        cells = tuple(
            PreviewCell(
                column,
                ""
                if not_read or column in PASSWORD_COLUMNS or (record.line, column) in hidden
                else printable(cell, 80),
                bool(cell.strip()),
                tuple(texts_by_cell[record.line, column]),
                consent_needed=(record.line, column) in consent_needed,
                by_right=column == "destination_password" and record.line in by_master,
            )
            for column, cell in (record.cells or {}).items()
            if column != PROBLEM_COLUMN
        )
        preview_rows.append(PreviewRow(record.line, cells, tuple(texts_by_cell[record.line, ""])))
    return preview_rows


def _problem_text(guest: Guest, problem: RowProblem) -> str:
    return printable(cell_problem_text(guest.visitor.texts, problem.text), 400)


def _csv(content: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content.encode("utf-8-sig"), media_type="text/csv", headers=headers)
