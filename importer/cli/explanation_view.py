"""The explanation of an import at a terminal."""

from __future__ import annotations

from typing import Final

from rich.table import Table
from rich.text import Text

from importer.cli.exit_codes import stdout
from importer.cli.import_list import address_lines, wrapped
from importer.cli.text_views import plain
from importer.domain.model import Import
from importer.domain.reporting.explanation import Action, Explanation
from importer.i18n.explanation_texts import explanation_texts
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator

_COMMANDS: Final = {
    Action.PAUSE: "pause",
    Action.RESUME: "resume",
    Action.RETRY: "retry",
    Action.CANCEL: "cancel",
    Action.RUN_AGAIN: "retry",
    Action.UNDO: "undo",
}


def print_explanation(texts: CatalogTranslator, import_: Import, explanation: Explanation) -> None:
    """The sentence, then the next event and the advice, then the facts."""
    words = explanation_texts(texts, explanation)
    following, to_do = texts.gettext("Next:"), texts.gettext("To do:")
    stdout.print(Text.assemble(Text(import_.id, style="bold"), "  ", state_word(texts, import_.state)))
    stdout.print(*address_lines(import_, stdout.width), sep="\n")
    for label, said in (("", words.sentence), (following, words.next), (to_do, words.advice)):
        lines = wrapped(f"{label} {said}".strip(), stdout.width)
        for number, line in enumerate(lines):
            line.stylize("bold", 2, 2 + len(label) if number == 0 else 2)
            stdout.print(line)
    for action in explanation.actions:
        stdout.print(f"    [cyan]mailhaul {_COMMANDS[action]} {import_.id}[/]")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in words.facts:
        table.add_row(f"  {plain(name)}", plain(value, 400))
    stdout.print(table)
