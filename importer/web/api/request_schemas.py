"""The JSON of requests. Times are ISO 8601 in UTC, sizes are bytes, durations are seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model, model_validator

from importer.domain.csv_import.import_rows import BATCH_ROWS
from importer.domain.import_options import SCHEDULE_OPTIONS
from importer.web.api import option_fields
from importer.web.bad_requests import require_unicode
from providers.sign_in_providers import names

LanguageCode = Literal["en", "de", "fr", "it", "es"]
Language = Literal["", LanguageCode]

_BY_OWNER: Final = f"Empty if its owner signs in at {names()}."
_BY_RIGHT: Final = (
    f"Empty if its owner signs in at {names()}, or if the token has the batch right for that mailbox."
)


class RequestModel(BaseModel):
    """A request body. Unknown fields are refused, because a misspelt field would be ignored silently."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _texts_are_unicode(cls, fields: Any) -> Any:
        """Raises BadRequest, which is not a ValueError: the text cannot even be quoted in an answer."""
        if isinstance(fields, dict):
            require_unicode(fields)
        return fields


if TYPE_CHECKING:

    class RowOptions(RequestModel):
        """The options that a row chooses."""

    class OrderOptions(RequestModel):
        """The options of rows that leave them open."""

    class RerunOptions(RequestModel):
        """The options that differ from the earlier import's."""

    class ScheduleIn(RequestModel):
        """The time until which an import fetches new mail."""

else:
    _rows = option_fields.requested(lambda o: f"{o.help} Null for the installation's default.")
    RowOptions = create_model("RowOptions", __base__=RequestModel, **_rows)
    _order = option_fields.requested(
        lambda _: "For rows without their own value; null for the installation's default."
    )
    OrderOptions = create_model("OrderOptions", __base__=RequestModel, **_order)
    _rerun = option_fields.requested(lambda _: "Null for the value of the earlier import.")
    RerunOptions = create_model("RerunOptions", __base__=RequestModel, **_rerun)
    _schedule = option_fields.requested(lambda o: f"{o.help} Null for its present value.")
    ScheduleIn = create_model(
        "ScheduleIn", __base__=RequestModel, **{name: _schedule[name] for name in SCHEDULE_OPTIONS}
    )


class RowIn(RowOptions):
    """A source and a destination mailbox. The fields are the columns of the CSV file."""

    source_address: str = Field(examples=["ada@old.example"])
    source_password: SecretStr = Field(SecretStr(""), description=_BY_OWNER)
    source_server: str = Field(
        "", description="Detected from the address if empty.", examples=["imap.old.example"]
    )
    destination_address: str = Field(examples=["ada@new.example"])
    destination_password: SecretStr = Field(SecretStr(""), description=_BY_RIGHT)
    destination_server: str = Field("", description="The server of this installation if empty.")

    def cells(self) -> dict[str, str]:
        """The cells by column, for `row_parser.parse_cells`."""
        return {name: _cell(getattr(self, name)) for name in RowIn.model_fields}


def _cell(value: str | bool | SecretStr | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case SecretStr():
            return value.get_secret_value()
        case _:
            return value


class Order(OrderOptions):
    """Options of a submission. The submitter receives the report by email."""

    submitter: str = ""
    language: Language = Field(
        "", description="The language of the emails; empty for the installation's default."
    )
    again: bool = Field(
        False, description="Also start imports that are already complete, to copy new messages."
    )


class ImportIn(RowIn, Order):
    """One row and its options."""

    source_password_by_link: bool = Field(
        False,
        description="Without `source_password`: the owner of the source enters it over the link that"
        " `GET /imports/{import_id}/consent` has. No mail goes out; hand the link on.",
    )


class FileIn(Order):
    """The query parameters of a file."""

    name: str = Field("", max_length=200)


class BatchIn(Order):
    name: str = Field("", max_length=200)
    rows: Annotated[list[RowIn], Field(min_length=1, max_length=BATCH_ROWS)]


class PasswordsIn(RerunOptions):
    source_password: SecretStr = Field(SecretStr(""), description=_BY_OWNER)
    destination_password: SecretStr = Field(SecretStr(""), description=_BY_RIGHT)
    failed_only: bool = Field(
        False,
        description="Copy only the messages that failed in this import; new mail and everything else stay as"
        " they are. 409 if none failed.",
    )


class UndoIn(RequestModel):
    destination_password: SecretStr = Field(
        SecretStr(""),
        description="Empty if the token has the batch right for that mailbox, or the scope `admin` and an"
        " organisation-wide grant opens it.",
    )


class DetectIn(RequestModel):
    address: str = Field(examples=["ada@old.example"])
    language: LanguageCode = "en"


class MaintenanceIn(RequestModel):
    on: bool
    note: str = Field("", max_length=300, description="What users are told.")
