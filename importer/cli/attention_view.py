"""Imports that need a person, each with the reason and the command: the last lines of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from importer.cli.import_list import INDENT, address_lines, wrapped
from importer.domain.model import ImportId
from importer.domain.reporting.attention import Need, most_urgent
from importer.domain.reporting.report import Report
from importer.i18n.outcome_texts import outcome_text
from importer.i18n.problem_texts import import_problem
from importer.i18n.translations import CatalogTranslator

COMMANDS: Final = {
    Need.RETRY: ("retry",),
    Need.LOOK: ("report", "retry"),
    Need.RESUME: ("resume",),
    Need.SIGN_IN: ("show",),
}
"""The commands for each need; each takes the id."""


class Attention:
    """Renders those of `reports` that need a person; nothing if there are none. The command `besides`, which
    the user just gave, is not named."""

    def __init__(self, texts: CatalogTranslator, reports: Sequence[Report], *, besides: str = "") -> None:
        self._texts, self._besides = texts, besides
        self._reports = {report.import_.id: report for report in reports}

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        needs = most_urgent([report.import_ for report in self._reports.values()])
        if not needs:
            return
        many = len(self._reports) > 1
        if many:
            yield Text(
                self._texts.ngettext("%(num)s needs somebody:", "%(num)s need somebody:", len(needs)),
                style="bold yellow",
            )
        for what, import_ in needs:
            if many:
                yield from address_lines(import_, options.max_width)
                yield from wrapped(self._reason(what, import_.id), options.max_width, INDENT * 2)
            for command in COMMANDS[what]:
                if command == self._besides and not many:
                    continue
                yield Text(f"{INDENT * 2}mailhaul {command} {import_.id}", style="cyan", no_wrap=True)

    def _reason(self, what: Need, import_id: ImportId) -> str:
        report = self._reports[import_id]
        if what in (Need.RETRY, Need.SIGN_IN) and report.import_.problem is not None:
            return import_problem(self._texts, report.import_)
        return outcome_text(self._texts, report.outcome, quoted=False)
