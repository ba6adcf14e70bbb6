"""`copy` and `submit`: one mailbox, in the foreground or through the queue."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from importer.bootstrap import access_of, queued, standalone
from importer.cli import mailbox_options, options, text_views
from importer.cli.console_actor import console_actor
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import exit_with, stderr
from importer.cli.import_list import wait_reason
from importer.cli.operator_events import record_operator
from importer.cli.options import MailboxPair, MailChoices
from importer.cli.progress_bar import progress_bar
from importer.cli.report_view import print_report
from importer.domain.audit_event import AuditAction
from importer.domain.import_options import Choices
from importer.domain.model import Import
from importer.service.access import consent_requests
from importer.service.access.sealed_grants import sign_in_method
from importer.service.imports.finish import report_of
from importer.service.imports.foreground_copy import copy as copy_mailbox
from importer.service.imports.submit import submit as submit_rows
from importer.service.notify.deliver_mail import send_due_mail
from importer.settings import Settings
from providers.text import Text


@click.command
@options.mailbox_pair
@options.import_options
@options.mail_choices
@options.data
@options.ca_file
@options.allow_plaintext
@options.as_json
def copy(
    mailboxes: MailboxPair,
    choices: Choices,
    mails: MailChoices,
    data: Path | None,
    ca_file: Path | None,
    allow_plaintext: bool,
    as_json: bool,
) -> None:
    """Copy one mailbox now, in the foreground.

    Run it again to copy new mail.

    \b
    Example:
      mailhaul copy --from ada@old.example --from-password-file old.txt \\
        --to imaps://ada@new.example@imap.new.example --to-password-file new.txt
    """
    settings = Settings.load(
        data=data, ca_file=ca_file, allow_plaintext=allow_plaintext or None, language=mails.language
    )
    words = console_texts(settings)
    row = mailbox_options.import_row(settings, mailboxes)
    import_options = settings.import_options.choose(choices)
    text_views.print_label_rules(words, [row], import_options)
    with standalone(settings) as all_deps:
        # Without these, no output would contain the SHA-256 of the evidence, so it is not sealed now.
        states_digest = as_json or all_deps.outgoing_mail is not None
        deps = all_deps if states_digest else replace(all_deps, signer=None)

        def print_wait(import_: Import) -> None:
            if import_.problem is not None:
                reason = wait_reason(words, import_, deps.clock.now())
                stderr.print(f"[yellow]…[/] {text_views.plain(reason)}")

        with progress_bar(words, quiet=as_json) as watch:
            import_ = copy_mailbox(
                deps,
                console_actor(settings, notify=mails.notify, language=mails.language),
                row,
                options=import_options,
                on_progress=watch,
                on_wait=print_wait,
            )
        record_operator(deps, AuditAction.IMPORT_START, [import_.id], detail=Text("audit_foreground"))
        send_due_mail(deps)
        report = report_of(deps, import_)
    print_report(words, report, as_json=as_json)
    raise exit_with(report.exit_code)


@click.command
@options.mailbox_pair
@options.import_options
@options.mail_choices
@options.data
@options.allow_plaintext
@options.as_json
def submit(
    mailboxes: MailboxPair,
    choices: Choices,
    mails: MailChoices,
    data: Path | None,
    allow_plaintext: bool,
    as_json: bool,
) -> None:
    """Queue one mailbox for the workers to copy.

    If MAILHAUL_SMTP_URL is set, the report is also sent by mail.

    \b
    Example:
      mailhaul submit --from ada@old.example --from-password-file old.txt \\
        --to imaps://ada@new.example@imap.new.example --to-password-file new.txt \\
        --notify admin@new.example
    """
    settings = Settings.load(data=data, allow_plaintext=allow_plaintext or None, language=mails.language)
    row = mailbox_options.import_row(
        settings, mailboxes, sign_in=sign_in_method(access_of(settings), organisation=True)
    )
    import_options = settings.import_options.choose(choices)
    words = console_texts(settings)
    text_views.print_label_rules(words, [row], import_options)
    with queued(settings) as deps:
        submission = submit_rows(
            deps,
            console_actor(settings, notify=mails.notify, language=mails.language),
            [row],
            options=import_options,
            name="submit",
            again=True,
        )
        record_operator(deps, AuditAction.IMPORT_START, [i.id for i in submission.started])
        submitted = submission.rows[0]
        import_ = submitted.import_
        links = consent_requests.links(deps, [import_])
        text_views.print_maintenance(words, deps.store.maintenance())
    if as_json:
        facts = {"id": import_.id, "batch_id": import_.batch_id, "fate": submitted.outcome.value}
        click.echo(json.dumps({**facts, "consent_links": links.get(import_.id, {})}))
    else:
        text_views.print_submitted_row(words, submitted)
        text_views.print_consent_links(words, links)
