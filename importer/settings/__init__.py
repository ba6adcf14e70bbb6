"""Mailferry's settings: environment variables that start with MAILFERRY_, read once at the start.

Invariants kept here: every setting has a variable, a default and a meaning (`Settings.table`); wrong
values are reported all at once, each with its fix; no secret shows in `repr`, `str` or an error.
An empty variable counts as not set. Any of them may come from a file instead: see `secret_files`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from importer import secret_files
from importer.settings.fields import setting
from importer.settings.front_ends import FrontEnds
from importer.settings.kinds import PREFIX, SettingsError
from providers.master import MasterUser

__all__ = ["Settings", "SettingsError"]


class Settings(FrontEnds):
    """All settings, frozen. Build it with `Settings.load`, which raises SettingsError.

    Times are seconds, sizes are bytes. Order matters: a field may look at those above it.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, arbitrary_types_allowed=True, extra="forbid"
    )

    log_format: Literal["console", "json"] = setting(
        "console", "Form of the log on stderr.", "console or json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "Least level that is logged.", "debug, info, warning or error"
    )

    @classmethod
    def load(cls, **overlay: object) -> Settings:
        """Reads the environment. `overlay` is what the command line gave, by field name (`data`,
        `ca_file`, `allow_plaintext` …): it wins over the environment, and None means not given
        (so a flag that was left out is None, not False). Files of secrets stand for variables.

        Raises SettingsError with all problems at once.
        """
        given: dict[str, Any] = {name: value for name, value in overlay.items() if value is not None}
        fields = {PREFIX + name.upper(): name for name in cls.model_fields if name != "secrets_dir"}
        try:
            files = secret_files.read(os.environ, fields)
            return cls(**{fields[variable]: text for variable, text in files.items()} | given)
        except secret_files.SecretFilesUnusable as error:
            raise SettingsError(list(error.problems)) from None
        except ValidationError as error:
            raise SettingsError([_sentence(detail) for detail in error.errors()]) from None

    @classmethod
    def table(cls) -> list[tuple[str, str, str]]:
        """(variable, default, meaning) of every setting, in order."""
        rows = []
        for name, field in cls.model_fields.items():
            shown = _extra(name)["shown"] or str(field.default)
            rows.append((PREFIX + name.upper(), shown, field.description or ""))
        return rows

    @property
    def web_origin(self) -> str:
        """Where the pages are, `scheme://host[:port]`, as browsers write it: small letters, and no
        port where it is the scheme's own (RFC 6454 section 6.2)."""
        scheme, _, where = (self.public_url or f"http://{self.web_listen}").lower().partition("://")
        host = where.removesuffix({"http": ":80", "https": ":443"}[scheme])
        return f"{scheme}://{host}"

    def data_dir(self) -> Path:
        """The data directory; made, readable by its owner only, when absent. Raises SettingsError."""
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                [f"{PREFIX}DATA is “{self.data}”, which cannot be made: {error.strerror}. Name another."]
            ) from None
        return self.data

    @property
    def has_organisation(self) -> bool:
        """Whether some organisation lets us into its mailboxes."""
        return self.google_service_account_file is not None or bool(self.microsoft_organisation_tenant)

    @property
    def master(self) -> MasterUser | None:
        """The master user of the host that imports go to."""
        if self.destination_server is None or self.destination_master_password is None:
            return None
        return MasterUser(
            self.destination_server,
            self.destination_master_user,
            self.destination_master_password,
            self.destination_master_separator,
        )

    @field_validator("log_format", "log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value


def _extra(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", Settings.model_fields[name].json_schema_extra)


def _sentence(detail: ErrorDetails) -> str:
    """One problem, told to the operator: which variable, which value (unless it is secret), what to write."""
    name = str(detail["loc"][0])
    if name not in Settings.model_fields:
        return f"“{name}” is not a setting."
    variable = PREFIX + name.upper()
    rule = _extra(name)["rule"]
    if not Settings.model_fields[name].repr:
        return f"{variable} cannot be used (its value is not shown); it must be {rule}."
    return f"{variable} is “{_without_credentials(str(detail['input']))}”; it must be {rule}."


def _without_credentials(value: str) -> str:
    """Everything before the last @ is left out where a colon in it may set off a password."""
    before, at, after = value.rpartition("@")
    return f"•••@{after}" if at and ":" in before else value
