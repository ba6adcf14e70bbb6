"""Requests and answers of jobs that read both mailboxes of an import."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, SecretStr

from importer.web.api.request_schemas import RequestModel

_WHILE_STORED: Final = "Empty while both passwords of the import are stored."


class _ReadIn(RequestModel):
    source_password: SecretStr = Field(SecretStr(""), description=_WHILE_STORED)
    destination_password: SecretStr = Field(
        SecretStr(""), description=f"{_WHILE_STORED} Or if the token has the batch right for that mailbox."
    )


class VerifyIn(_ReadIn):
    sample: int | None = Field(100, ge=1, le=1_000_000, description="Null: every message.")


class TraceIn(_ReadIn):
    message_id: str = Field(min_length=1, max_length=998, examples=["<4711@old.example>"])


class ReadingOut(BaseModel):
    """A job that reads both mailboxes."""

    state: Literal["under way", "done", "failed"]
    began_at: datetime
    folder: str | None = Field(default=None, description="The folder that is being read.")
    result: dict[str, Any] | list[dict[str, Any]] | None = None
    reason: str | None = Field(default=None, description="The code of why it failed.")
    message: str | None = None
