"""`list`, `show`, `explain`, `watch`, `report`: imports, their state and their reports."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from rich.text import Text

from importer.bootstrap import standalone
from importer.cli import live_watch, options, report_view, text_views
from importer.cli.argument_texts import exclusive
from importer.cli.attention_view import Attention
from importer.cli.console_language import console_texts
from importer.cli.count_view import print_counts
from importer.cli.exit_codes import Usage, exit_with, stdout
from importer.cli.explain_message import explain_message
from importer.cli.explanation_view import print_explanation
from importer.cli.filter_options import FilterOptions, filter_options
from importer.cli.found_ids import import_of, imports_of, report_named, single_reports
from importer.cli.import_list import ImportList
from importer.cli.options import PasswordSource
from importer.domain.reporting.report import BatchReport, Report
from importer.i18n.explanation_texts import explanation_json
from importer.i18n.report_csv import refusals_csv
from importer.i18n.report_json import report_json
from importer.i18n.translations import CatalogTranslator
from importer.service.access import consent_requests
from importer.service.queries import count_imports, list_imports
from importer.service.queries import explain as explain_import
from importer.settings import Settings


@click.command("list")
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    metavar="NUMBER",
    default=50,
    show_default=True,
    help="How many imports at most.",
)
@click.option(
    "--after",
    metavar="ID",
    help="Only those that follow this import, such as the last one shown.",
    shell_complete=options.complete("complete_import"),
)
@click.option("--count", "only_count", is_flag=True, help="Only how many there are, by state and reason.")
@options.language
@options.data
@options.as_json
def list_(
    wanted: FilterOptions,
    only_count: bool,
    limit: int,
    after: str | None,
    language: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """List imports, newest first, those of one batch by row.

    \b
    Example:
      mailhaul list --state waiting --state stopped
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        chosen = wanted.chosen(deps, words)
        if only_count:
            print_counts(words, count_imports(deps, chosen), as_json=as_json)
            return
        last = import_of(deps, after, words).id if after else None
        found = list_imports(deps, chosen, after=last, limit=limit + 1)
        imports = found[:limit]
        links = consent_requests.links(deps, imports)
        text_views.print_maintenance(words, deps.store.maintenance())
        now = deps.clock.now()
    if as_json:
        text_views.print_json(
            [{**report_json(words, Report(i)), "consent_links": links.get(i.id, {})} for i in imports]
        )
    elif imports:
        stdout.print(ImportList(words, imports, now, with_batch=True))
        text_views.print_consent_links(words, links)
        if len(found) > limit:
            more = words.gettext("There are more. The next ones: add `--after %(id)s`.", id=imports[-1].id)
            stdout.print(Text(more, style="bold"), soft_wrap=True)
    elif not wanted.any and after is None:
        stdout.print(
            Text(words.gettext("No imports. Start one with `mailhaul submit` or `mailhaul batch FILE`.")),
            soft_wrap=True,
        )
    else:
        stdout.print(Text(words.gettext("No import matches.")))


@click.command
@options.import_or_batch_id
@options.language
@options.data
@options.as_json
def show(id_: str, language: str | None, data: Path | None, as_json: bool) -> None:
    """Show the state of an import or a batch, and why it waits.

    \b
    Example:
      mailhaul show k3v9m2xw7abc
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        result = report_named(deps, id_, words)
        links = consent_requests.links(deps, [report.import_ for report in single_reports(result)])
        text_views.print_maintenance(words, deps.store.maintenance())
        now = deps.clock.now()
    if as_json:
        text_views.print_json(
            [
                {**report_json(words, report), "consent_links": links.get(report.import_.id, {})}
                for report in single_reports(result)
            ]
        )
    else:
        _print_state(words, result, now, besides="show")
        text_views.print_consent_links(words, links)


@click.command
@options.import_or_batch_id
@options.language
@options.data
def watch(id_: str, language: str | None, data: Path | None) -> None:
    """Watch an import or a batch until it ends or has to wait.

    Shows the speed and the time left. Waits of up to two minutes do not end the command.

    \b
    Example:
      mailhaul watch k3v9m2xw7abc
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        imports = imports_of(deps, id_, words)
        live_watch.watch(words, deps, [import_.id for import_ in imports])
        result = report_named(deps, id_, words)
        _print_state(words, result, deps.clock.now(), besides="watch")
    raise exit_with(result.exit_code)


def _print_state(words: CatalogTranslator, result: Report | BatchReport, now: datetime, besides: str) -> None:
    """The imports, their chosen options, the verdict of a batch, and the imports that need a person."""
    imports = [report.import_ for report in single_reports(result)]
    stdout.print(ImportList(words, imports, now))
    text_views.print_choices(words, imports)
    if isinstance(result, BatchReport):
        report_view.print_batch_end(words, result)
    else:
        stdout.print(Attention(words, [result], besides=besides), end="")


@click.command
@options.import_or_batch_id
@click.option(
    "--message-id",
    metavar="TEXT",
    help="Say where the message with this Message-ID went, or why it did not. Reads the headers of the old"
    " mailbox, or of the new one if it is no longer there.",
)
@options.source_password
@options.destination_password
@options.language
@options.data
@options.as_json
def explain(
    id_: str,
    message_id: str | None,
    source_password: PasswordSource,
    destination_password: PasswordSource,
    language: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Explain the state of an import and what to do about it.

    Says why it is in this state, what happens next and which commands apply.

    \b
    Example:
      mailhaul explain k3v9m2xw7abc
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        if message_id is not None:
            import_ = import_of(deps, id_, words)
            passwords = (source_password, destination_password)
            explain_message(settings, deps, words, import_, message_id, passwords, as_json=as_json)
            return
        explanations = [(import_, explain_import(deps, import_)) for import_ in imports_of(deps, id_, words)]
    if as_json:
        text_views.print_json(
            [
                {"id": import_.id, **explanation_json(words, explanation)}
                for import_, explanation in explanations
            ]
        )
    else:
        for import_, explanation in explanations:
            print_explanation(words, import_, explanation)


@click.command
@options.import_or_batch_id
@click.option("--csv", "as_csv", is_flag=True, help="Print the messages that could not be copied as CSV.")
@options.language
@options.data
@options.as_json
def report(id_: str, as_csv: bool, language: str | None, data: Path | None, as_json: bool) -> None:
    """Print the report of an import or a batch.

    Counts the messages of each folder by what happened to them, and lists those that could not be copied.

    \b
    Example:
      mailhaul report k3v9m2xw7abc --json
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    if as_csv and as_json:
        raise Usage(exclusive(words, "--csv", "--json"))
    with standalone(settings) as deps:
        result = report_named(deps, id_, words)
    if as_csv:
        click.echo(refusals_csv(words, single_reports(result)), nl=False)
    elif isinstance(result, BatchReport):
        report_view.print_batch_report(words, result, as_json=as_json)
    else:
        report_view.print_report(words, result, as_json=as_json)
    raise exit_with(result.exit_code)
