"""Completion of ids in a shell, from the database; empty if it does not exist or cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from importer.bootstrap import open_store
from importer.cli.console_language import console_texts
from importer.domain.import_filter import ImportFilter
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator
from importer.ports.store import Store
from importer.settings import Settings

MAX_OFFERED: Final = 30
_SQLITE: Final = "sqlite:///"

Items = list[CompletionItem]


def complete_import(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The newest imports whose ids begin with the given text, each with its source and its state."""
    return _from_store(ctx, lambda store, words: _imports(store, words, incomplete))


def complete_batch(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The newest batches whose ids begin with the given text, each with the name of its file."""
    return _from_store(ctx, lambda store, _: _batches(store, incomplete))


def complete_import_or_batch(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Imports and batches."""
    return _from_store(
        ctx, lambda store, words: [*_batches(store, incomplete), *_imports(store, words, incomplete)]
    )


def _imports(store: Store, words: CatalogTranslator, beginning: str) -> Items:
    return [
        CompletionItem(import_.id, help=f"{import_.source.address}, {state_word(words, import_.state)}")
        for import_ in store.imports(ImportFilter(beginning=beginning), limit=MAX_OFFERED)
    ]


def _batches(store: Store, beginning: str) -> Items:
    found = store.batches(MAX_OFFERED, beginning=beginning)
    return [CompletionItem(batch.id, help=batch.name) for batch in found]


def _from_store(ctx: click.Context, offer: Callable[[Store, CatalogTranslator], Items]) -> Items:
    """Raises no error and creates no file, because a shell calls it while a person types."""
    try:
        settings = Settings.load(data=ctx.params.get("data"))
        url = settings.database_url
        if url.startswith(_SQLITE) and not Path(url.removeprefix(_SQLITE)).exists():
            return []
        with open_store(settings) as store:
            return offer(store, console_texts(settings))
    except Exception:
        return []
