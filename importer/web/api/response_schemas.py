"""The JSON of responses. Times are ISO 8601 in UTC, sizes are bytes, durations are seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from importer.domain.model import Account, Batch, ControlRequest, Import, Phase, State
from importer.domain.people.consent_schedule import owner_wait
from importer.domain.planning.pace import average_rate
from importer.i18n.phase_texts import phase_text
from importer.i18n.report_json import problem_json
from importer.i18n.translations import CatalogTranslator
from importer.service.imports.submit import RowOutcome
from importer.web.api import option_fields

ReportOut = dict[str, Any]
"""For its structure see `importer.domain.reporting.report`."""

if TYPE_CHECKING:

    class ImportOptionsOut(BaseModel):
        """The options of an import."""

else:
    ImportOptionsOut = create_model("ImportOptionsOut", **option_fields.shown())


class UndoingOut(BaseModel):
    id: str
    state: Literal["under way"]


class AccountOut(BaseModel):
    address: str
    server: str


class ProblemOut(BaseModel):
    """Why an import waits or stopped; docs/errors.md lists the codes. `detail` is the code, or more exact;
    `params` are what its sentence contains. `steps` has code and params of an advice of this provider."""

    code: str
    message: str
    advice: str
    detail: str
    params: dict[str, Any]
    steps: dict[str, Any] | None
    side: str | None
    server_text: str


class ProgressOut(BaseModel):
    """Messages and bytes are of the source. `seconds_left` is null while it is unknown."""

    folder: str
    folders_done: int
    folders_total: int
    messages_done: int
    messages_total: int
    bytes_done: int
    bytes_per_s: float
    seconds_left: int | None
    phase: Phase = Field(description="What a running import does at the moment.")
    phase_done: int = Field(description="Folders done in this phase.")
    phase_total: int = Field(description="Of how many; 0 while that is unknown.")
    phase_text: str = Field(description="The phase in a sentence; empty unless it is running.")


class OwnerWaitOut(BaseModel):
    """The import ends at `until`; `next_reminder` is null if no more mails go out."""

    until: datetime
    next_reminder: datetime | None


class ImportOut(ImportOptionsOut):
    id: str
    batch_id: str | None
    row: int
    state: State
    source: AccountOut
    destination: AccountOut
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    retry_of: str | None = Field(
        None, description="The import of which only the failed messages are tried again."
    )
    passwords_kept_until: datetime | None = Field(
        None, description="After a stop: until then `retry` needs no passwords."
    )
    not_before: datetime | None = Field(
        description="When it is looked at again, if it waits: for the next attempt, or the next reminder."
    )
    owner_wait: OwnerWaitOut | None = Field(
        description="Set while it waits for an owner to sign in; it does not go on by itself then."
    )
    problem: ProblemOut | None
    wish: ControlRequest | None = Field(description="A requested action that is still pending.")
    has_labels: bool = Field(description="Whether the source has labels; otherwise `labels` has no effect.")
    progress: ProgressOut


class BatchOut(BaseModel):
    id: str
    name: str
    submitter: str
    created_at: datetime
    states: dict[str, int] = Field(description="The number of imports by state.")
    imports: list[ImportOut]


class ImportPage(BaseModel):
    """Send `next` as `after` to get the following page; it is null on the last page."""

    items: list[ImportOut]
    next: str | None


class ImportCountOut(BaseModel):
    """`reason` is the code of the problem; "" without one."""

    state: State
    reason: str
    imports: int


class ImportCountsOut(BaseModel):
    total: int
    counts: list[ImportCountOut]


class BatchPage(BaseModel):
    items: list[BatchOut]
    next: str | None


class SubmittedRowOut(BaseModel):
    """The outcome of one row, and its import, which is new or an earlier one of this client."""

    model_config = ConfigDict(serialize_by_alias=True)

    line: int
    fate: RowOutcome
    import_: ImportOut = Field(serialization_alias="import")


class NoteOut(BaseModel):
    """A hint about a file: a column that is not read, a cell that a spreadsheet may have changed."""

    line: int
    column: str
    rule: str
    message: str
    fix: str


class SubmissionOut(BaseModel):
    """`batch` holds the started imports; it is null if there was nothing to start. `notes` are those about a
    file, at most 50."""

    batch: BatchOut | None
    rows: list[SubmittedRowOut]
    held: bool = Field(False, description="Whether maintenance holds the imports: `GET /maintenance`.")
    notes: list[NoteOut] = Field(default_factory=list)


class ChangedOut(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    effect: Literal["done", "soon"] = Field(
        description="`soon`: a worker applies it after the current batch of messages."
    )
    message: str
    import_: ImportOut = Field(serialization_alias="import")


class RefusedOut(BaseModel):
    """An import that could not be changed, and why."""

    id: str
    code: str
    message: str


class ActionOut(BaseModel):
    """`selected` imports match and can be changed; `effects` counts the results of those that were tried, and
    `refused` names those that could not be changed. `left` have to be confirmed again. Without a confirmation
    nothing was changed, and `examples` are some of them."""

    selected: int
    changed: int
    left: int
    effects: dict[str, int]
    examples: list[ImportOut]
    refused: list[RefusedOut]


class PauseOut(BaseModel):
    """Nothing is sent to the account or host before `until`; with `connecting`, no connection is opened."""

    name: str
    connecting: bool
    until: datetime
    reason: str
    message: str


class HostOut(BaseModel):
    """`imports` counts those that have not ended, by state; `own`: the destination of the installation."""

    host: str
    own: bool
    imports: dict[str, int]
    connections: int
    most_connections: int
    pauses: list[PauseOut]


class BudgetsOut(BaseModel):
    """Connections in use and bytes of the last 24 hours, by account or host; and pauses."""

    connections: dict[str, int]
    bytes: dict[str, int]
    pauses: list[PauseOut]


class ClearedOut(BaseModel):
    cleared: list[str]


class MaintenanceOut(BaseModel):
    """`message` is for users, in the language of the request; "" if there is none."""

    on: bool
    since: datetime | None
    note: str
    message: str


class SideConsentOut(BaseModel):
    """Whether the owner of that mailbox still has to sign in, and the link to pass on."""

    awaited: bool
    link: str | None
    expires_at: datetime | None


class ConsentOut(BaseModel):
    source: SideConsentOut
    destination: SideConsentOut


class TokenOut(BaseModel):
    id: str
    name: str
    scopes: list[str]
    domains: list[str] = Field(description="The destination domains that it permits; all if empty.")
    expires_at: datetime | None
    webhook_url: str


def import_out(texts: CatalogTranslator, import_: Import, now: datetime) -> ImportOut:
    owner = owner_wait(import_)
    rate, progress, problem = average_rate(import_), import_.progress, import_.standing_problem
    return ImportOut(
        id=import_.id,
        batch_id=import_.batch_id,
        row=import_.row,
        state=import_.state,
        source=_account(import_.source),
        destination=_account(import_.destination),
        created_at=import_.created_at,
        started_at=import_.started_at,
        finished_at=import_.finished_at,
        retry_of=import_.retry_of,
        passwords_kept_until=import_.grants_kept_until,
        not_before=import_.not_before,
        owner_wait=None if owner is None else OwnerWaitOut(until=owner.until, next_reminder=owner.reminder),
        problem=None if problem is None else ProblemOut.model_validate(problem_json(texts, problem)),
        wish=import_.requested,
        has_labels=import_.has_labels,
        **import_.options.as_json(),
        progress=ProgressOut(
            folder=progress.folder,
            folders_done=progress.folders_done,
            folders_total=progress.folders_total,
            messages_done=progress.messages_done,
            messages_total=progress.messages_total,
            bytes_done=progress.bytes_done,
            bytes_per_s=round(rate.bytes_per_s, 1),
            seconds_left=None if rate.left is None else round(rate.left.total_seconds()),
            phase=progress.phase,
            phase_done=progress.phase_done,
            phase_total=progress.phase_total,
            phase_text=phase_text(texts, import_),
        ),
    )


def batch_out(texts: CatalogTranslator, batch: Batch, imports: Iterable[Import], now: datetime) -> BatchOut:
    import_jsons = [import_out(texts, import_, now) for import_ in imports]
    return BatchOut(
        id=batch.id,
        name=batch.name,
        submitter=batch.submitter,
        created_at=batch.created_at,
        states=Counter(import_json.state.value for import_json in import_jsons),
        imports=import_jsons,
    )


def _account(account: Account) -> AccountOut:
    return AccountOut(address=account.address, server=str(account.endpoint))
