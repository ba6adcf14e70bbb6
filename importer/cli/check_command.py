"""`check`: one pair of mailboxes, looked at before anything is copied."""

from __future__ import annotations

from importer.bootstrap import standalone
from importer.cli import check_view, mailbox_options
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
    To,
    ToPasswordEnv,
    ToPasswordFile,
)
from importer.domain.people.batch_right import right_of_console
from importer.service.access.sealed_grants import credentials_at_once
from importer.service.imports.check_mailboxes import check as check_mailboxes
from importer.settings import Settings


def check(
    from_: From,
    to: To,
    from_password_file: FromPasswordFile = None,
    from_password_env: FromPasswordEnv = None,
    to_password_file: ToPasswordFile = None,
    to_password_env: ToPasswordEnv = None,
    labels: Labels = None,
    data: DataOption = None,
    ca_file: CaFile = None,
    allow_plaintext: AllowPlaintext = False,
    as_json: Json = False,
) -> None:
    """Log in to both mailboxes and show what there is and what a copy would do, without copying anything.

    Example: mailhaul check --from imaps://ada@old.example --from-password-file old.txt
    --to imaps://ada@new.example --to-password-file new.txt
    """
    settings = Settings.load(data=data, ca_file=ca_file, allow_plaintext=allow_plaintext or None)
    row = mailbox_options.row(
        settings, from_, from_password_file, from_password_env, to, to_password_file, to_password_env
    )
    with standalone(settings) as deps, stderr.status("connecting") as status:
        opened = credentials_at_once(deps, row, right_of_console(deps.master))
        source, destination = (row.source, opened.source), (row.destination, opened.destination)
        for found in check_mailboxes(deps, source, destination, labels or settings.labels):
            weighed = sum(folder.size_bytes is not None for folder in found.folders)
            if found.ready and found.folders:
                status.update(f"looking through folders: {weighed} of {len(found.folders)}")
    check_view.show(found, as_json=as_json)
    raise ends(check_view.exit_code(found))
