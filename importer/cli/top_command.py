"""`top`: a live view of all running work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from importer.bootstrap import standalone
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import stdout
from importer.cli.filter_options import FilterOptions, filter_options
from importer.cli.import_list import ImportList, wrapped, wrapped_parts
from importer.domain.model import State
from importer.domain.reporting.report import Report
from importer.i18n.queue_texts import queue_text
from importer.i18n.report_json import report_json
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator
from importer.i18n.wait_texts import maintenance_text
from importer.service.board import Board, BoardReader
from importer.settings import Settings
from providers.frozen import frozen

INTERVAL_S: Final = 2.0
_SHOWN: Final = (State.RUNNING, State.QUEUED, State.WAITING, State.PAUSED)


@click.command
@filter_options
@click.option("--once", is_flag=True, help="Print the board once and end, as always without a terminal.")
@options.language
@options.data
@options.as_json
def top(wanted: FilterOptions, once: bool, language: str | None, data: Path | None, as_json: bool) -> None:
    """Watch everything that is under way: speed, time left, reasons, the queue.

    Ctrl-C ends it.

    \b
    Example:
      mailhaul top --host imap.old.example
    """
    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    with standalone(settings) as deps:
        reader = BoardReader(deps, wanted.chosen(deps, words))
        if as_json:
            text_views.print_json(board_json(words, reader.read()))
        elif once or not stdout.is_terminal:
            stdout.print(BoardView(words, reader.read(), deps.clock.now()))
        else:
            try:
                _show(words, reader)
            except KeyboardInterrupt:
                return


def _show(words: CatalogTranslator, reader: BoardReader) -> None:
    with Live(console=stdout, auto_refresh=False, screen=True) as live:
        while True:
            view = BoardView(words, reader.read(), reader.deps.clock.now(), fits=True)
            live.update(view, refresh=True)
            time.sleep(INTERVAL_S)


@frozen
class BoardView:
    """Renders a board; with `fits`, in at most as many lines as the terminal has."""

    texts: CatalogTranslator
    board: Board
    now: datetime
    fits: bool = False

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        head = [*self._head(options.max_width)]
        yield from head
        height = options.height or options.size.height
        yield ImportList(
            self.texts,
            self.board.imports,
            self.now,
            rates=self.board.rates,
            max_lines=height - len(head) - 1 if self.fits else None,
        )

    def _head(self, width: int) -> Iterator[Text]:
        texts, board = self.texts, self.board
        parts = [
            f"{state_word(texts, state)}{texts.colon} {texts.number(number)}"
            for state in _SHOWN
            if (number := board.number(state)) or state is State.RUNNING
        ]
        speed = sum(rate.bytes_per_s for rate in board.rates.values())
        if speed:
            parts.append(texts.gettext("%(size)s/s", size=texts.size(speed)))
        yield from wrapped_parts(parts, width, indent="")
        yield from wrapped(queue_text(texts, board.queue.due, board.queue_age(self.now)), width, indent="")
        if (held := board.maintenance) is not None:
            for line in wrapped(maintenance_text(texts, held.since, held.note), width, indent=""):
                yield Text(line.plain, style="yellow")


def board_json(words: CatalogTranslator, board: Board) -> dict[str, object]:
    """The board as JSON values."""
    since = board.queue.oldest_since
    return {
        "counts": [{"state": c.state.value, "reason": c.problem, "imports": c.imports} for c in board.counts],
        "queue": {"due": board.queue.due, "oldest_since": since.isoformat() if since else None},
        "bytes_per_s": round(sum(rate.bytes_per_s for rate in board.rates.values()), 1),
        "maintenance": board.maintenance is not None,
        "imports": [
            {
                **report_json(words, Report(import_)),
                "bytes_per_s": round(rate.bytes_per_s, 1) if rate else 0.0,
                "seconds_left": round(rate.left.total_seconds()) if rate and rate.left else None,
            }
            for import_ in board.imports
            for rate in [board.rates.get(import_.id)]
        ],
    }
