"""Imports as a list at a terminal. Id and state are never truncated.

An import takes a line of fixed columns, a line with its two addresses (two lines if they do not fit), and a
line with the reason why it waits or stopped, or with its folder, speed and time left. In a pipe nothing
wraps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from importer.domain.model import Import, ImportId, Phase, State
from importer.domain.planning.pace import Rate
from importer.domain.reporting.formatting import printable
from importer.i18n.folder_names import folder_name
from importer.i18n.phase_texts import phase_text
from importer.i18n.problem_texts import import_problem, quoting
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator
from importer.i18n.wait_texts import wait_text
from providers.frozen import frozen

INDENT: Final = "  "
_HELD: Final = {0xA0: 0xE000, 0x202F: 0xE001}
"""No-break spaces -> characters of the same width that are no spaces."""
_RELEASED: Final = {held: space for space, held in _HELD.items()}
_GAP: Final = "  "
_STYLES: Final = {
    State.QUEUED: "dim",
    State.RUNNING: "cyan",
    State.WAITING: "yellow",
    State.PAUSED: "yellow",
    State.COMPLETE: "green",
    State.INCOMPLETE: "yellow",
    State.STOPPED: "red",
    State.CANCELLED: "dim",
    State.UNDONE: "dim",
    State.FAILED: "red",
}


@frozen
class ImportList:
    """Renders `imports`, in at most `max_lines` lines if it is given; the last line then has the number of
    the others. `with_batch` adds the batch ids, `heads` the column headings."""

    texts: CatalogTranslator
    imports: Sequence[Import]
    now: datetime
    with_batch: bool = False
    rates: Mapping[ImportId, Rate] = field(default_factory=dict)
    max_lines: int | None = None
    heads: bool = True

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(options.max_width):
            line.no_wrap, line.overflow = True, "ignore"  # a narrow terminal wraps; nothing is truncated
            yield line

    def _lines(self, width: int) -> Iterator[Text]:
        heads = [Text(head, style="bold") for head in self._head_texts()]
        rows = [self._cells(import_) for import_ in self.imports]
        widths = [max(row[n].cell_len for row in (heads, *rows)) for n in range(len(heads))]
        if self.heads:
            yield _joined(heads, widths)
        shown = int(self.heads)
        for number, (import_, cells) in enumerate(zip(self.imports, rows, strict=True)):
            block = [_joined(cells, widths), *self._below(import_, width)]
            left = len(self.imports) - number
            room = None if self.max_lines is None else self.max_lines - shown - (left > 1)
            if room is not None and len(block) > room:
                yield Text(self.texts.ngettext("… and %(num)s more", "… and %(num)s more", left), style="dim")
                return
            yield from block
            shown += len(block)

    def _head_texts(self) -> list[str]:
        texts = self.texts
        batch = [texts.gettext("batch")] if self.with_batch else []
        size = [] if self.with_batch else [texts.gettext("size")]
        return [texts.gettext("id"), *batch, texts.gettext("state"), texts.gettext("messages"), *size]

    def _cells(self, import_: Import) -> list[Text]:
        texts, progress = self.texts, import_.progress
        counted = bool(progress.folders_total)
        messages = (
            texts.gettext(
                "%(done)s of %(total)s",
                done=texts.number(progress.messages_done),
                total=texts.number(progress.messages_total),
            )
            if counted
            else ""
        )
        batch = [Text(import_.batch_id or "")] if self.with_batch else []
        copied = texts.size(progress.bytes_done) if progress.bytes_done else ""
        size = [] if self.with_batch else [Text(copied)]
        state = Text(state_word(texts, import_.state), style=_STYLES[import_.state])
        return [Text(import_.id), *batch, state, Text(messages), *size]

    def _below(self, import_: Import, width: int) -> Iterator[Text]:
        yield from address_lines(import_, width)
        if note := self._note(import_):
            yield from wrapped(note, width)

    def _note(self, import_: Import) -> str:
        if import_.state is State.RUNNING:
            return self._speed(import_)
        return wait_reason(self.texts, import_, self.now)

    def _speed(self, import_: Import) -> str:
        texts, rate = self.texts, self.rates.get(import_.id, Rate())
        parts = [running_note(texts, import_)]
        if import_.progress.phase is not Phase.COPYING:
            return parts[0]
        if rate.bytes_per_s:
            parts.append(texts.gettext("%(size)s/s", size=texts.size(rate.bytes_per_s)))
        if rate.left is not None:
            parts.append(texts.gettext("%(span)s left", span=texts.span(rate.left)))
        return " · ".join(filter(None, parts))


def wait_reason(texts: CatalogTranslator, import_: Import, now: datetime) -> str:
    """Why an import waits or has stopped, with the time when it resumes; "" if it does neither."""
    if import_.standing_problem is None:
        return ""
    problem = quoting(texts, import_problem(texts, import_), import_.problem)
    if import_.state is State.WAITING and import_.not_before is not None and import_.not_before > now:
        return f"{wait_text(texts, import_)} {problem}"
    return problem


def running_note(texts: CatalogTranslator, import_: Import) -> str:
    """The activity of a running import: its folder while it copies, otherwise its phase; "" unless it
    runs."""
    copying = import_.state is State.RUNNING and import_.progress.phase is Phase.COPYING
    folder = folder_name(texts, import_.progress.folder) if copying else ""
    return folder or phase_text(texts, import_)


def address_lines(import_: Import, width: int) -> Iterator[Text]:
    """Source and destination, indented: one line, or two if they do not fit."""
    source, destination = (
        printable(address, 320) for address in (import_.source.address, import_.destination.address)
    )
    together = f"{source} → {destination}"
    if cell_len(INDENT + together) <= width:
        yield Text(INDENT + together)
    else:
        yield from wrapped(source, width)
        yield from wrapped(f"→ {destination}", width)


def wrapped(text: str, width: int, indent: str = INDENT, max_chars: int = 900) -> Iterator[Text]:
    """Foreign text, wrapped at words, or within a word that is longer than a line; not at no-break spaces,
    of which Rich knows nothing."""
    room = max(20, width - len(indent))
    console = Console(width=room, color_system=None)
    held = printable(text, max_chars).translate(_HELD)
    for line in Text(held).wrap(console, room, overflow="fold"):
        line.rstrip()
        yield Text(indent + line.plain.translate(_RELEASED))


def wrapped_parts(parts: Iterable[str], width: int, indent: str = INDENT) -> Iterator[Text]:
    """Parts joined by " · ", wrapped between parts. Only a part longer than a line is split."""
    line = ""
    for part in parts:
        together = f"{line} · {part}" if line else part
        if line and cell_len(indent + together) > width:
            yield from wrapped(line, width, indent)
            together = part
        line = together
    yield from wrapped(line, width, indent)


def _joined(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for cell, width in zip(cells, widths, strict=True):
        line.append_text(cell)
        line.append(" " * (width - cell.cell_len) + _GAP)
    line.rstrip()
    return line
