"""`verify`: reads both mailboxes again and compares them."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from importer.bootstrap import standalone
from importer.cli import mailbox_options, options, text_views
from importer.cli.console_actor import console_actor
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, exit_with, stderr, stdout
from importer.cli.found_ids import import_of
from importer.cli.options import PasswordSource
from importer.domain.csv_import.import_rows import Row
from importer.domain.model import Import
from importer.domain.people.batch_right import right_of_console
from importer.domain.reporting.formatting import printable
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import CatalogTranslator
from importer.i18n.verification_texts import compared_text, count_texts, verification_json
from importer.service.access.sealed_grants import (
    Credentials,
    row_credentials,
    sign_in_method,
)
from importer.service.access.stored_credentials import stored_credentials
from importer.service.deps import Deps
from importer.service.imports.verify_import import VerifyRefused
from importer.service.imports.verify_import import verify as verify_import
from importer.settings import Settings
from providers.errors import GrantExpired, LoginRejected, MailError, Side

SAMPLE = 100
SHOWN = 50


@click.command
@options.import_id
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=SAMPLE,
    show_default=True,
    help="Compare this many messages, chosen at random.",
)
@click.option("--full", is_flag=True, help="Compare every message.")
@options.source_password
@options.destination_password
@options.language
@options.data
@options.ca_file
@options.as_json
def verify(
    id_: str,
    sample: int,
    full: bool,
    source_password: PasswordSource,
    destination_password: PasswordSource,
    language: str | None,
    data: Path | None,
    ca_file: Path | None,
    as_json: bool,
) -> None:
    """Read both mailboxes again and compare them, byte by byte.

    Compares content, flags and dates of the messages in the old mailbox with those in the new one, whatever
    the import recorded. Changes nothing on either side. Needs both passwords, unless they are still kept.

    \b
    Example:
      mailhaul verify k3v9m2xw7abc --full
    """
    settings = Settings.load(data=data, ca_file=ca_file, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        import_ = import_of(deps, id_, words)
        credentials = known_credentials(settings, deps, import_, source_password, destination_password)
        try:
            with stderr.status("") as status:
                result = verify_import(
                    deps,
                    import_,
                    credentials,
                    sample=None if full else sample,
                    on_folder=lambda folder: status.update(text_views.plain(folder)),
                )
        except VerifyRefused as refused:
            raise Usage(render_with_advice(refused.text, words)) from None
        except MailError as error:
            print_mail_error(words, error)
            rejected = isinstance(error, LoginRejected | GrantExpired)
            raise exit_with(ExitCode.LOGIN if rejected else ExitCode.WAITING) from None
    if as_json:
        text_views.print_json(verification_json(words, result))
    else:
        for sentence in count_texts(words, result):
            stdout.print(Text(sentence), soft_wrap=True)
        for one in result.differences[:SHOWN]:
            stdout.print(Text(f"• {printable(compared_text(words, one), 1000)}"), soft_wrap=True)
        if (more := len(result.differences) - SHOWN) > 0:
            stdout.print(Text(words.gettext("and %(number)s more.", number=words.number(more))))
    raise exit_with(ExitCode.COMPLETE if result.agrees else ExitCode.REFUSALS)


def print_mail_error(words: CatalogTranslator, error: MailError) -> None:
    """The error, on standard error."""
    stderr.print(f"[red]✗[/] {text_views.plain(render_with_advice(error.text, words, error.side), 600)}")


def known_credentials(
    settings: Settings,
    deps: Deps,
    import_: Import,
    source_password: PasswordSource,
    destination_password: PasswordSource,
) -> Credentials:
    """The kept passwords, otherwise those of the options, as for `copy`. Raises Usage."""
    if not (source_password.given or destination_password.given):
        stored = stored_credentials(deps, import_)
        if stored is not None:
            return stored
    sign_in = sign_in_method(deps.access, organisation=True)
    right = right_of_console(deps.master_user)
    old = mailbox_options.source_login(import_.source, source_password, sign_in)
    new = mailbox_options.destination_login(import_.destination, destination_password, sign_in, right)
    row = Row(1, import_.source, old.password, import_.destination, new.password, old.sign_in, new.sign_in)
    try:
        return row_credentials(deps, console_actor(settings, notify=None, language=None), row)
    except (GrantExpired, LoginRejected) as refused:
        words = console_texts(settings)
        raise Usage(render_with_advice(refused.text, words, refused.side or Side.SOURCE)) from None
