"""Read both mailboxes of an import again: verify it, or say where one message went."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Response

from importer.domain.csv_import.csv_cells import password
from importer.domain.model import Account, Import
from importer.domain.reporting.verification import Verification
from importer.i18n.code_texts import render_with_advice
from importer.i18n.message_trace_texts import trace_json
from importer.i18n.verification_texts import verification_json
from importer.service.access.batch_rights import destination_credential
from importer.service.access.sealed_grants import Credentials
from importer.service.access.stored_credentials import stored_credentials
from importer.service.imports.trace_message import trace_in_both
from importer.service.imports.verify_import import verify
from importer.web.api.authentication import ApiCaller, Reader, Writer
from importer.web.api.problem_details import ProblemAnswer, checked
from importer.web.api.reading_schemas import ReadingOut, TraceIn, VerifyIn
from importer.web.reading_jobs import Reading, ReadingKind, ReadsMailboxes
from providers.endpoint import Secret
from providers.errors import Side
from providers.grants import Credential
from providers.text import Text

router: Final = APIRouter(tags=["look"])

_ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": ReadingOut, "description": "Under way; Location is where its result will be."}
}


@router.post("/imports/{import_id}/verification", status_code=202, responses=_ACCEPTED)
def start_verification(caller: Writer, import_id: str, body: VerifyIn, response: Response) -> ReadingOut:
    """Read the messages in the old mailbox and those in the new one again and compare them: `sample` of them,
    chosen at random, or with null all. Nothing is changed. The passwords may be empty while those of the
    import are stored."""
    import_ = caller.import_(import_id)
    credentials, tried = _credentials(caller, import_, body)
    read = partial(verify, caller.deps, import_, credentials, sample=body.sample)
    return _start(caller, import_, ReadingKind.VERIFICATION, read, tried, response)


@router.get("/imports/{import_id}/verification")
def show_verification(caller: Reader, import_id: str) -> ReadingOut:
    """The last verification of this import: `state` is `under way`, `done` or `failed`; `result` is what
    `mailhaul verify --json` prints. It is kept until the web process restarts."""
    return _shown(caller, caller.import_(import_id), ReadingKind.VERIFICATION)


@router.post("/imports/{import_id}/message-trace", status_code=202, responses=_ACCEPTED)
def start_trace(caller: Writer, import_id: str, body: TraceIn, response: Response) -> ReadingOut:
    """Look for the message with this Message-ID in the old mailbox, then in the new one, and say what the
    import did with it. Nothing is changed."""
    import_ = caller.import_(import_id)
    credentials, tried = _credentials(caller, import_, body)
    read = partial(trace_in_both, caller.deps, import_, body.message_id, credentials)
    return _start(caller, import_, ReadingKind.TRACE, read, tried, response, body.message_id)


@router.get("/imports/{import_id}/message-trace")
def show_trace(caller: Reader, import_id: str) -> ReadingOut:
    """The last search for a message of this import; `result` is what `mailhaul explain --message-id --json`
    prints, an empty list if neither mailbox lists the message."""
    return _shown(caller, caller.import_(import_id), ReadingKind.TRACE)


def _start(
    caller: ApiCaller,
    import_: Import,
    kind: ReadingKind,
    read: ReadsMailboxes,
    tried: list[Account],
    response: Response,
    message_id: str = "",
) -> ReadingOut:
    """Start the job. Successful logins do not count as attempts."""
    for account in tried:
        caller.count_login(account)

    def read_and_refund(*, on_folder: Any) -> Any:
        found = read(on_folder=on_folder)
        for account in tried:
            caller.refund_login(account)
        return found

    jobs, owner = caller.site.reading_jobs, caller.token.client
    reading = jobs.start(caller.deps, import_.id, kind, read_and_refund, owner, message_id)
    response.headers["Location"] = f"/api/v1/imports/{import_.id}/{_PATHS[kind]}"
    return _reading_out(caller, reading)


def _shown(caller: ApiCaller, import_: Import, kind: ReadingKind) -> ReadingOut:
    reading = caller.site.reading_jobs.latest(import_.id, kind)
    if reading is None:
        raise ProblemAnswer("not_found", Text("api.not_found.reading"))
    return _reading_out(caller, reading)


def _reading_out(caller: ApiCaller, reading: Reading) -> ReadingOut:
    if reading.running:
        return ReadingOut(state="under way", began_at=reading.began_at, folder=reading.folder or None)
    if reading.failure is not None:
        sentence = render_with_advice(reading.failure, caller.texts, reading.side)
        return ReadingOut(
            state="failed", began_at=reading.began_at, reason=reading.failure.code, message=sentence
        )
    found = reading.found
    result: Any = (
        verification_json(caller.texts, found)
        if isinstance(found, Verification)
        else [trace_json(caller.texts, trace) for trace in found or ()]
    )
    return ReadingOut(state="done", began_at=reading.began_at, result=result)


def _credentials(
    caller: ApiCaller, import_: Import, body: VerifyIn | TraceIn
) -> tuple[Credentials, list[Account]]:
    """The credentials of both mailboxes, and the accounts whose passwords are tried. Raises ProblemAnswer."""
    caller.require_destination(import_.destination)
    caller.audit.targets = [import_.source.key, import_.destination.key]
    fields = {Side.SOURCE: body.source_password, Side.DESTINATION: body.destination_password}
    entered = {side: text for side, field in fields.items() if (text := field.get_secret_value())}
    stored = None if entered else stored_credentials(caller.deps, import_)
    if stored is not None:
        return stored, []
    tried = [import_.source]
    source = _password(caller, Side.SOURCE, entered)
    destination: Credential
    right = caller.batch_right
    if Side.DESTINATION not in entered and right.covers(import_.destination):
        destination = destination_credential(caller.deps, right, import_.destination, None)
    else:
        destination = _password(caller, Side.DESTINATION, entered)
        tried.append(import_.destination)
    return Credentials(source, destination), tried


def _password(caller: ApiCaller, side: Side, entered: dict[Side, str]) -> Secret:
    return checked(caller.texts, f"{side.value}_password", partial(password, entered.get(side, "")))


_PATHS: Final = {ReadingKind.VERIFICATION: "verification", ReadingKind.TRACE: "message-trace"}
