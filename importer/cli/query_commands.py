"""`list`, `show`, `explain`, `watch`, `report`: imports, their state and their reports."""

from __future__ import annotations

from pathlib import Path

import click

from importer.bootstrap import standalone
from importer.cli import live_watch, options, text_views
from importer.cli.exit_codes import Usage, exit_with, stdout
from importer.cli.options import EnumChoice
from importer.domain.model import BatchId, Import, State
from importer.domain.reporting.report import BatchReport, Report
from importer.i18n.explanation_texts import explanation_json
from importer.i18n.report_csv import refusals_csv
from importer.i18n.report_json import report_json
from importer.i18n.translations import texts
from importer.service.access import owner_consent
from importer.service.deps import Deps
from importer.service.imports.finish import batch_report, report_of
from importer.service.queries import ImportFilter, find_import, list_imports
from importer.service.queries import explain as explain_import
from importer.settings import Settings


@click.command("list")
@click.option(
    "--state",
    "states",
    type=EnumChoice(State),
    multiple=True,
    metavar="STATE",
    help=f"Only imports in this state; may be repeated. One of {', '.join(State)}.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    metavar="NUMBER",
    default=50,
    show_default=True,
    help="How many imports at most.",
)
@options.language
@options.data
@options.as_json
def list_(
    states: tuple[State, ...], limit: int, language: str | None, data: Path | None, as_json: bool
) -> None:
    """List imports, newest first.

    \b
    Example:
      mailhaul list --state waiting --state stopped
    """
    settings = Settings.load(data=data, language=language)
    words = texts(settings.language)
    with standalone(settings) as deps:
        imports = list_imports(deps, ImportFilter(states=states), limit=limit)
        links = owner_consent.links(deps, imports)
    if as_json:
        text_views.print_json(
            [{**report_json(words, Report(i)), "consent_links": links.get(i.id, {})} for i in imports]
        )
    elif imports:
        stdout.print(text_views.imports_table(words, imports, deps.clock.now()))
        text_views.print_consent_links(links)
    else:
        stdout.print("No imports. Start one with `mailhaul submit` or `mailhaul batch FILE`.")


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
    words = texts(settings.language)
    with standalone(settings) as deps:
        imports = imports_of(deps, id_)
        links = owner_consent.links(deps, imports)
        if as_json:
            text_views.print_json(
                [
                    {**report_json(words, report_of(deps, i)), "consent_links": links.get(i.id, {})}
                    for i in imports
                ]
            )
        else:
            stdout.print(text_views.imports_table(words, imports, deps.clock.now()))
            text_views.print_choices(words, imports)
            text_views.print_consent_links(links)


@click.command
@options.import_or_batch_id
@options.language
@options.data
def watch(id_: str, language: str | None, data: Path | None) -> None:
    """Watch an import or a batch until it ends or has to wait.

    Waits of up to two minutes do not end the command.

    \b
    Example:
      mailhaul watch k3v9m2xw7abc
    """
    settings = Settings.load(data=data, language=language)
    with standalone(settings) as deps:
        live_watch.watch(texts(settings.language), deps, [import_.id for import_ in imports_of(deps, id_)])
        raise exit_with(_report(deps, id_).exit_code)


@click.command
@options.import_or_batch_id
@options.language
@options.data
@options.as_json
def explain(id_: str, language: str | None, data: Path | None, as_json: bool) -> None:
    """Explain the state of an import and what to do about it.

    Says why it is in this state, what happens next and which commands apply.

    \b
    Example:
      mailhaul explain k3v9m2xw7abc
    """
    settings = Settings.load(data=data, language=language)
    words = texts(settings.language)
    with standalone(settings) as deps:
        explanations = [(import_, explain_import(deps, import_)) for import_ in imports_of(deps, id_)]
    if as_json:
        text_views.print_json(
            [
                {"id": import_.id, **explanation_json(words, explanation)}
                for import_, explanation in explanations
            ]
        )
    else:
        for import_, explanation in explanations:
            text_views.print_explanation(words, import_, explanation)


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
    if as_csv and as_json:
        raise Usage("--csv and --json exclude each other; give one.")
    settings = Settings.load(data=data, language=language)
    words = texts(settings.language)
    with standalone(settings) as deps:
        result = _report(deps, id_)
    if as_csv:
        click.echo(refusals_csv(words, _single_reports(result)), nl=False)
    elif isinstance(result, BatchReport):
        text_views.print_batch_report(words, result, as_json=as_json)
    else:
        text_views.print_report(words, result, as_json=as_json)
    raise exit_with(result.exit_code)


def imports_of(deps: Deps, id_: str) -> list[Import]:
    """The import with this ID, or the imports of the batch with this ID. Raises Usage if there is neither."""
    return [report.import_ for report in _single_reports(_report(deps, id_))]


def _report(deps: Deps, id_: str) -> Report | BatchReport:
    import_ = find_import(deps, id_)
    result = report_of(deps, import_) if import_ else batch_report(deps, BatchId(id_))
    if result is None:
        raise Usage(f"There is no import or batch {id_}; `mailhaul list` shows all imports.")
    return result


def _single_reports(result: Report | BatchReport) -> tuple[Report, ...]:
    return result.reports if isinstance(result, BatchReport) else (result,)
