"""Submissions: start imports from rows, sent as JSON or as a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from importer.domain.csv_import.csv_cells import address
from importer.domain.csv_import.import_rows import PROBLEMS_SHOWN, Parsed, Row
from importer.domain.csv_import.row_parser import parse, parse_cells
from importer.domain.csv_import.sheet import RowProblem
from importer.domain.reporting.formatting import printable
from importer.i18n.row_problem_texts import row_problem_json
from importer.service.access.sealed_grants import sign_in_method
from importer.service.imports.submit import SubmittedRow, submit
from importer.web.api import option_fields
from importer.web.api.authentication import ApiCaller, Writer
from importer.web.api.problem_details import ProblemAnswer, checked, rows_refused
from importer.web.api.request_schemas import BatchIn, FileIn, ImportIn, Order
from importer.web.api.response_schemas import (
    NoteOut,
    SubmissionOut,
    SubmittedRowOut,
    batch_out,
    import_out,
)
from providers.text import Text

router: Final = APIRouter(tags=["start"])

_STARTED: Final[dict[int | str, dict[str, Any]]] = {
    201: {"model": SubmissionOut, "description": "Started; Location is the URL of the batch."}
}


@router.post("/batches", responses=_STARTED)
def start_batch(caller: Writer, body: BatchIn, response: Response) -> SubmissionOut:
    """Start up to 25 imports. Nothing starts unless every row is valid; `problems` lists all errors. Imports
    that are complete or under way are not started again."""
    parsed = _parsed_rows(caller, [row.cells() for row in body.rows])
    return _start(caller, parsed, body, printable(body.name, 200), response)


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
    response: Response,
    order: Annotated[FileIn, Query()],
) -> SubmissionOut:
    """The same with a CSV file as the body (`Content-Type: text/csv`), in the format of the console."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise ProblemAnswer("media_type_refused")
    content = await request.body()

    def parse_and_start() -> SubmissionOut:
        parsed = parse(content, **_parser_options(caller))
        return _start(caller, parsed, order, printable(order.name, 200), response)

    return await run_in_threadpool(parse_and_start)


@router.post("/imports", responses=_STARTED)
def start_import(caller: Writer, body: ImportIn, response: Response) -> SubmissionOut:
    """Start one import, as a batch of one."""
    parsed = _parsed_rows(caller, [body.cells()], by_link=body.source_password_by_link)
    return _start(caller, parsed, body, "", response)


def valid_rows(caller: ApiCaller, parsed: Parsed) -> tuple[Row, ...]:
    """The rows, if all are valid and the token permits their destinations. Raises ProblemAnswer with all
    problems."""
    problems = [*parsed.problems, *_destination_problems(caller, parsed.rows)]
    if problems:
        raise rows_refused(caller.texts, sorted(problems, key=lambda problem: problem.line))
    return parsed.rows


def row_without_consent(caller: ApiCaller, cells: dict[str, str]) -> Row:
    """A valid row that needs no sign-in of an owner. Raises ProblemAnswer."""

    def organisation_sign_in(provider: str, mailbox: str) -> bool:
        return caller.is_admin and caller.deps.access.organisation_grant(provider, mailbox) is not None

    options = {**_parser_options(caller), "sign_in": organisation_sign_in}
    [row] = valid_rows(caller, parse_cells([cells], **options))
    return row


def _parsed_rows(caller: ApiCaller, rows: Sequence[dict[str, str]], *, by_link: bool = False) -> Parsed:
    return parse_cells(rows, by_link=by_link, **_parser_options(caller))


def _parser_options(caller: ApiCaller) -> dict[str, Any]:
    """The keyword arguments of the row parser. `public_only`: servers that a client names must be at public
    addresses, because clients are not trusted with the internal network."""
    site = caller.site
    return {
        "catalog": caller.lookups,
        "destination": site.destination,
        "allow_plaintext": site.settings.allow_plaintext,
        "public_only": True,
        "sign_in": sign_in_method(caller.deps.access, organisation=caller.is_admin),
        "right": caller.batch_right,
    }


def _destination_problems(caller: ApiCaller, rows: Sequence[Row]) -> list[RowProblem]:
    """The problems of rows whose destination the token does not permit."""
    refusals = ((row.line, caller.destination_refusal(row.destination)) for row in rows)
    return [RowProblem(line, "destination_address", why) for line, why in refusals if why is not None]


def _start(caller: ApiCaller, parsed: Parsed, order: Order, name: str, response: Response) -> SubmissionOut:
    rows = valid_rows(caller, parsed)
    caller.count_starts(row.destination for row in rows if row.destination_password is not None)
    caller.count_starts(row.source for row in rows if row.source_password is not None)
    caller.consume_imports(len(rows))
    submission = submit(
        caller.deps,
        replace(caller.actor, notify=_submitter(caller, order.submitter), language=order.language),
        rows,
        options=caller.site.settings.import_options.choose(option_fields.choices(order)),
        name=name,
        again=order.again,
    )
    caller.audit.targets = [import_.id for import_ in submission.started]
    now = caller.deps.clock.now()
    if submission.batch is None:
        batch = None
    else:
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/batches/{submission.batch.id}"
        batch = batch_out(caller.texts, submission.batch, submission.started, now)
    notes = [
        NoteOut.model_validate(row_problem_json(caller.texts, note)) for note in parsed.notes[:PROBLEMS_SHOWN]
    ]
    submitted = [submitted_row_out(caller, row) for row in submission.rows]
    held = caller.deps.store.maintenance() is not None
    return SubmissionOut(batch=batch, rows=submitted, held=held, notes=notes)


def submitted_row_out(caller: ApiCaller, submitted: SubmittedRow) -> SubmittedRowOut:
    import_ = caller.deps.store.import_(submitted.import_.id) or submitted.import_
    import_json = import_out(caller.texts, import_, caller.deps.clock.now())
    return SubmittedRowOut(line=submitted.row.line, fate=submitted.outcome, import_=import_json)


def _submitter(caller: ApiCaller, requested: str) -> str:
    if not requested:
        return caller.site.settings.submitter
    submitter: str = checked(caller.texts, "submitter", partial(address, requested))
    domains = caller.token.domains
    if domains and submitter.rpartition("@")[2].lower() not in domains:
        raise ProblemAnswer("scope_missing", Text("api.scope_missing.submitter"))
    return submitter
