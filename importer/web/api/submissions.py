"""Rows become a batch of imports: as JSON, or as the CSV file that people have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from importer.domain.csv_import.csv_cells import address
from importer.domain.csv_import.csv_reader import RowProblem
from importer.domain.csv_import.import_rows import Parsed, Row
from importer.domain.csv_import.row_parser import parse, parse_cells
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.reporting.formatting import printable
from importer.service.access.api_clients import visible_import
from importer.service.access.sealed_grants import sign_in_method
from importer.service.imports.submit import SubmittedRow, submit
from importer.web.api.authentication import ApiCaller, Writer
from importer.web.api.problem_details import ProblemAnswer, checked, rows_refused
from importer.web.api.schemas import (
    BatchIn,
    ImportIn,
    Language,
    Order,
    PlacedOut,
    SubmissionOut,
    batch_out,
    import_out,
)

router: Final = APIRouter(tags=["start"])

_STARTED: Final[dict[int | str, dict[str, Any]]] = {
    201: {"model": SubmissionOut, "description": "Started; Location names the batch."}
}


@router.post("/batches", responses=_STARTED)
def start_batch(caller: Writer, given: BatchIn, answer: Response) -> SubmissionOut:
    """Start up to 25 imports. Nothing starts unless every row is good; `problems` lists all that is wrong.
    Rows whose import is done or under way are not started again."""
    parsed = _parsed_rows(caller, [row.cells() for row in given.rows])
    return _start(caller, parsed, given, printable(given.name, 200), answer)


@router.post(
    "/batches/csv",
    responses=_STARTED,
    openapi_extra={
        "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
    },
)
async def start_file(
    caller: Writer,
    request: Request,
    answer: Response,
    name: Annotated[str, Query(max_length=200)] = "",
    submitter: Annotated[str, Query(max_length=320)] = "",
    labels: LabelRule | None = None,
    sync_flags: bool | None = None,
    language: Language = "",
    again: bool = False,
) -> SubmissionOut:
    """The same with a CSV file as the body (`Content-Type: text/csv`), as the console takes it."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise ProblemAnswer("media_type_refused", "Send the file as text/csv.")
    data = await request.body()
    order = Order(submitter=submitter, labels=labels, sync_flags=sync_flags, language=language, again=again)

    def take() -> SubmissionOut:
        parsed = parse(data, **_rules(caller))
        return _start(caller, parsed, order, printable(name, 200), answer)

    return await run_in_threadpool(take)


@router.post("/imports", responses=_STARTED)
def start_import(caller: Writer, given: ImportIn, answer: Response) -> SubmissionOut:
    """Start one import, as a batch of one."""
    return _start(caller, _parsed_rows(caller, [given.cells()]), given, "", answer)


def good_rows(caller: ApiCaller, parsed: Parsed) -> tuple[Row, ...]:
    """The rows, if this token may bring mail to where they go. Raises ProblemAnswer with all problems."""
    problems = [*parsed.problems, *_elsewhere(caller, parsed.rows)]
    if problems:
        raise rows_refused(sorted(problems, key=lambda problem: problem.line))
    return parsed.rows


def one_row(caller: ApiCaller, cells: dict[str, str]) -> Row:
    """A row that nobody has to sign in for. Raises ProblemAnswer."""

    def let_in(provider: str, mailbox: str) -> bool:
        return caller.for_all and caller.deps.access.organisation_grant(provider, mailbox) is not None

    rules = {**_rules(caller), "sign_in": let_in}
    [row] = good_rows(caller, parse_cells([cells], **rules))
    return row


def _parsed_rows(caller: ApiCaller, rows: Sequence[dict[str, str]]) -> Parsed:
    return parse_cells(rows, **_rules(caller))


def _rules(caller: ApiCaller) -> dict[str, Any]:
    """Whoever calls is a stranger to our network: servers that are named are reached through the guard."""
    site = caller.site
    return {
        "catalog": site.lookups(),
        "destination": site.destination,
        "allow_plaintext": site.settings.allow_plaintext,
        "public_only": True,
        "sign_in": sign_in_method(caller.deps.access, organisation=caller.for_all),
        "right": caller.right,
    }


def _elsewhere(caller: ApiCaller, rows: Sequence[Row]) -> list[RowProblem]:
    """Rows that go where this token may not bring mail."""
    problems = []
    for row in rows:
        if why := caller.why_not_into(row.destination):
            fix = "Take this row out, or ask for a token that is good for it."
            problems.append(RowProblem(row.line, "destination_address", "destination_not_allowed", why, fix))
    return problems


def _start(caller: ApiCaller, parsed: Parsed, order: Order, name: str, answer: Response) -> SubmissionOut:
    rows = good_rows(caller, parsed)
    caller.count_starts(row.destination for row in rows if row.destination_password is not None)
    caller.count_starts(row.source for row in rows if row.source_password is not None)
    settings = caller.site.settings
    labels = order.labels or settings.labels
    sync_flags = settings.sync_flags if order.sync_flags is None else order.sync_flags
    submission = submit(
        caller.deps,
        [row.chosen(labels, sync_flags=sync_flags) for row in rows],
        name=name,
        submitter=_submitter(caller, order.submitter),
        owner=caller.token.client,
        language=order.language,
        again=order.again,
        organisation=caller.for_all,
        right=caller.right,
    )
    now = caller.deps.clock.now()
    if submission.batch is None:
        shown = None
    else:
        answer.status_code = 201
        answer.headers["Location"] = f"/api/v1/batches/{submission.batch.id}"
        shown = batch_out(submission.batch, submission.started, now)
    return SubmissionOut(batch=shown, rows=[placed_out(caller, placed) for placed in submission.rows])


def placed_out(caller: ApiCaller, placed: SubmittedRow) -> PlacedOut:
    """What became of a row; an import that is not this token's stays unnamed."""
    seen = visible_import(caller.deps, caller.token, placed.import_.id)
    shown = None if seen is None else import_out(seen, caller.deps.clock.now())
    return PlacedOut(line=placed.row.line, fate=placed.outcome, import_=shown)


def _submitter(caller: ApiCaller, given: str) -> str:
    return checked("submitter", partial(address, given)) if given else caller.site.settings.submitter
