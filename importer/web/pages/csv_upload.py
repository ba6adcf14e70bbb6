"""Many mailboxes from a CSV file: the template, the upload, the preview, and the start."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import Response

from importer.domain.csv_import.csv_files import annotate, template
from importer.domain.csv_import.csv_reader import PASSWORD_COLUMNS, PROBLEM_COLUMN, RowProblem, read
from importer.domain.csv_import.import_rows import BATCH_BYTES, Parsed
from importer.domain.csv_import.row_parser import parse
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.reporting.formatting import printable
from importer.service.access.rate_limits import RateLimited
from importer.service.access.sealed_grants import sign_in_method
from importer.service.access.web_sessions import public_only_account
from importer.service.imports.submit import RowOutcome, submit
from importer.web.error_texts import row_problem, too_often
from importer.web.pages.new_import import count_start
from importer.web.rendering import go, page
from importer.web.request_context import Fields, Guest, SignedIn, right_of, text
from providers.provider import Quirk

_RIGHT_IN_THEMSELVES: Final = frozenset(
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
"""What breaks these rules is what its column asks for; anything else may be a password in the wrong place."""

router: Final = APIRouter(prefix="/file")


@dataclass(frozen=True, slots=True)
class PreviewCell:
    """One cell of the preview; `text` is "" for passwords, `filled` says whether there is one. In place of
    one, `asked` says that the owner signs in at their host, `by_right` that none is needed."""

    column: str
    text: str
    filled: bool
    problems: tuple[str, ...]
    asked: bool = False
    by_right: bool = False


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row of the preview; `problems` concern the row as a whole."""

    number: int
    cells: tuple[PreviewCell, ...]
    problems: tuple[str, ...]


@router.get("")
def ask(guest: SignedIn) -> Response:
    return _file_page(guest)


@router.get("/template.csv")
def download(_guest: SignedIn) -> Response:
    return _csv(template(), "mailhaul.csv")


@router.post("")
async def take(guest: SignedIn, fields: Fields) -> Response:
    upload, pasted = fields.get("file"), text(fields, "rows")
    name, content = "", pasted.encode("utf-8", "surrogatepass")
    if isinstance(upload, UploadFile) and upload.filename:
        name, content = printable(upload.filename, 80), await upload.read(BATCH_BYTES + 1)
    if not content.strip():
        problem = guest.visitor.texts.gettext("Choose a file, or paste its rows.")
        return await run_in_threadpool(_file_page, guest, problem)
    if len(content) > BATCH_BYTES:
        problem = guest.visitor.texts.gettext("The file is too large. 25 rows easily fit into 64 kB.")
        return await run_in_threadpool(_file_page, guest, problem)
    await run_in_threadpool(guest.remember, lambda before: replace(before, file_name=name, file=content))
    return go("/file/preview")


@router.get("/preview")
def preview(guest: SignedIn) -> Response:
    remembered = guest.remembered
    if not remembered.file:
        return go("/file")
    parsed, problems = _parsed(guest)
    return page(
        guest,
        "preview.html",
        name=remembered.file_name,
        columns=_columns(guest),
        lines=_lines(guest, parsed, problems),
        right=right_of(guest),
        general=[_told(guest, p) for p in problems if _is_general(guest, p)],
        problem_count=len(problems),
        row_count=parsed.row_count,
        rules=_rules(guest, parsed),
    )


@router.get("/annotated.csv")
def annotated(guest: SignedIn) -> Response:
    if not guest.remembered.file:
        return go("/file")
    parsed, problems = _parsed(guest)
    text_ = annotate(guest.remembered.file, replace(parsed, problems=problems))
    return _csv(text_, "mailhaul-problems.csv")


@router.post("/start")
def start(guest: SignedIn, _fields: Fields) -> Response:
    remembered = guest.remembered
    if not remembered.file:
        return go("/file")
    parsed, problems = _parsed(guest)
    if problems:
        return go("/file/preview")
    settings = guest.visitor.site.settings
    rows = [
        replace(row, source=public_only_account(row.source)).chosen(
            settings.labels, sync_flags=settings.sync_flags
        )
        for row in parsed.rows
    ]
    try:
        count_start(guest, rows)
    except RateLimited as error:
        return _file_page(guest, too_often(guest.visitor.texts, error))
    submission = submit(
        guest.visitor.site.deps,
        rows,
        name=remembered.file_name,
        submitter=remembered.mailboxes[0].account.address,
        owner=guest.visit.person,
        language=guest.visitor.texts.language,
        right=right_of(guest),
    )
    guest.remember(lambda before: replace(before, file=b"", file_name=""))
    if submission.batch is None:
        done = sum(placed.outcome is RowOutcome.DONE for placed in submission.rows)
        return page(guest, "nothing_new.html", done=done, under_way=len(submission.rows) - done)
    return go(f"/batches/{submission.batch.id}")


def _file_page(guest: Guest, problem: str = "") -> Response:
    errors = {"file": problem} if problem else {}
    return page(guest, "file.html", 422 if problem else 200, errors=errors, right=right_of(guest))


# --- The preview ------------------------------------------------------------------------------------


def _parsed(guest: Guest) -> tuple[Parsed, tuple[RowProblem, ...]]:
    """The file, and all its problems: those of any file, and rows that go to other hosts than ours."""
    site = guest.visitor.site
    parsed = parse(
        guest.remembered.file,
        catalog=site.lookups(),
        destination=site.destination,
        public_only=True,
        # Every owner is asked, whoever brings the file.
        sign_in=sign_in_method(site.deps.access, organisation=False),
        right=right_of(guest),
    )
    elsewhere = (
        RowProblem(
            row.line,
            "destination_server" if "destination_server" in _columns(guest) else "destination_address",
            "destination_elsewhere",
            f"New mailboxes must be at {site.destination.host}.",
            "Leave the destination's server out.",
        )
        for row in parsed.rows
        if row.destination.endpoint != site.destination
    )
    problems = sorted((*parsed.problems, *elsewhere), key=lambda problem: problem.line)
    return parsed, tuple(problems)


def _rules(guest: Guest, parsed: Parsed) -> dict[LabelRule, list[int]]:
    """What becomes of mail with several labels, in the lines whose host is known for them."""
    site = guest.visitor.site
    rules: defaultdict[LabelRule, list[int]] = defaultdict(list)
    for row in parsed.rows:
        provider = site.catalog.for_host(row.source.endpoint.host)
        if provider is not None and Quirk.LABELS in provider.quirks:
            rules[row.labels or site.settings.labels].append(row.line)
    return dict(rules)


def _columns(guest: Guest) -> tuple[str, ...]:
    found = read(guest.remembered.file, max_bytes=BATCH_BYTES).columns
    return tuple(column for column in found if column != PROBLEM_COLUMN)


def _lines(guest: Guest, parsed: Parsed, problems: tuple[RowProblem, ...]) -> list[PreviewRow]:
    """The rows as a table. A password is never shown, and neither is what stands where none belongs."""
    sheet = read(guest.remembered.file, max_bytes=BATCH_BYTES)
    at: dict[tuple[int, str], list[str]] = defaultdict(list)
    hidden = set()
    for problem in problems:
        at[problem.line, problem.column].append(_told(guest, problem))
        if problem.rule not in _RIGHT_IN_THEMSELVES:
            hidden.add((problem.line, problem.column))
    asked = {(row.line, "source_password") for row in parsed.rows if row.source_sign_in}
    asked |= {(row.line, "destination_password") for row in parsed.rows if row.destination_sign_in}
    by_master = {row.line for row in parsed.rows if row.by_master}
    lines = []
    for record in sheet.records:
        cells = tuple(
            PreviewCell(
                column,
                "" if column in PASSWORD_COLUMNS or (record.line, column) in hidden else printable(text_, 80),
                bool(text_.strip()),
                tuple(at[record.line, column]),
                asked=(record.line, column) in asked,
                by_right=column == "destination_password" and record.line in by_master,
            )
            for column, text_ in (record.cells or {}).items()
            if column != PROBLEM_COLUMN
        )
        lines.append(PreviewRow(record.line, cells, tuple(at[record.line, ""])))
    return lines


def _is_general(guest: Guest, problem: RowProblem) -> bool:
    """It concerns no row that the table shows."""
    records = read(guest.remembered.file, max_bytes=BATCH_BYTES).records
    return problem.line not in {record.line for record in records}


def _told(guest: Guest, problem: RowProblem) -> str:
    return row_problem(guest.visitor.texts, problem, guest.visitor.site.destination.host)


def _csv(content: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content.encode("utf-8-sig"), media_type="text/csv", headers=headers)
