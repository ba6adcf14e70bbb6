"""`batch` and `template`: up to 25 mailboxes from a CSV file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from importer.bootstrap import access_of, directory, queued
from importer.cli import live_watch, text_views
from importer.cli.exit_codes import Usage, ends, stderr
from importer.cli.options import AllowPlaintext, DataOption, Json, Labels, LanguageOption, Notify, SyncFlags
from importer.domain.csv_import.import_rows import BATCH_ROWS, Parsed, parse, split
from importer.domain.csv_import.import_rows import annotate as annotated
from importer.domain.csv_import.import_rows import template as template_text
from importer.domain.people.batch_right import BatchRight, right_of_console
from importer.domain.reporting.report import ExitCode
from importer.service.access import owner_consent
from importer.service.access.sealed_grants import sign_in
from importer.service.imports.submit import Submission
from importer.service.imports.submit import submit as submit_rows
from importer.settings import Settings


def batch(
    file: Annotated[Path, typer.Argument(help="The CSV file; `mailhaul template` writes one to fill in.")],
    split_: Annotated[
        bool, typer.Option("--split", help=f"Take a file of more than {BATCH_ROWS} rows as several batches.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay, show progress, and end with the report.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Start rows that are complete once more, to fetch new mail.")
    ] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(help="Where to write the file once more, with its problems and without its passwords."),
    ] = None,
    labels: Labels = None,
    sync_flags: SyncFlags = None,
    notify: Notify = "",
    language: LanguageOption = None,
    data: DataOption = None,
    allow_plaintext: AllowPlaintext = False,
    as_json: Json = False,
) -> None:
    """Submit a CSV file of imports. Nothing starts unless every row is good.

    The same file again starts only what is new, failed, or has another password.

    Example: mailhaul batch people.csv --wait
    """
    settings = Settings.load(data=data, allow_plaintext=allow_plaintext or None, sync_flags=sync_flags)
    content = _content(file)
    right = right_of_console(settings.master)
    parsed = _parsed(content, settings, right, split_=split_)
    if parsed.problems:
        if annotate is not None:
            _annotate(file, content, parsed, annotate)
        _refuse(parsed, as_json=as_json, split_=split_)
    rows = [row.chosen(labels or settings.labels, sync_flags=settings.sync_flags) for row in parsed.rows]
    text_views.label_rule(rows)
    parsed = replace(parsed, rows=tuple(rows))
    with queued(settings) as deps:
        submissions: list[Submission] = [
            submit_rows(
                deps,
                rows,
                name=file.name,
                submitter=notify or settings.submitter,
                language=language or settings.language,
                again=again,
                organisation=True,
                right=right,
            )
            for rows in split(parsed)
        ]
        links = owner_consent.links(deps, (p.import_ for one in submissions for p in one.placed))
        if not as_json:
            for submission in submissions:
                for one in submission.placed:
                    text_views.placed(one)
            text_views.links(links)
        import_ids = [one.import_.id for submission in submissions for one in submission.placed]
        if wait:
            raise ends(live_watch.to_the_end(deps, import_ids, as_json=as_json))
        if as_json:
            text_views.print_json([_submission_json(submission, links) for submission in submissions])


def template(
    file: Annotated[
        Path | None, typer.Argument(help="Where to write it; standard output when left out.")
    ] = None,
) -> None:
    """Write the CSV template to fill in.

    Example: mailhaul template people.csv
    """
    if file is None:
        typer.echo(template_text(), nl=False)
        return
    try:
        with file.open("x", encoding="utf-8", newline="") as out:
            out.write(template_text())
    except FileExistsError:
        raise Usage(f"{file} is there already; name another file, or remove it first.") from None
    except OSError as error:
        raise Usage(f"{file} cannot be written: {error.strerror}.") from None
    stderr.print(f"Wrote {file}. Fill in one line for each mailbox, then: mailhaul batch {file}")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Usage(f"{file} cannot be read: {error.strerror}.") from None


def _annotate(file: Path, content: bytes, parsed: Parsed, out: Path) -> None:
    """The annotated file, which never takes the place of the one with the passwords."""
    if out.resolve() == file.resolve():
        raise Usage("--annotate: name another file, or the passwords in this one would be lost.")
    try:
        out.write_text(annotated(content, parsed), encoding="utf-8", newline="")
    except OSError as error:
        raise Usage(f"--annotate: {out} cannot be written: {error.strerror}.") from None
    stderr.print(f"Wrote {out}: correct its rows, fill in the passwords, and hand it in.")


def _parsed(content: bytes, settings: Settings, right: BatchRight, *, split_: bool) -> Parsed:
    return parse(
        content,
        catalog=directory(settings),
        destination=settings.destination_server,
        allow_plaintext=settings.allow_plaintext,
        max_rows=None if split_ else BATCH_ROWS,
        sign_in=sign_in(access_of(settings), organisation=True),
        right=right,
    )


def _refuse(parsed: Parsed, *, as_json: bool, split_: bool) -> None:
    if as_json:
        facts = [
            {"line": p.line, "column": p.column, "rule": p.rule, "message": p.message, "fix": p.fix}
            for p in parsed.problems
        ]
        text_views.print_json({"problems": facts, "rows": parsed.row_count})
    else:
        text_views.problems(parsed.problems)
        stderr.print("Nothing was started.")
        if parsed.row_count > BATCH_ROWS and not split_:
            stderr.print(f"With --split, the {parsed.row_count} rows go in batches of {BATCH_ROWS}.")
    raise ends(ExitCode.USAGE)


def _submission_json(submission: Submission, links: owner_consent.Links) -> dict[str, object]:
    return {
        "batch_id": submission.batch.id if submission.batch else None,
        "rows": [
            {
                "line": one.row.line,
                "id": one.import_.id,
                "fate": one.fate.value,
                "consent_links": links.get(one.import_.id, {}),
            }
            for one in submission.placed
        ],
    }
