"""The report of an import and of a batch at a terminal.

In each folder and in the total, found is the sum of the columns after it, even if the import stopped: `left`
counts messages without an outcome. Columns without a number are left out. The name of a folder is beside its
numbers if there is room, otherwise above them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from importer.cli.attention_view import Attention
from importer.cli.exit_codes import stdout
from importer.cli.import_list import INDENT, address_lines, wrapped, wrapped_parts
from importer.cli.text_views import print_json
from importer.domain.receipts.folder_tally import FolderTally, Refusal
from importer.domain.reporting.report import BatchReport, Report
from importer.i18n.alert_texts import alert_texts
from importer.i18n.change_texts import remarks
from importer.i18n.folder_names import ShownPairs
from importer.i18n.option_texts import chosen_options, word_sentences
from importer.i18n.outcome_texts import batch_text, outcome_text
from importer.i18n.reason_texts import reason
from importer.i18n.refusal_lists import refusal_lists
from importer.i18n.state_texts import COUNTS, count_name
from importer.i18n.translations import CatalogTranslator

MAX_REFUSALS: Final = 50
_GAP: Final = 2
_NARROWEST_NAME: Final = 24

_ALWAYS: Final = 2


def print_report(texts: CatalogTranslator, report: Report, *, as_json: bool = False) -> None:
    """The report of one import."""
    if as_json:
        from importer.i18n.report_json import report_json  # noqa: PLC0415 - few reports are JSON

        print_json(report_json(texts, report))
        return
    stdout.print(_report(texts, report))
    stdout.print(Attention(texts, [report], besides="report"), end="")


def print_batch_report(texts: CatalogTranslator, batch: BatchReport, *, as_json: bool = False) -> None:
    """The report of a batch: each import, the verdict, then the imports that need a person."""
    if as_json:
        from importer.i18n.report_json import batch_json  # noqa: PLC0415 - as above

        print_json(batch_json(texts, batch))
        return
    for report in batch.reports:
        stdout.print(_report(texts, report))
        stdout.print()
    print_batch_end(texts, batch)


def print_batch_end(texts: CatalogTranslator, batch: BatchReport) -> None:
    """The verdict, and the imports that need a person."""
    stdout.print(_Paragraph(batch_text(texts, batch), style="bold"))
    stdout.print(Attention(texts, batch.reports), end="")


def _report(texts: CatalogTranslator, report: Report) -> RenderableType:
    return Group(
        _Head(report),
        _Paragraph(outcome_text(texts, report.outcome)),
        *([_Counts(texts, report)] if report.tallies else []),
        _Refusals(texts, report),
        *(_Paragraph(line) for line in _remarks(texts, report)),
    )


class _Head:
    """The id and the two addresses."""

    def __init__(self, report: Report) -> None:
        self._import = report.import_

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self._import.id, style="bold")
        for line in address_lines(self._import, options.max_width):
            line.stylize("bold")
            yield line


class _Paragraph:
    """Foreign text, wrapped."""

    def __init__(self, text: str, style: str = "") -> None:
        self._text, self._style = text, style

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        for line in wrapped(self._text, options.max_width, indent=""):
            line.stylize(self._style)
            yield line


class _Counts:
    """The outcomes of messages, by folder and in total."""

    def __init__(self, texts: CatalogTranslator, report: Report) -> None:
        self._texts, self._tallies, self._totals = texts, report.tallies, report.totals
        self._folders = _shown_folders(texts, report)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [each for n, each in enumerate(COUNTS) if n < _ALWAYS or getattr(self._totals, each)]
        heads = [count_name(self._texts, each) for each in columns]
        everything = [self._texts.number(getattr(self._totals, each)) for each in columns]
        widths, gap = _widths(heads, everything, options.max_width)
        room = options.max_width - sum(width + gap for width in widths)
        beside = room >= _NARROWEST_NAME
        longest = max(cell_len(self._name(tally)) for tally in self._tallies)
        width = min(room, max(longest, _NARROWEST_NAME)) if beside else 0
        for line in _lines_of(heads, widths):
            yield _no_wrap(Text(" " * width + _line(line, widths, gap), style="bold"))
        for tally in self._tallies:
            counts = [getattr(tally, each) for each in columns]
            numbers = [self._texts.number(count) if count else "·" for count in counts]
            yield from _rows(self._name(tally), _line(numbers, widths, gap), width, options.max_width)
        yield from _rows(
            self._texts.gettext("all"), _line(everything, widths, gap), width, options.max_width, style="bold"
        )

    def _name(self, tally: FolderTally) -> str:
        return self._folders.pair(tally.source_folder, tally.destination_folder)


class _Refusals:
    """The first MAX_REFUSALS refusals by class, each with its reason."""

    def __init__(self, texts: CatalogTranslator, report: Report) -> None:
        self._texts, self._refusals = texts, report.refusals
        self._folders = _shown_folders(texts, report).sources

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        texts, width = self._texts, options.max_width
        for heading, refusals in refusal_lists(texts, self._refusals, MAX_REFUSALS):
            for line in wrapped(heading, width, indent=""):
                line.stylize("bold")
                yield line
            for refusal in refusals:
                yield from self._lines(refusal, width)
        if (more := len(self._refusals) - MAX_REFUSALS) > 0:
            yield Text(
                texts.ngettext(
                    "… and %(num)s more (`--csv` lists all)", "… and %(num)s more (`--csv` lists all)", more
                )
            )

    def _lines(self, refusal: Refusal, width: int) -> Iterator[Text]:
        texts = self._texts
        what = refusal.subject if refusal.uid else texts.gettext("A whole folder")
        size = texts.size(refusal.size_bytes) if refusal.size_bytes else ""
        parts = filter(None, (what[:200], texts.written_date(refusal.date)[:40], size))
        yield from wrapped_parts(parts, width)
        yield from wrapped(self._folders[refusal.folder], width, INDENT * 2)
        yield from wrapped(reason(texts, refusal.reason), width, INDENT * 2)


def _shown_folders(texts: CatalogTranslator, report: Report) -> ShownPairs:
    return ShownPairs(texts, [(tally.source_folder, tally.destination_folder) for tally in report.tallies])


def _widths(heads: Sequence[str], numbers: Sequence[str], room: int) -> tuple[list[int], int]:
    """The widths of the columns, and the gap before each. Heads are wrapped only if names would otherwise
    have no room."""
    whole = [max(cell_len(head), cell_len(number)) for head, number in zip(heads, numbers, strict=True)]
    if sum(whole) + _GAP * len(whole) <= room - _NARROWEST_NAME:
        return whole, _GAP
    words = [max(map(cell_len, [*head.split(), number])) for head, number in zip(heads, numbers, strict=True)]
    return words, _GAP if sum(words) + _GAP * len(words) <= room else 1


def _lines_of(heads: Sequence[str], widths: Sequence[int]) -> list[tuple[str, ...]]:
    """The heads, each wrapped between words to its width, on as many lines as the longest needs."""
    broken = [textwrap.wrap(head, width) for head, width in zip(heads, widths, strict=True)]
    height = max(map(len, broken))
    return list(zip(*([""] * (height - len(lines)) + lines for lines in broken), strict=True))


def _line(cells: Sequence[str], widths: Sequence[int], gap: int) -> str:
    pairs = zip(cells, widths, strict=True)
    return "".join(" " * (gap + width - cell_len(cell)) + cell for cell, width in pairs)


def _rows(name: str, numbers: str, width: int, full_width: int, style: str = "") -> Iterator[Text]:
    """The name in `width` columns, with the numbers on its last line; above the numbers if `width` is 0."""
    lines = list(wrapped(name, width or full_width, indent=""))
    yield from lines[:-1]
    last = lines[-1] if lines else Text()
    if width:
        yield _no_wrap(Text(last.plain + " " * (width - last.cell_len) + numbers, style=style))
    else:
        yield last
        yield _no_wrap(Text(numbers, style=style))


def _no_wrap(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ignore"
    return line


def _remarks(texts: CatalogTranslator, report: Report) -> Iterator[str]:
    """The lines below the numbers."""
    totals, import_ = report.totals, report.import_
    if import_.has_labels:
        rule = word_sentences(texts, "labels", import_.options.labels)
        labels = texts.gettext("Labels")
        yield f"{labels}{texts.colon} {rule}"
    for title, value in chosen_options(texts, import_.options):
        yield f"{title}{texts.colon} {value}"
    if totals.skipped:
        reasons = (f"{texts.number(count)} {reason(texts, why)}" for why, count in totals.skipped.items())
        yield f"{count_name(texts, 'skipped_total')}{texts.colon} {'; '.join(reasons)}."
    if elsewhere := [tally for tally in report.tallies if tally.elsewhere]:
        names = _shown_folders(texts, report).sources
        yield texts.gettext(
            "Also with these labels, but copied into the folder of another label: %(labels)s.",
            labels="; ".join(f"{names[t.source_folder]} {texts.number(t.elsewhere)}" for t in elsewhere),
        )
    yield from remarks(texts, totals)
    yield from alert_texts(texts, import_.alerts, import_.source, import_.destination)
    if totals.copied and totals.confirmed is not None:
        yield texts.ngettext(
            "Recount: %(seen)s of %(num)s copy was found in the new mailbox.",
            "Recount: %(seen)s of %(num)s copies were found in the new mailbox.",
            totals.copied,
            seen=texts.number(totals.confirmed),
        )
    if report.duration is not None:
        took = texts.gettext("The import took %(span)s.", span=texts.duration(report.duration))
        yield f"{took} {texts.size(totals.copied_bytes)}." if totals.copied else took
