"""Import many mailboxes from a file: template, upload, preview, corrections and start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from importer.domain.csv_import.column_names import DESTINATION_SERVER, PROBLEM_COLUMN, header_line, name_in
from importer.domain.csv_import.corrections import corrected, passwords_from
from importer.domain.csv_import.csv_files import annotate
from importer.domain.csv_import.csv_reader import NOT_TEXT, WORKBOOK_UNREADABLE, max_file_bytes, read
from importer.domain.csv_import.file_text import is_old_workbook, may_hold_rows
from importer.domain.csv_import.import_rows import (
    BATCH_BYTES,
    BATCH_ROWS,
    PAGE_ROWS,
    PROBLEMS_SHOWN,
    Parsed,
    Row,
    split,
)
from importer.domain.csv_import.row_parser import parse
from importer.domain.csv_import.sheet import RowProblem, Sheet
from importer.domain.csv_import.workbook import WORKBOOK_BYTES
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.import_options import OPTIONS, ImportOptions
from importer.domain.reporting.formatting import printable
from importer.i18n.csv_template import csv_template, workbook_template
from importer.i18n.row_problem_texts import cell_problem_text, headings, row_problem_text
from importer.service.access.login_attempts import public_only_account
from importer.service.access.rate_limits import RateLimited
from importer.service.access.sealed_grants import sign_in_method
from importer.service.access.session_data import SessionData
from importer.service.imports.submit import RowOutcome, Submission, submit
from importer.web.error_texts import rate_limited
from importer.web.pages import file_preview
from importer.web.pages.new_import import count_starts
from importer.web.rendering import page, redirect
from importer.web.request_context import Fields, Guest, SignedIn, field_text, guest_actor, guest_batch_right
from importer.web.shown_state import PageOutdated, file_shown, fingerprint, is_current
from providers.provider import Quirk
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from providers.text import Text

XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SPREADSHEET: Final = "spreadsheet_trace"
"""The rule of the note about cells that a spreadsheet may have changed."""

router: Final = APIRouter(prefix="/file")


@router.get("")
def upload_form(guest: SignedIn) -> Response:
    return _upload_page(guest)


@router.get("/template.csv")
def download_csv_template(guest: SignedIn) -> Response:
    name = f"{guest.visitor.site.brand.file_name}.csv"
    return _download(csv_template(guest.visitor.texts), "text/csv", name)


@router.get("/template.xlsx")
def download_workbook_template(guest: SignedIn) -> Response:
    name = f"{guest.visitor.site.brand.file_name}.xlsx"
    return _download(workbook_template(guest.visitor.texts), XLSX_TYPE, name)


@router.post("")
async def upload(guest: SignedIn, fields: Fields) -> Response:
    file, pasted = fields.get("file"), field_text(fields, "rows")
    name, content = "", pasted.encode("utf-8", "surrogatepass")
    if isinstance(file, UploadFile) and file.filename:
        name, content = printable(file.filename, 80), await file.read(WORKBOOK_BYTES + 1)
    return await run_in_threadpool(_uploaded, guest, name, content)


def _uploaded(guest: Guest, name: str, content: bytes) -> Response:
    texts = guest.visitor.texts
    if not content.strip():
        return _upload_page(guest, texts.gettext("Choose a file, or paste its rows."))
    if name and not may_hold_rows(name, content):
        problem = WORKBOOK_UNREADABLE if is_old_workbook(content) else NOT_TEXT
        return _upload_page(guest, cell_problem_text(texts, problem.text))
    if len(content) > max_file_bytes(content, BATCH_BYTES):
        return _upload_page(guest, texts.gettext("The file is too large. 100 rows easily fit into 64 kB."))
    sheet = read(content, max_bytes=BATCH_BYTES)
    if WORKBOOK_UNREADABLE in sheet.problems:
        return _upload_page(guest, cell_problem_text(texts, WORKBOOK_UNREADABLE.text))
    corrections = passwords_from(_sheet(guest.session_data), sheet)
    guest.update_session(lambda before: before.with_file(name, content, corrections))
    return redirect("/file/preview")


def _sheet(session_data: SessionData) -> Sheet:
    """The uploaded file with its corrections; an empty sheet if there is none."""
    if not session_data.file:
        return Sheet()
    return corrected(read(session_data.file, max_bytes=BATCH_BYTES), session_data.corrections)


@router.get("/preview")
def preview(guest: SignedIn) -> Response:
    if not guest.session_data.file:
        return redirect("/file")
    return _with_parsed(guest, partial(_preview_page, guest))


@router.get("/annotated.csv")
def download_annotated(guest: SignedIn) -> Response:
    if not guest.session_data.file:
        return redirect("/file")
    return _with_parsed(guest, partial(_annotated, guest))


def _annotated(guest: Guest, parsed: Parsed) -> Response:
    texts = guest.visitor.texts
    describe = partial(row_problem_text, texts, headings=headings(parsed.sheet))
    content = annotate(parsed, describe, name_in(texts.language, PROBLEM_COLUMN))
    name = f"{guest.visitor.site.brand.file_name}-problems.csv"
    return _download(content.encode("utf-8-sig"), "text/csv", name)


@router.post("/correct")
def correct(guest: SignedIn, fields: Fields) -> Response:
    """Replace cells of rows with problems. The rest of the file, including passwords, stays."""
    if not guest.session_data.file:
        raise PageOutdated
    return _with_parsed(guest, partial(_corrected, guest, fields))


def _corrected(guest: Guest, fields: FormData, parsed: Parsed) -> Response:
    if not is_current(guest, fields, file_shown(guest.session_data, parsed.good_rows)):
        return _preview_page(guest, parsed, outdated=True)
    rows = file_preview.corrected_rows(guest, parsed)
    given = {cell.name: field_text(fields, cell.name) for row in rows for cell in row.cells}
    cells = file_preview.submitted_corrections(rows, parsed.sheet.records, given)
    guest.update_session(lambda before: replace(before, corrections=before.corrections.with_cells(cells)))
    return redirect("/file/preview")


@router.post("/start")
def start_batch(guest: SignedIn, fields: Fields) -> Response:
    """Start the rows without problems, in batches. The other rows stay for correction."""
    if not guest.session_data.file:
        raise PageOutdated
    return _with_parsed(guest, partial(_started, guest, fields))


def _started(guest: Guest, fields: FormData, parsed: Parsed) -> Response:
    """Raises RateLimited before anything starts."""
    session_data = guest.session_data
    good = parsed.good_rows
    if not good:
        return redirect("/file/preview")
    if not is_current(guest, fields, file_shown(session_data, good)):
        return _preview_page(guest, parsed, outdated=True)
    rows = [replace(row, source=public_only_account(row.source)) for row in good]
    count_starts(guest, rows)
    options = guest.visitor.site.settings.import_options.choose(
        {name: field_text(fields, name) == "yes" for name, option in OPTIONS.items() if option.for_many}
    )
    submissions = [_submit(guest, part, options) for part in split(rows)]
    guest.visitor.audit.targets = [import_.id for submission in submissions for import_ in submission.started]
    batches = tuple(submission.batch.id for submission in submissions if submission.batch is not None)
    if parsed.problems:
        guest.update_session(lambda before: _with_started(before, good, batches))
        return redirect("/file/preview")
    guest.update_session(lambda before: before.with_file("", b""))
    if not batches and not session_data.file_batches:
        submitted = [row for submission in submissions for row in submission.rows]
        done = sum(row.outcome is RowOutcome.DONE for row in submitted)
        return page(guest, "nothing_new.html", done=done, under_way=len(submitted) - done)
    return redirect(f"/batches/{batches[0]}" if len(batches) == 1 else "/imports")


def _submit(guest: Guest, rows: Sequence[Row], options: ImportOptions) -> Submission:
    session_data = guest.session_data
    return submit(
        guest.visitor.site.deps,
        guest_actor(guest, session_data.mailboxes[0].account.address),
        rows,
        options=options,
        name=session_data.file_name,
    )


def _with_started(before: SessionData, rows: Sequence[Row], batches: tuple[str, ...]) -> SessionData:
    """The session with those rows removed from the file."""
    return replace(
        before,
        corrections=before.corrections.without_lines(frozenset(row.line for row in rows)),
        file_batches=(*before.file_batches, *batches),
    )


def _with_parsed(guest: Guest, respond: Callable[[Parsed], Response]) -> Response:
    """The result of `respond` for the session's file, or the upload page if a rate limit is exceeded."""
    try:
        return respond(_parsed(guest))
    except RateLimited as error:
        return _upload_page(guest, rate_limited(guest.visitor.texts, error))


# --- The pages --------------------------------------------------------------------------------------


def _upload_page(guest: Guest, problem: str = "") -> Response:
    errors = {"file": problem} if problem else {}
    return page(
        guest,
        "file.html",
        422 if problem else 200,
        errors=errors,
        right=guest_batch_right(guest),
        hosts=", ".join(
            provider.name
            for name, provider in SIGN_IN_PROVIDERS.items()
            if guest.visitor.site.deps.access.can_sign_in(name)
        ),
        header=header_line(guest.visitor.texts.language),
        max_rows=PAGE_ROWS,
        unfinished=bool(guest.session_data.corrections.left_out),
    )


def _preview_page(guest: Guest, parsed: Parsed, *, outdated: bool = False) -> Response:
    """The preview of the session's file. `outdated`: the reader's page showed another file."""
    problems, good = parsed.problems, parsed.good_rows
    shown = problems[:PROBLEMS_SHOWN]
    marked = [note for note in parsed.notes if note.column and note.line != parsed.sheet.header_line]
    return page(
        guest,
        "preview.html",
        409 if outdated else 200,
        name=guest.session_data.file_name,
        columns=file_preview.preview_columns(parsed),
        lines=file_preview.preview_rows(guest, parsed),
        right=guest_batch_right(guest),
        invites=guest_batch_right(guest).any or guest.visitor.site.deps.invites_everyone,
        general=_sentences(guest, parsed, shown),
        general_notes=_sentences(guest, parsed, parsed.notes[:PROBLEMS_SHOWN]),
        problem_count=len(problems),
        problems_more=len(problems) - len(shown),
        marked_count=len(marked),
        traces_count=sum(note.rule == _SPREADSHEET for note in marked),
        row_count=parsed.row_count,
        good_count=len(good),
        batch_count=len(list(split(good))),
        batch_rows=BATCH_ROWS,
        corrections=file_preview.corrected_rows(guest, parsed),
        started=len(guest.session_data.corrections.left_out),
        batches=guest.session_data.file_batches,
        rules=_rules(guest, parsed),
        shown=fingerprint(guest, file_shown(guest.session_data, good)),
        outdated=outdated,
    )


def _sentences(guest: Guest, parsed: Parsed, found: Sequence[RowProblem]) -> list[str]:
    """The problems or notes that concern no single row, with their place."""
    names = headings(parsed.sheet)
    return [
        printable(row_problem_text(guest.visitor.texts, problem, names), 400)
        for problem in file_preview.general(parsed, found)
    ]


def _parsed(guest: Guest) -> Parsed:
    """The file with its corrections; rows whose destination is not at `Site.destination` are problems."""
    site = guest.visitor.site
    parsed = parse(
        guest.session_data.file,
        catalog=guest.lookups,
        destination=site.destination,
        public_only=True,
        max_rows=PAGE_ROWS,
        # Organisation-wide grants are for the operator only: on the pages, each owner must sign in.
        sign_in=sign_in_method(site.deps.access, organisation=False),
        right=guest_batch_right(guest),
        corrections=guest.session_data.corrections,
    )
    column = DESTINATION_SERVER if DESTINATION_SERVER in parsed.sheet.columns else "destination_address"
    wrong_destination = (
        RowProblem(row.line, column, Text("destination_elsewhere", host=site.destination.host))
        for row in parsed.rows
        if row.destination.endpoint != site.destination
    )
    problems = sorted((*parsed.problems, *wrong_destination), key=lambda problem: problem.line)
    return replace(parsed, problems=tuple(problems))


def _rules(guest: Guest, parsed: Parsed) -> dict[LabelRule, list[int]]:
    """The label rules of the rows whose source host has labels -> their lines."""
    site = guest.visitor.site
    rules: defaultdict[LabelRule, list[int]] = defaultdict(list)
    for row in parsed.good_rows:
        provider = site.catalog.for_host(row.source.endpoint.host)
        if provider is not None and Quirk.LABELS in provider.quirks:
            rules[site.settings.import_options.choose(row.choices).labels].append(row.line)
    return dict(rules)


def _download(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)
