"""Mailhaul's settings: environment variables that start with MAILHAUL_, read once at start-up.

Invariants: every setting has a variable, a default and a description (`Settings.table`); all invalid values
are reported together, each with its fix; no secret appears in `repr`, `str` or an error. An empty variable
counts as unset. Any variable may come from a file instead: see `secret_files`.
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
from providers.text import Text

__all__ = ["Settings", "SettingsError"]


class Settings(FrontEndSettings):
    """All settings, frozen. Build it with `Settings.load`, which raises SettingsError.

    Times are in seconds, sizes in bytes. Order matters: a setting may depend on those above it.
    """

    _given: frozenset[str]

    log_format: Literal["console", "json"] = setting(
        "console",
        "Format of the log on stderr.",
        Text("setting_rule.one_of", words="console, json"),
        one_of_in_any_case("console", "json"),
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info",
        "Lowest level that is logged.",
        Text("setting_rule.one_of", words="debug, info, warning, error"),
        one_of_in_any_case("debug", "info", "warning", "error"),
    )

    def __init__(self, values: Mapping[str, Any], given: Iterable[str] = ()) -> None:
        """Expects a value for each setting, and the names of those that were given; `load` provides them."""
        vars(self).update(values, _given=frozenset(given))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"settings are frozen; {name} cannot be changed")

    def __repr__(self) -> str:
        shown = (
            f"{name}={getattr(self, name)!r}" for name, field in settings_of(Settings) if not field.hidden
        )
        return f"Settings({', '.join(shown)})"

    @classmethod
    def load(cls, **overlay: object) -> Settings:
        """Reads the environment and the secret files. `overlay` holds values of the command line by field
        name (`data`, `ca_file`, `allow_plaintext` …). They override the environment; None means not given, so
        an omitted flag is None, not False.

        Raises SettingsError with all problems together.
        """
        fields = dict(settings_of(cls))
        given = _from_environment(fields) | {
            name: value for name, value in overlay.items() if value is not None
        }
        values: dict[str, Any] = {}
        problems = [Text("setting_unknown", name=name) for name in given if name not in fields]
        for name, field in fields.items():
            try:
                values[name] = field.read(given[name], values) if name in given else field.omitted(values)
            except ValueError:
                problems.append(_problem(name, field, given.get(name, field.default(values))))
        if problems:
            raise SettingsError(*problems)
        return cls(values, given)

    @classmethod
    def table(cls) -> list[tuple[str, str, str]]:
        """(variable, default, meaning) of every setting, in order."""
        return [(PREFIX + name.upper(), field.shown, field.meaning) for name, field in settings_of(cls)]

    def is_given(self, name: str) -> bool:
        """Whether the environment, a file or the command line sets it, even to its default."""
        return name in self._given

    @property
    def web_origin(self) -> str:
        """The origin of the web pages, `scheme://host[:port]`, as browsers serialise it: in lower case and
        without the default port of the scheme (RFC 6454 section 6.2)."""
        scheme, _, authority = (self.public_url or f"http://{self.web_listen}").lower().partition("://")
        host = authority.removesuffix({"http": ":80", "https": ":443"}[scheme])
        return f"{scheme}://{host}"

    def data_dir(self) -> Path:
        """The data directory, created if absent and accessible to its owner only. Raises SettingsError."""
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                Text("setting_data_folder", folder=str(self.data), reason=error.strerror or str(error))
            ) from None
        return self.data

    @property
    def master(self) -> MasterUser | None:
        """The master user of the destination server, if configured."""
        if self.destination_server is None or self.destination_master_password is None:
            return None
        return MasterUser(
            self.destination_server,
            self.destination_master_user,
            self.destination_master_password,
            self.destination_master_separator,
        )


def _from_environment(names: Iterable[str]) -> dict[str, object]:
    """Values from the environment and the secret files, by setting name. Raises SettingsError."""
    variables = {PREFIX + name.upper(): name for name in names}
    try:
        files = secret_files.read(os.environ, (v for v, name in variables.items() if name != "secrets_dir"))
    except secret_files.SecretFilesUnusable as error:
        raise SettingsError(*error.problems) from None
    texts = {variable: os.environ[variable] for variable in variables if os.environ.get(variable)} | files
    return {variables[variable]: text for variable, text in texts.items()}


def _problem(name: str, field: Setting, given: object) -> Text:
    """The variable, its value (unless secret) and the rule that it violates."""
    variable = PREFIX + name.upper()
    if field.hidden:
        return Text("setting_invalid.hidden", variable=variable, rule=field.rule)
    value = _without_credentials(str(given))
    return Text("setting_invalid", variable=variable, value=value, rule=field.rule)


def _without_credentials(value: str) -> str:
    """`value` without the part before the last @ if that contains a colon, and so possibly a password."""
    before, at, after = value.rpartition("@")
    return f"•••@{after}" if at and ":" in before else value
