"""Numbers of imports by state and reason."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from importer.cli import text_views
from importer.cli.exit_codes import stdout
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator
from importer.ports.monitoring import ImportCount


def print_counts(words: CatalogTranslator, counts: Sequence[ImportCount], *, as_json: bool) -> None:
    """A line for each state and reason, and the sum."""
    if as_json:
        text_views.print_json(
            [{"state": c.state.value, "reason": c.problem, "imports": c.imports} for c in counts]
        )
        return
    stdout.print(counts_table(words, counts))


def counts_table(words: CatalogTranslator, counts: Sequence[ImportCount]) -> Table:
    """Number, state and the code of the reason."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    for count in counts:
        table.add_row(words.number(count.imports), state_word(words, count.state), Text(count.problem))
    total = sum(count.imports for count in counts)
    table.add_row(
        Text(words.number(total), style="bold"), Text(words.gettext("in total"), style="bold"), Text()
    )
    return table
