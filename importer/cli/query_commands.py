"""`list`, `show`, `explain`, `watch`, `report`: what there is and how it stands."""

from __future__ import annotations

from typing import Annotated

import typer

from importer.bootstrap import standalone
from importer.cli import live_watch, text_views
from importer.cli.exit_codes import Usage, ends, stdout
from importer.cli.options import DataOption, ImportOrBatch, Json
from importer.domain.model import BatchId, Import, State
from importer.domain.reporting.report import BatchReport, Report
from importer.domain.reporting.report_csv import refusals_csv
from importer.service.access import owner_consent
from importer.service.deps import Deps
from importer.service.imports.finish import batch_report, report_of
from importer.service.queries import explain as explain_import
from importer.service.queries import find_import, list_imports
from importer.settings import Settings


def list_(
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only imports in that state; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at the most, newest first.", min=1, max=1000)] = 50,
    data: DataOption = None,
    as_json: Json = False,
) -> None:
    """List imports, newest first.

    Example: mailhaul list --state waiting --state stopped
    """
    with standalone(Settings.load(data=data)) as deps:
        imports = list_imports(deps, states=state or (), limit=limit)
        if as_json:
            links = owner_consent.links(deps, imports)
            text_views.print_json(
                [{**Report(i).as_json(), "consent_links": links.get(i.id, {})} for i in imports]
            )
        elif imports:
            stdout.print(text_views.imports(imports))
            text_views.links(owner_consent.links(deps, imports))
        else:
            stdout.print("No imports. Start one with `mailhaul submit` or `mailhaul batch FILE.csv`.")


def show_(id_: ImportOrBatch, data: DataOption = None, as_json: Json = False) -> None:
    """Show how an import or a batch stands, and why it waits.

    Example: mailhaul show k3v9m2xw7abc
    """
    with standalone(Settings.load(data=data)) as deps:
        imports = found_imports(deps, id_)
        if as_json:
            links = owner_consent.links(deps, imports)
            text_views.print_json(
                [{**report_of(deps, i).as_json(), "consent_links": links.get(i.id, {})} for i in imports]
            )
        else:
            stdout.print(text_views.imports(imports))
            text_views.choices(imports)
            text_views.links(owner_consent.links(deps, imports))


def watch(id_: ImportOrBatch, data: DataOption = None) -> None:
    """Watch an import or a batch live until it ends or waits for long.

    Example: mailhaul watch k3v9m2xw7abc
    """
    with standalone(Settings.load(data=data)) as deps:
        ids = [import_.id for import_ in found_imports(deps, id_)]
        live_watch.watch(deps, ids)
        raise ends(_report(deps, id_).exit_code)


def explain(id_: ImportOrBatch, data: DataOption = None, as_json: Json = False) -> None:
    """Explain why an import stands where it stands, what happens next and what you can do.

    Example: mailhaul explain k3v9m2xw7abc
    """
    with standalone(Settings.load(data=data)) as deps:
        explained = [(import_, explain_import(deps, import_)) for import_ in found_imports(deps, id_)]
    if as_json:
        text_views.print_json([{"id": import_.id, **one.as_json()} for import_, one in explained])
    else:
        for import_, one in explained:
            text_views.explanation(import_, one)


def report(
    id_: ImportOrBatch,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print what could not be copied as CSV, for a spreadsheet.")
    ] = False,
    data: DataOption = None,
    as_json: Json = False,
) -> None:
    """Print the account of an import or a batch: what was found and what became of it.

    Example: mailhaul report k3v9m2xw7abc --json
    """
    if as_csv and as_json:
        raise Usage("--csv and --json exclude each other; give one.")
    with standalone(Settings.load(data=data)) as deps:
        found = _report(deps, id_)
        if as_csv:
            typer.echo(refusals_csv(_reports(found)), nl=False)
        elif isinstance(found, BatchReport):
            text_views.batch_report(found, as_json=as_json)
        else:
            text_views.report(found, as_json=as_json)
        raise ends(found.exit_code)


def _report(deps: Deps, id_: str) -> Report | BatchReport:
    import_ = find_import(deps, id_)
    found = report_of(deps, import_) if import_ else batch_report(deps, BatchId(id_))
    if found is None:
        raise Usage(f"There is no import or batch {id_}; `mailhaul list` shows what there is.")
    return found


def found_imports(deps: Deps, id_: str) -> list[Import]:
    """The import of that id, or those of the batch. Raises Usage when there is neither."""
    return [one.import_ for one in _reports(_report(deps, id_))]


def _reports(found: Report | BatchReport) -> tuple[Report, ...]:
    return found.reports if isinstance(found, BatchReport) else (found,)
