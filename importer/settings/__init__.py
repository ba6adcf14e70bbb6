"""Mailhaul's settings: environment variables that start with MAILHAUL_, read once at the start.

Invariants kept here: every setting has a variable, a default and a meaning (`Settings.table`); wrong
values are reported all at once, each with its fix; no secret shows in `repr`, `str` or an error.
An empty variable counts as not set. Any of them may come from a file instead: see `secret_files`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from importer.settings import secret_files
from importer.settings.fields import Setting, setting, settings_of
from importer.settings.front_ends import FrontEndSettings
from importer.settings.value_types import PREFIX, SettingsError, one_of_in_any_case
from providers.master_user import MasterUser

__all__ = ["Settings", "SettingsError"]


class Settings(FrontEndSettings):
    """All settings, frozen. Build it with `Settings.load`, which raises SettingsError.

    Times are seconds, sizes are bytes. Order matters: a field may look at those above it.
    """

    log_format: Literal["console", "json"] = setting(
        "console",
        "Form of the log on stderr.",
        "console or json",
        one_of_in_any_case("console", "json"),
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info",
        "Least level that is logged.",
        "debug, info, warning or error",
        one_of_in_any_case("debug", "info", "warning", "error"),
    )

    def __init__(self, values: Mapping[str, Any]) -> None:
        """From a value for each setting; `load` knows them."""
        vars(self).update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings are frozen; {name} stays as it is")

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name, one in settings_of(Settings) if not one.hidden)
        return f"Settings({', '.join(shown)})"

    @classmethod
    def load(cls, **overlay: object) -> Settings:
        """Reads the environment. `overlay` is what the command line gave, by field name (`data`,
        `ca_file`, `allow_plaintext` …): it wins over the environment, and None means not given
        (so a flag that was left out is None, not False). Files of secrets stand for variables.

        Raises SettingsError with all problems at once.
        """
        known = dict(settings_of(cls))
        given = _given(known) | {name: value for name, value in overlay.items() if value is not None}
        values: dict[str, Any] = {}
        problems = [f"“{name}” is not a setting." for name in given if name not in known]
        for name, one in known.items():
            try:
                values[name] = one.read(given[name], values) if name in given else one.left_out(values)
            except ValueError:
                problems.append(_sentence(name, one, given.get(name, one.default(values))))
        if problems:
            raise SettingsError(problems)
        return cls(values)

    @classmethod
    def table(cls) -> list[tuple[str, str, str]]:
        """(variable, default, meaning) of every setting, in order."""
        return [(PREFIX + name.upper(), one.shown, one.meaning) for name, one in settings_of(cls)]

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


def _given(known: Iterable[str]) -> dict[str, object]:
    """What the environment and the files of secrets say, by name. Raises SettingsError."""
    variables = {PREFIX + name.upper(): name for name in known}
    try:
        files = secret_files.read(os.environ, (v for v, name in variables.items() if name != "secrets_dir"))
    except secret_files.SecretFilesUnusable as error:
        raise SettingsError(list(error.problems)) from None
    texts = {variable: os.environ[variable] for variable in variables if os.environ.get(variable)} | files
    return {variables[variable]: text for variable, text in texts.items()}


def _sentence(name: str, one: Setting, given: object) -> str:
    """One problem, told to the operator: which variable, which value (unless it is secret), what to write."""
    variable = PREFIX + name.upper()
    if one.hidden:
        return f"{variable} cannot be used (its value is not shown); it must be {one.rule}."
    return f"{variable} is “{_without_credentials(str(given))}”; it must be {one.rule}."


def _without_credentials(value: str) -> str:
    """Everything before the last @ is left out where a colon in it may set off a password."""
    before, at, after = value.rpartition("@")
    return f"•••@{after}" if at and ":" in before else value
