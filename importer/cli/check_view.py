"""The result of `check` at a terminal."""

from __future__ import annotations

from rich.table import Table

from importer.cli.exit_codes import stdout
from importer.cli.text_views import plain, print_json
from importer.domain.reporting.check_warnings import check_warnings
from importer.domain.reporting.mailbox_check import Check, CheckPhase, FolderCheck, SideCheck
from importer.domain.reporting.report import ExitCode
from importer.i18n.check_texts import check_json, name_reasons, warning_text
from importer.i18n.code_texts import render
from importer.i18n.folder_names import ShownPairs
from importer.i18n.option_texts import word_sentences
from importer.i18n.problem_texts import problem_text
from importer.i18n.translations import CatalogTranslator
from providers.errors import GrantExpired, LoginRejected, MasterRefused


def exit_code(check: Check) -> ExitCode:
    """COMPLETE if both logins succeeded and, as far as is known, the mail fits."""
    problems = [side.problem for side in (check.source, check.destination) if side.problem is not None]
    if any(
        problem.code in (LoginRejected.code, MasterRefused.code, GrantExpired.code) for problem in problems
    ):
        return ExitCode.LOGIN
    if problems:
        return ExitCode.WAITING
    return ExitCode.DESTINATION_FULL if check.fits is False else ExitCode.COMPLETE


def print_check(texts: CatalogTranslator, check: Check, *, as_json: bool = False) -> None:
    """Both mailboxes, the folders, and what a copy would do."""
    if as_json:
        print_json(check_json(texts, check))
        return
    for name, checked in (
        (texts.gettext("Old mailbox"), check.source),
        (texts.gettext("New mailbox"), check.destination),
    ):
        _print_side(texts, name, checked)
    if check.folders and check.ready:
        stdout.print(_folder_table(texts, check))
    if check.ready:
        stdout.print(plain(_estimate(texts, check), 600), soft_wrap=True)
    if check.labels is not None:
        labels, rule = texts.gettext("Labels"), word_sentences(texts, "labels", check.labels)
        chooses = texts.gettext("%(option)s chooses.", option="--labels")
        stdout.print(f"{labels}{texts.colon} {plain(rule, 600)} [dim]{chooses}[/]", soft_wrap=True)
    for warning in check_warnings(check):
        stdout.print(f"[yellow]![/] {plain(warning_text(texts, warning), 900)}", soft_wrap=True)


def _print_side(texts: CatalogTranslator, name: str, side: SideCheck) -> None:
    place = texts.gettext(
        "%(address)s at %(host)s", address=side.account.address, host=side.account.endpoint.host
    )
    mailbox = f"[bold]{name}[/]  {plain(place)}"
    if side.look is CheckPhase.FAILED:
        problem = problem_text(texts, side.problem) if side.problem else ""
        stdout.print(f"[red]✗[/] {mailbox}{texts.colon} {plain(problem, 1200)}", soft_wrap=True)
        return
    facts = [
        texts.ngettext("%(num)s message", "%(num)s messages", side.messages),
        texts.ngettext("%(num)s folder", "%(num)s folders", side.folders),
    ]
    if side.size_bytes is not None:
        facts.append(_about(texts, texts.size(side.size_bytes), exact=side.exact))
    if side.oldest is not None and side.newest is not None:
        days = f"{texts.day(side.oldest)} – {texts.day(side.newest)}"
        facts.append(_about(texts, days, exact=side.dates_exact))
    if side.quota is not None and side.quota.limit_bytes is not None:
        free = texts.size(max(0, side.quota.limit_bytes - side.quota.used_bytes))
        facts.append(texts.gettext("%(size)s free", size=free))
    stdout.print(f"[green]✓[/] {mailbox}{texts.colon} {', '.join(facts)}", soft_wrap=True)


def _about(texts: CatalogTranslator, amount: str, *, exact: bool) -> str:
    return amount if exact else texts.gettext("about %(amount)s", amount=amount)


def _folder_table(texts: CatalogTranslator, check: Check) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(texts.gettext("Folder"), overflow="fold")
    table.add_column(texts.gettext("goes to"), overflow="fold")
    for column in (
        texts.gettext("Messages"),
        texts.gettext("Size"),
        texts.gettext("copied before"),
        texts.gettext("there now"),
    ):
        table.add_column(column, justify="right", min_width=max(map(len, column.split())))
    table.add_column(texts.gettext("Note"), overflow="fold")
    new = texts.gettext("new folder")
    shown = ShownPairs(texts, [(each.source_folder, each.destination_folder) for each in check.folders])
    for folder in check.folders:
        size = "" if folder.size_bytes is None else texts.size(folder.size_bytes)
        table.add_row(
            plain(shown.sources[folder.source_folder]),
            plain(shown.destinations[folder.destination_folder]),
            texts.number(folder.messages),
            _about(texts, size, exact=folder.exact) if size else "",
            texts.number(folder.known) if folder.known else "[dim]·[/]",
            new if folder.there is None else texts.number(folder.there),
            plain(_note(texts, folder)),
        )
    return table


def _note(texts: CatalogTranslator, folder: FolderCheck) -> str:
    notes = [name_reasons(texts, folder)] if folder.reasons else []
    if folder.elsewhere:
        notes.append(
            texts.ngettext(
                "%(num)s more in the folder of another label",
                "%(num)s more in the folders of other labels",
                folder.elsewhere,
            )
        )
    if folder.recognised:
        notes.append(
            texts.ngettext(
                "%(num)s seems to be there already", "%(num)s seem to be there already", folder.recognised
            )
        )
    return "; ".join(notes)


def _estimate(texts: CatalogTranslator, check: Check) -> str:
    """The number of messages and the duration of a copy."""
    amount, size = check.to_copy, texts.size(check.to_copy.size_bytes)
    if check.recognised:
        copies = texts.ngettext(
            "To copy: about %(num)s message, %(size)s.",
            "To copy: about %(num)s messages, %(size)s.",
            amount.messages,
            size=size,
        )
    else:
        copies = texts.ngettext(
            "To copy: at most %(num)s message, %(size)s.",
            "To copy: at most %(num)s messages, %(size)s.",
            amount.messages,
            size=size,
        )
    estimate = check.estimate
    if estimate is None:
        unknown = texts.gettext("The duration cannot be estimated.")
        return f"{copies} {unknown}"
    basis = render(estimate.basis.text, texts)
    if estimate.capped_until is not None:
        end = texts.gettext("Estimated end: about %(instant)s.", instant=texts.moment(estimate.capped_until))
        return f"{copies} {end} {basis}"
    span = texts.about(estimate.low.total_seconds(), estimate.high.total_seconds())
    duration = texts.gettext("Estimated duration: %(span)s.", span=span)
    return f"{copies} {duration} {basis}"
