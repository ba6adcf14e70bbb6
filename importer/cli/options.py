"""Options and arguments that several commands share, as decorators."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import click

from importer.domain.folder_mapping.label_rules import LabelRule

E = TypeVar("E", bound=StrEnum)
Function = Callable[..., None]

PATH: Final = click.Path(path_type=Path)


class EnumChoice(click.Choice[E]):
    """The members of a StrEnum by their values; click.Choice offers their names."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        return super().normalize_choice(str(choice), ctx)


class PasswordSource(NamedTuple):
    """Where a password is read from. With neither, it is prompted for if one is needed."""

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


class ImportChoices(NamedTuple):
    """What `copy`, `submit` and `batch` choose for their imports; None leaves it to the settings."""

    labels: LabelRule | None
    sync_flags: bool | None
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
labels = click.option(
    "--labels",
    type=EnumChoice(LabelRule),
    help="For mail with several labels (Gmail). one: a single copy, in the folder of the most specific label;"
    " keywords: the same, with the other labels as keywords; each: one copy for each label."
    " [env: MAILHAUL_LABELS]",
)
import_id = click.argument("id_", metavar="ID", help="ID of an import.")
import_or_batch_id = click.argument("id_", metavar="ID", help="ID of an import or a batch.")

_sync_flags = click.option(
    "--sync-flags/--no-sync-flags",
    default=None,
    help="Copy flags that have changed in the old mailbox since an earlier import, such as read;"
    " flags changed in the new mailbox stay. [env: MAILHAUL_SYNC_FLAGS]",
)
_notify = click.option(
    "--notify", help="Your mail address, to receive the report as well. [env: MAILHAUL_SUBMITTER]"
)
_language = click.option(
    "--language",
    type=click.Choice(("en", "de", "fr", "it", "es")),
    help="Language of the mails. [env: MAILHAUL_LANGUAGE]",
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
    function = _packed(function, "mailboxes", MailboxPair, MailboxPair._fields)
    return _source(source_password(_destination(destination_password(function))))


def import_choices(function: Function) -> Function:
    """Passes --labels, --sync-flags, --notify and --language as `choices: ImportChoices`."""
    function = _packed(function, "choices", ImportChoices, ImportChoices._fields)
    return labels(_sync_flags(_notify(_language(function))))


def _password_options(function: Function, prefix: str, parameter: str) -> Function:
    file, variable = f"{prefix}_password_file", f"{prefix}_password_env"
    function = _packed(function, parameter, PasswordSource, (file, variable))
    function = click.option(
        f"--{prefix}-password-env", variable, metavar="NAME", help="Environment variable with the password."
    )(function)
    return click.option(
        f"--{prefix}-password-file", file, type=PATH, help="File with the password in its first line."
    )(function)


def _packed(
    function: Function, parameter: str, make: Callable[..., object], options: tuple[str, ...]
) -> Function:
    """The function with one `parameter` in place of those that `options` name."""

    @wraps(function)
    def wrapper(**values: object) -> None:
        packed = make(*(values.pop(option) for option in options))
        function(**values, **{parameter: packed})

    return wrapper
