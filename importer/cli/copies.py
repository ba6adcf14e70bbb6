"""`check`, `copy` and `submit`: one mailbox, looked at, in the foreground or through the queue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from importer.bootstrap import access_of, directory, foreground, queued
from importer.cli import accounts, checking, show
from importer.cli.exits import ends, stderr
from importer.cli.options import (
    AllowPlaintext,
    CaFile,
    Data,
    From,
    FromPasswordEnv,
    FromPasswordFile,
    Json,
    Labels,
    Language,
    Notify,
    SyncFlags,
    To,
    ToPasswordEnv,
    ToPasswordFile,
)
from importer.domain.batch_right import right_of_console
from importer.domain.model import Import, Progress
from importer.domain.rows import Row
from importer.domain.ways_in import SignIn
from importer.service import consent
from importer.service.check import check as check_mailboxes
from importer.service.copy import copy as copy_mailbox
from importer.service.deliver import deliver
from importer.service.finish import report_of
from importer.service.grants import credentials_at_once, sign_in
from importer.service.submit import submit as submit_rows
from importer.settings import Settings

if TYPE_CHECKING:
    from providers.discovery import Discovery


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
    language: Language = None,
    data: Data = None,
    ca_file: CaFile = None,
    allow_plaintext: AllowPlaintext = False,
    as_json: Json = False,
) -> None:
    """Copy one mailbox now, in the foreground. Run it again to fetch what is new.

    Example: mailferry copy --from imaps://ada@old.example --from-password-file old.txt
    --to imaps://ada@new.example --to-password-file new.txt
    """
    settings = Settings.load(
        data=data, ca_file=ca_file, allow_plaintext=allow_plaintext or None, sync_flags=sync_flags
    )
    row = _row(settings, from_, from_password_file, from_password_env, to, to_password_file, to_password_env)
    row = row.chosen(labels or settings.labels, sync_flags=settings.sync_flags)
    show.label_rule([row])
    with foreground(settings) as deps, _bar(quiet=as_json) as bar:
        task = bar.add_task("connecting", total=None)

        def watch(progress: Progress) -> None:
            bar.update(
                task,
                description=show.plain(progress.folder) or "…",
                completed=progress.messages_done,
                total=max(progress.messages_total, progress.messages_done),
            )

        def waits(import_: Import) -> None:
            if import_.problem is not None:
                bar.console.print(f"[yellow]…[/] {show.plain(show.why(import_, deps.clock.now()))}")

        import_ = copy_mailbox(
            deps,
            row,
            submitter=notify or settings.submitter,
            language=language or settings.language,
            watch=watch,
            waits=waits,
        )
        bar.stop()
        deliver(deps)
        result = report_of(deps, import_)
    show.report(result, as_json=as_json)
    raise ends(result.exit_code)


def check(
    from_: From,
    to: To,
    from_password_file: FromPasswordFile = None,
    from_password_env: FromPasswordEnv = None,
    to_password_file: ToPasswordFile = None,
    to_password_env: ToPasswordEnv = None,
    labels: Labels = None,
    data: Data = None,
    ca_file: CaFile = None,
    allow_plaintext: AllowPlaintext = False,
    as_json: Json = False,
) -> None:
    """Log in to both mailboxes and show what there is and what a copy would do, without copying anything.

    Example: mailferry check --from imaps://ada@old.example --from-password-file old.txt
    --to imaps://ada@new.example --to-password-file new.txt
    """
    settings = Settings.load(data=data, ca_file=ca_file, allow_plaintext=allow_plaintext or None)
    row = _row(settings, from_, from_password_file, from_password_env, to, to_password_file, to_password_env)
    with foreground(settings) as deps, stderr.status("connecting") as status:
        opened = credentials_at_once(deps, row, right_of_console(deps.master))
        source, destination = (row.source, opened.source), (row.destination, opened.destination)
        for found in check_mailboxes(deps, source, destination, labels or settings.labels):
            weighed = sum(folder.size_bytes is not None for folder in found.folders)
            if found.ready and found.folders:
                status.update(f"looking through folders: {weighed} of {len(found.folders)}")
    checking.show(found, as_json=as_json)
    raise ends(checking.exit_code(found))


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
    language: Language = None,
    data: Data = None,
    allow_plaintext: AllowPlaintext = False,
    as_json: Json = False,
) -> None:
    """Hand one mailbox to the workers; they copy it, and a mail tells when it is done.

    Example: mailferry submit --from imaps://ada@old.example --from-password-file old.txt
    --to imaps://ada@new.example --to-password-file new.txt --notify admin@new.example
    """
    settings = Settings.load(data=data, allow_plaintext=allow_plaintext or None, sync_flags=sync_flags)
    row = _row(
        settings,
        *(from_, from_password_file, from_password_env),
        *(to, to_password_file, to_password_env),
        sign_in=sign_in(access_of(settings), organisation=True),
    )
    row = row.chosen(labels or settings.labels, sync_flags=settings.sync_flags)
    show.label_rule([row])
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
        links = consent.links(deps, [placed.import_])
        if as_json:
            facts = {"id": placed.import_.id, "batch_id": placed.import_.batch_id, "fate": placed.fate.value}
            print(json.dumps({**facts, "consent_links": links.get(placed.import_.id, {})}))  # noqa: T201
        else:
            show.placed(placed)
            show.links(links)


def _row(
    settings: Settings,
    from_: str,
    from_file: Path | None,
    from_env: str | None,
    to: str,
    to_file: Path | None,
    to_env: str | None,
    *,
    sign_in: SignIn | None = None,
) -> Row:
    """Without a password where none is given and `sign_in` says so; by itself, where an organisation lets us
    in."""

    def find(address: str) -> Discovery:
        return directory(settings).discover(address)

    plaintext = settings.allow_plaintext
    access = access_of(settings)

    def let_in(provider: str, mailbox: str) -> bool:
        return access.organisation_grant(provider, mailbox) is not None

    can = sign_in or let_in
    source = accounts.account("--from", from_, allow_plaintext=plaintext, find=find, sign_in=can)
    destination = accounts.account("--to", to, allow_plaintext=plaintext, find=find, sign_in=can)
    accounts.refuse_circle(source, destination)
    right = right_of_console(settings.master)
    secret_out, where_out = accounts.way_out(source, from_file, from_env, can)
    secret_in, where_in = accounts.way_in(destination, to_file, to_env, can, right)
    return Row(0, source, secret_out, destination, secret_in, where_out, where_in)


def _bar(*, quiet: bool) -> ProgressBar:
    return ProgressBar(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=stderr,
        disable=quiet,
        transient=True,
    )
