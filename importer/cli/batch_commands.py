"""`batch` and `template`: many mailboxes from a CSV file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
from rich.text import Text

from importer.bootstrap import access_of, directory, queued
from importer.cli import live_watch, options, row_problem_view, text_views
from importer.cli.argument_texts import not_read, not_written
from importer.cli.console_actor import console_actor
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, exit_with, stderr
from importer.cli.operator_events import record_operator
from importer.cli.options import PATH, MailChoices
from importer.domain.audit_event import AuditAction
from importer.domain.csv_import.column_names import PROBLEM_COLUMN, name_in
from importer.domain.csv_import.csv_files import annotate
from importer.domain.csv_import.import_rows import BATCH_ROWS, Parsed, split
from importer.domain.csv_import.row_parser import parse
from importer.domain.import_options import Choices
from importer.domain.people.actor import Actor
from importer.domain.reporting.report import ExitCode
from importer.i18n.csv_template import csv_template, workbook_template
from importer.i18n.row_problem_texts import headings, row_problem_json, row_problem_text
from importer.i18n.translations import CatalogTranslator
from importer.service.access import consent_requests
from importer.service.access.sealed_grants import sign_in_method
from importer.service.deps import Deps
from importer.service.imports.submit import Submission
from importer.service.imports.submit import submit as submit_rows
from importer.settings import Settings


@click.command
@click.argument("file", type=PATH, help="CSV or .xlsx file; `mailhaul template` writes one to fill in.")
@click.option(
    "--split",
    "split_",
    is_flag=True,
    help="Submit a file with more rows than a batch may have as several batches.",
)
@click.option(
    "--skip-bad-rows",
    is_flag=True,
    help="Start the rows that are good, although others have problems; the exit code is then not 0.",
)
@click.option("--wait", is_flag=True, help="Show progress until all imports have ended, then the report.")
@click.option("--again", is_flag=True, help="Start complete rows once more, to copy new mail.")
@click.option(
    "--annotate",
    "annotated",
    type=PATH,
    help="File for a copy of the CSV file that has its problems added and its passwords removed.",
)
@options.import_options
@options.mail_choices
@options.data
@options.allow_plaintext
@options.as_json
def batch(
    file: Path,
    split_: bool,
    skip_bad_rows: bool,
    wait: bool,
    again: bool,
    annotated: Path | None,
    choices: Choices,
    mails: MailChoices,
    data: Path | None,
    allow_plaintext: bool,
    as_json: bool,
) -> None:
    """Submit the imports of a CSV file or an Excel workbook.

    Nothing starts unless every row is valid, or --skip-bad-rows is given. The same file again starts only the
    rows that are new, did not end complete, were undone, or have another password or another option; for
    labels only if the source has labels, and another sync_flags alone starts nothing.

    \b
    Example:
      mailhaul batch people.csv --wait
    """
    settings = Settings.load(data=data, allow_plaintext=allow_plaintext or None, language=mails.language)
    words = console_texts(settings)
    actor = console_actor(settings, notify=mails.notify, language=mails.language)
    content = _content(words, file)
    parsed = _parsed(content, settings, actor, split_=split_)
    if parsed.problems:
        if annotated is not None:
            _write_annotated(words, file, parsed, annotated)
        starts = skip_bad_rows and bool(parsed.good_rows)
        _print_problems(words, parsed, as_json=as_json, split_=split_, starts=starts)
        if not starts:
            raise exit_with(ExitCode.USAGE)
    elif parsed.notes:
        row_problem_view.print_row_notes(words, parsed)
    import_options = settings.import_options.choose(choices)
    text_views.print_label_rules(words, parsed.good_rows, import_options)
    with queued(settings) as deps:
        submissions = [
            submit_rows(
                deps,
                actor,
                rows,
                options=import_options,
                name=file.name,
                again=again,
            )
            for rows in split(parsed.good_rows)
        ]
        started = [import_.id for submission in submissions for import_ in submission.started]
        record_operator(deps, AuditAction.IMPORT_START, started)
        code = _print_submissions(words, deps, submissions, wait=wait, as_json=as_json)
    if code is ExitCode.COMPLETE and parsed.problems:
        code = ExitCode.USAGE
    raise exit_with(code)


@click.command
@click.argument(
    "file",
    type=PATH,
    required=False,
    help="File to create, .csv or .xlsx; CSV on standard output if left out.",
)
@options.language
def template(file: Path | None, language: str | None) -> None:
    """Write the template for `mailhaul batch`, in your language.

    A name that ends with .xlsx gets an Excel workbook whose cells are text. In CSV, the separator is the one
    that spreadsheets of that language take: a comma in English, otherwise a semicolon.

    \b
    Example:
      mailhaul template people.csv
      mailhaul template postfaecher.xlsx --language de
    """
    words = console_texts(Settings.load(language=language))
    if file is None:
        click.echo(csv_template(words).decode("utf-8-sig"), nl=False)
        return
    content = workbook_template(words) if file.suffix.lower() == ".xlsx" else csv_template(words)
    try:
        with file.open("xb") as out:
            out.write(content)
    except FileExistsError:
        raise Usage(
            words.gettext("%(file)s exists already; name another file or remove it first.", file=file)
        ) from None
    except OSError as error:
        raise Usage(not_written(words, file, error)) from None
    stderr.print(
        Text(
            words.gettext(
                "Wrote %(file)s. Fill in one line for each mailbox, then: mailhaul batch %(file)s", file=file
            )
        )
    )


def _content(words: CatalogTranslator, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Usage(not_read(words, file, error)) from None


def _parsed(content: bytes, settings: Settings, actor: Actor, *, split_: bool) -> Parsed:
    return parse(
        content,
        catalog=directory(settings),
        destination=settings.destination_server,
        allow_plaintext=settings.allow_plaintext,
        max_rows=None if split_ else BATCH_ROWS,
        sign_in=sign_in_method(access_of(settings), organisation=actor.organisation),
        right=actor.right,
    )


def _write_annotated(words: CatalogTranslator, file: Path, parsed: Parsed, out: Path) -> None:
    """Refuses to replace `file`: the annotated copy has no passwords."""
    if out.resolve() == file.resolve():
        raise Usage(words.gettext("--annotate: name another file; this one would lose its passwords."))
    describe = partial(row_problem_text, words, headings=headings(parsed.sheet))
    content = annotate(parsed, describe, name_in(words.language, PROBLEM_COLUMN))
    try:
        # With a byte order mark: otherwise Excel misreads accented letters.
        out.write_text(content, encoding="utf-8-sig", newline="")
    except OSError as error:
        raise Usage(f"--annotate: {not_written(words, out, error)}") from None
    wrote = words.gettext("Wrote %(file)s: correct its rows, fill in the passwords and submit it.", file=out)
    stderr.print(Text(wrote))


def _print_problems(
    words: CatalogTranslator, parsed: Parsed, *, as_json: bool, split_: bool, starts: bool
) -> None:
    """With `starts`, the valid rows start; with `as_json` also, standard output is reserved for them."""
    if as_json and not starts:
        text_views.print_json(
            {
                "problems": [row_problem_json(words, problem) for problem in parsed.problems],
                "notes": [row_problem_json(words, note) for note in parsed.notes],
                "rows": parsed.row_count,
                "good_rows": len(parsed.good_rows),
            }
        )
        return
    row_problem_view.print_row_problems(words, parsed, to_stderr=as_json)
    row_problem_view.print_row_notes(words, parsed)
    if starts:
        return
    said = [words.gettext("Nothing was started.")]
    if good := len(parsed.good_rows):
        said.append(
            words.ngettext(
                "%(num)s row can be started as it is, with `--skip-bad-rows`.",
                "%(num)s rows can be started as they are, with `--skip-bad-rows`.",
                good,
            )
        )
    if parsed.row_count > BATCH_ROWS and not split_:
        said.append(
            words.gettext(
                "With `--split`, the %(rows)s rows are submitted in batches of %(most)s.",
                rows=words.number(parsed.row_count),
                most=BATCH_ROWS,
            )
        )
    stderr.print(Text("\n".join(said)))


def _print_submissions(
    words: CatalogTranslator, deps: Deps, submissions: list[Submission], *, wait: bool, as_json: bool
) -> ExitCode:
    """Prints the outcome of each row; with `wait`, also the report, whose exit code is returned."""
    submitted = [row for submission in submissions for row in submission.rows]
    links = consent_requests.links(deps, (row.import_ for row in submitted))
    text_views.print_maintenance(words, deps.store.maintenance())
    if not as_json:
        for row in submitted:
            text_views.print_submitted_row(words, row)
        text_views.print_consent_links(words, links)
    if wait:
        return live_watch.watch_and_report(
            words, deps, [row.import_.id for row in submitted], as_json=as_json
        )
    if as_json:
        text_views.print_json([_submission_json(submission, links) for submission in submissions])
    return ExitCode.COMPLETE


def _submission_json(submission: Submission, links: consent_requests.Links) -> dict[str, object]:
    return {
        "batch_id": submission.batch.id if submission.batch else None,
        "rows": [
            {
                "line": submitted.row.line,
                "id": submitted.import_.id,
                "fate": submitted.outcome.value,
                "consent_links": links.get(submitted.import_.id, {}),
            }
            for submitted in submission.rows
        ],
    }
