"""Shows the effects of control requests."""

from __future__ import annotations

from typing import Final

from importer.cli import text_views
from importer.cli.exit_codes import stdout
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import CatalogTranslator
from importer.service.imports.control import Changed, Effect

SYMBOLS: Final = {
    Effect.DONE: "[green]✓[/]",
    Effect.SOON: "[green]…[/]",
    Effect.TOO_LATE: "[yellow]![/]",
    Effect.NOT_POSSIBLE: "[red]✗[/]",
}


def print_change(words: CatalogTranslator, changed: Changed) -> None:
    import_ = changed.import_
    stdout.print(
        f"{SYMBOLS[changed.effect]} {text_views.plain(import_.source.address)}  [bold]{import_.id}[/]  "
        f"{text_views.plain(render_with_advice(changed.text, words))}",
        soft_wrap=True,
    )


def change_json(words: CatalogTranslator, changed: Changed) -> dict[str, object]:
    return {
        "id": changed.import_.id,
        "state": changed.import_.state.value,
        "effect": changed.effect.value,
        "message": render_with_advice(changed.text, words),
    }
