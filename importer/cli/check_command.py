"""`check`: inspects one pair of mailboxes before anything is copied."""

from __future__ import annotations

from pathlib import Path

import click

from importer.bootstrap import standalone
from importer.cli import check_view, mailbox_options, options
from importer.cli.console_actor import console_actor
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import exit_with, stderr
from importer.cli.options import MailboxPair
from importer.domain.import_options import Choices
from importer.i18n.phase_texts import check_phase_text
from importer.service.access.sealed_grants import row_credentials
from importer.service.imports.check_mailboxes import check as check_mailboxes
from importer.settings import Settings


@click.command
@options.mailbox_pair
@options.import_options
@options.language
@options.data
@options.ca_file
@options.allow_plaintext
@options.as_json
def check(
    mailboxes: MailboxPair,
    choices: Choices,
    language: str | None,
    data: Path | None,
    ca_file: Path | None,
    allow_plaintext: bool,
    as_json: bool,
) -> None:
    """Log in to both mailboxes and show what a copy would do.

    Shows the size of both mailboxes and where each folder goes. Nothing is copied.

    \b
    Example:
      mailhaul check --from ada@old.example --from-password-file old.txt \\
        --to imaps://ada@new.example@imap.new.example --to-password-file new.txt
    """
    settings = Settings.load(
        data=data, ca_file=ca_file, allow_plaintext=allow_plaintext or None, language=language
    )
    words = console_texts(settings)
    row = mailbox_options.import_row(settings, mailboxes)
    with standalone(settings) as deps, stderr.status(words.gettext("Connecting.")) as status:
        credentials = row_credentials(deps, console_actor(settings), row)
        source = (row.source, credentials.source)
        destination = (row.destination, credentials.destination)
        for snapshot in check_mailboxes(deps, source, destination, settings.import_options.choose(choices)):
            if snapshot.phase is not None:
                status.update(check_phase_text(words, snapshot))
    check_view.print_check(words, snapshot, as_json=as_json)
    raise exit_with(check_view.exit_code(snapshot))
