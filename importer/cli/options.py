"""Options that several commands share. Help is Rich markup: a bracket in it needs a backslash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from importer.domain.folder_mapping.label_rules import LabelRule

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Where Mailhaul keeps its state \\[env: MAILHAUL_DATA].")
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", help="Certificate authority to trust besides the system's (PEM).")
]
AllowPlaintext = Annotated[
    bool, typer.Option("--allow-plaintext", help="Let imap:// go on unencrypted where STARTTLS is missing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON on standard output.")]
Labels = Annotated[
    LabelRule | None,
    typer.Option(
        "--labels",
        help="Mail with several labels, from Gmail: one copy in its most specific label's folder; the same"
        " with the others as keywords; or one copy for each \\[env: MAILHAUL_LABELS].",
    ),
]
SyncFlags = Annotated[
    bool | None,
    typer.Option(
        "--sync-flags/--no-sync-flags",
        help="Bring over flags that changed at the old mailbox since the copy, such as read mail; what was"
        " changed at the new one stays \\[env: MAILHAUL_SYNC_FLAGS].",
    ),
]
Notify = Annotated[
    str,
    typer.Option("--notify", help="Your mail address; it gets the report too \\[env: MAILHAUL_SUBMITTER]."),
]
LanguageOption = Annotated[
    Literal["en", "de", "fr", "it", "es"] | None,
    typer.Option("--language", help="Language of the mails about it \\[env: MAILHAUL_LANGUAGE]."),
]
From = Annotated[
    str,
    typer.Option(
        "--from",
        help="The old mailbox: imaps://ada@old.example\\[:993]; imap:// uses STARTTLS. Or a mail address.",
    ),
]
FromPasswordFile = Annotated[
    Path | None, typer.Option("--from-password-file", help="File with the password in its first line.")
]
FromPasswordEnv = Annotated[
    str | None, typer.Option("--from-password-env", help="Name of an environment variable with the password.")
]
To = Annotated[str, typer.Option("--to", help="The new mailbox, written like --from.")]
ToPasswordFile = Annotated[
    Path | None, typer.Option("--to-password-file", help="File with the password in its first line.")
]
ToPasswordEnv = Annotated[
    str | None, typer.Option("--to-password-env", help="Name of an environment variable with the password.")
]
ImportOrBatch = Annotated[str, typer.Argument(metavar="ID", help="An import's id, or a batch's.")]
