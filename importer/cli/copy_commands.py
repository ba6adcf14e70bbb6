"""`copy` and `submit`: one mailbox, in the foreground or through the queue."""

from __future__ import annotations

import json

from importer.bootstrap import access_of, queued, standalone
from importer.cli import mailbox_options, text_views
from importer.cli.exit_codes import ends, stderr
from importer.cli.options import (
    AllowPlaintext,
    CaFile,
    DataOption,
    From,
    FromPasswordEnv,
    FromPasswordFile,
    Json,
    Labels,
    LanguageOption,
    Notify,
    SyncFlags,
    To,
    ToPasswordEnv,
    ToPasswordFile,
)
from importer.cli.progress_bar import bar
from importer.domain.model import Import
from importer.domain.people.batch_right import right_of_console
from importer.service.access import owner_consent
from importer.service.access.sealed_grants import sign_in
from importer.service.imports.finish import report_of
from importer.service.imports.foreground_copy import copy as copy_mailbox
from importer.service.imports.submit import submit as submit_rows
from importer.service.notify.deliver_mail import deliver
from importer.settings import Settings


def copy(
    from_: From,
    to: To,
    from_password_file: FromPasswordFile = None,
    from_password_env: FromPasswordEnv = None,
    to_password_file: ToPasswordFile = None,
    to_password_env: ToPasswordEnv = None,
    labels: Labels = None,
    sync_flags: SyncFlags = None,
    notify: Notify = "",
    language: LanguageOption = None,
    data: DataOption = None,
    ca_file: CaFile = None,
    allow_plaintext: AllowPlaintext = False,
    as_json: Json = False,
) -> None:
    """Copy one mailbox now, in the foreground. Run it again to fetch what is new.

    Example: mailhaul copy --from imaps://ada@old.example --from-password-file old.txt
    --to imaps://ada@new.example --to-password-file new.txt
    """
    settings = Settings.load(
        data=data, ca_file=ca_file, allow_plaintext=allow_plaintext or None, sync_flags=sync_flags
    )
    row = mailbox_options.row(
        settings, from_, from_password_file, from_password_env, to, to_password_file, to_password_env
    )
    row = row.chosen(labels or settings.labels, sync_flags=settings.sync_flags)
    text_views.label_rule([row])
    with standalone(settings) as deps:

        def waits(import_: Import) -> None:
            if import_.problem is not None:
                stderr.print(f"[yellow]…[/] {text_views.plain(text_views.why(import_, deps.clock.now()))}")

        with bar(quiet=as_json) as watch:
            import_ = copy_mailbox(
                deps,
                row,
                submitter=notify or settings.submitter,
                language=language or settings.language,
                watch=watch,
                waits=waits,
            )
        deliver(deps)
        result = report_of(deps, import_)
    text_views.report(result, as_json=as_json)
    raise ends(result.exit_code)


def submit(
    from_: From,
    to: To,
    from_password_file: FromPasswordFile = None,
    from_password_env: FromPasswordEnv = None,
    to_password_file: ToPasswordFile = None,
    to_password_env: ToPasswordEnv = None,
    labels: Labels = None,
    sync_flags: SyncFlags = None,
    notify: Notify = "",
    language: LanguageOption = None,
    data: DataOption = None,
    allow_plaintext: AllowPlaintext = False,
    as_json: Json = False,
) -> None:
    """Hand one mailbox to the workers; they copy it, and a mail tells when it is done.

    Example: mailhaul submit --from imaps://ada@old.example --from-password-file old.txt
    --to imaps://ada@new.example --to-password-file new.txt --notify admin@new.example
    """
    settings = Settings.load(data=data, allow_plaintext=allow_plaintext or None, sync_flags=sync_flags)
    row = mailbox_options.row(
        settings,
        *(from_, from_password_file, from_password_env),
        *(to, to_password_file, to_password_env),
        sign_in=sign_in(access_of(settings), organisation=True),
    )
    row = row.chosen(labels or settings.labels, sync_flags=settings.sync_flags)
    text_views.label_rule([row])
    with queued(settings) as deps:
        submission = submit_rows(
            deps,
            [row],
            name="submit",
            submitter=notify or settings.submitter,
            language=language or settings.language,
            again=True,
            organisation=True,
            right=right_of_console(deps.master),
        )
        placed = submission.placed[0]
        links = owner_consent.links(deps, [placed.import_])
        if as_json:
            facts = {"id": placed.import_.id, "batch_id": placed.import_.batch_id, "fate": placed.fate.value}
            print(json.dumps({**facts, "consent_links": links.get(placed.import_.id, {})}))  # noqa: T201
        else:
            text_views.placed(placed)
            text_views.links(links)
