"""The progress bar of a copy in the foreground."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from importer.cli import text_views
from importer.cli.exit_codes import stderr
from importer.domain.model import Phase, Progress
from importer.i18n.folder_names import folder_name
from importer.i18n.phase_texts import counted
from importer.i18n.translations import CatalogTranslator
from importer.service.legs.progress_recorder import ProgressCallback


def _ignore(_progress: Progress) -> None:
    """Used without a terminal, because drawing the bar takes as long as copying a thousand messages."""


@contextmanager
def progress_bar(texts: CatalogTranslator, *, quiet: bool) -> Iterator[ProgressCallback]:
    """The callback for progress. The bar disappears when the block ends."""
    if quiet or not stderr.is_terminal:
        yield _ignore
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(texts.gettext("Connecting."), total=None)

        def update(progress: Progress) -> None:
            if progress.phase is Phase.COPYING:
                name = text_views.plain(folder_name(texts, progress.folder)) or "…"
                done, total = progress.messages_done, progress.messages_total
            else:
                name = counted(texts, progress.phase, 0, 0)
                done, total = progress.phase_done, progress.phase_total
            bar.update(task, description=name, completed=done, total=max(total, done) or None)

        yield update
