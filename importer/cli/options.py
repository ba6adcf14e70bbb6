"""Options and arguments that several commands share, as decorators."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click

from importer.cli.argument_texts import refused_argument
from importer.domain.csv_import.csv_cells import Refused
from importer.domain.import_options import OPTIONS, Option

E = TypeVar("E", bound=StrEnum)
Function = Callable[..., None]

PATH: Final = click.Path(path_type=Path)


def complete(name: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """The named function of `importer.cli.completion`, which is imported when a shell requests completion."""

    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> Any:
        return getattr(import_module("importer.cli.completion"), name)(ctx, param, incomplete)

    return offer


class EnumChoice(click.Choice[E]):
    """The members of a StrEnum by their values; click.Choice offers their names."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        return super().normalize_choice(str(choice), ctx)


class PasswordSource(NamedTuple):
    """The source of a password. With neither, the command prompts for a required password."""

    file: Path | None
    variable: str | None

    @property
    def given(self) -> bool:
        return self.file is not None or self.variable is not None


class MailboxPair(NamedTuple):
    """The two mailboxes of `copy`, `check` and `submit`, as typed."""

    source: str
    source_password: PasswordSource
    destination: str
    destination_password: PasswordSource


class MailChoices(NamedTuple):
    """Recipient and language of the mails about an import; None selects those of the settings."""

    notify: str | None
    language: str | None


data = click.option("--data", type=PATH, help="Directory for Mailhaul's state. [env: MAILHAUL_DATA]")
ca_file = click.option(
    "--ca-file", type=PATH, help="CA certificates (PEM) to trust in addition to the system's."
)
allow_plaintext = click.option(
    "--allow-plaintext", is_flag=True, help="Let imap:// continue unencrypted if the server lacks STARTTLS."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
language = click.option(
    "--language",
    type=click.Choice(("en", "de", "fr", "it", "es")),
    help="Language of the sentences, else that of the shell. [env: MAILHAUL_LANGUAGE]",
)
import_id = click.argument(
    "id_", metavar="ID", help="ID of an import, or its beginning.", shell_complete=complete("complete_import")
)
import_or_batch_id = click.argument(
    "id_",
    metavar="ID",
    help="ID of an import or a batch, or its beginning.",
    shell_complete=complete("complete_import_or_batch"),
)
optional_import_or_batch_id = click.argument(
    "id_",
    metavar="[ID]",
    required=False,
    shell_complete=complete("complete_import_or_batch"),
)

_notify = click.option(
    "--notify", help="Your mail address, to receive the report as well. [env: MAILHAUL_SUBMITTER]"
)
_language = click.option(
    "--language",
    type=click.Choice(("en", "de", "fr", "it", "es")),
    help="Language of the mails and of the sentences here; if left out, the sentences are in that of the"
    " shell. [env: MAILHAUL_LANGUAGE]",
)
_source = click.option(
    "--from",
    "source",
    required=True,
    help="Old mailbox: a mail address, or imaps://LOGIN@HOST[:PORT] (imap:// for STARTTLS), such as"
    " imaps://ada@old.example@imap.old.example.",
)
_destination = click.option("--to", "destination", required=True, help="New mailbox, written like --from.")


def source_password(function: Function) -> Function:
    """Passes --from-password-file and --from-password-env as `source_password: PasswordSource`."""
    return _password_options(function, "from", "source_password")


def destination_password(function: Function) -> Function:
    """Passes --to-password-file and --to-password-env as `destination_password: PasswordSource`."""
    return _password_options(function, "to", "destination_password")


def mailbox_pair(function: Function) -> Function:
    """Passes --from, --to and the options for their passwords as `mailboxes: MailboxPair`."""
    function = packed(function, "mailboxes", MailboxPair, MailboxPair._fields)
    return _source(source_password(_destination(destination_password(function))))


def import_options(function: Function) -> Function:
    """Passes the options of imports as `choices: Choices`."""
    function = packed(function, "choices", _choices, tuple(OPTIONS))
    for option in reversed(OPTIONS.values()):
        function = _import_option(option)(function)
    return function


def mail_choices(function: Function) -> Function:
    """Passes --notify and --language as `mails: MailChoices`."""
    return _notify(_language(packed(function, "mails", MailChoices, MailChoices._fields)))


class _OptionText(click.ParamType[Any]):
    """The text of an option."""

    def __init__(self, option: Option) -> None:
        self.name = option.name
        self._option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._option.parse(value)
        except Refused as refused:
            self.fail(refused_argument(refused), param, ctx)


def import_option(name: str, flag: str = "") -> Callable[[Function], Function]:
    """Passes one import option under its name, None if it is left open. `flag` is a shorter flag."""
    return _import_option(OPTIONS[name], flag)


def _import_option(option: Option, flag: str = "") -> Callable[[Function], Function]:
    parameters = (flag, option.name) if flag else ()
    flag = f"--{option.name.replace('_', '-')}"
    help_ = f"{option.help} [env: MAILHAUL_{option.name.upper()}]"
    if option.api_type is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", default=None, help=help_)
    kind = EnumChoice([word.value for word in option.words]) if option.words else _OptionText(option)
    return click.option(*(parameters or (flag,)), type=kind, help=help_)


def _choices(*values: object) -> dict[str, object]:
    return {name: value for name, value in zip(OPTIONS, values, strict=True) if value is not None}


def _password_options(function: Function, prefix: str, parameter: str) -> Function:
    file, variable = f"{prefix}_password_file", f"{prefix}_password_env"
    function = packed(function, parameter, PasswordSource, (file, variable))
    function = click.option(
        f"--{prefix}-password-env", variable, metavar="NAME", help="Environment variable with the password."
    )(function)
    return click.option(
        f"--{prefix}-password-file", file, type=PATH, help="File with the password in its first line."
    )(function)


def packed(
    function: Function, parameter: str, make: Callable[..., object], options: tuple[str, ...]
) -> Function:
    """The function with one `parameter` in place of those that `options` name."""

    @wraps(function)
    def wrapper(**values: object) -> None:
        packed = make(*(values.pop(option) for option in options))
        function(**values, **{parameter: packed})

    return wrapper
