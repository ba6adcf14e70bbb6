"""The progress bar of a copy in the foreground."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from importer.cli import text_views
from importer.cli.exit_codes import stderr
from importer.domain.model import Progress
from importer.service.legs.progress_recorder import ProgressCallback


def _ignore(_progress: Progress) -> None:
    """Without a terminal no bar is drawn: drawing takes as much time as copying a thousand messages."""


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[ProgressCallback]:
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
        task = bar.add_task("connecting", total=None)

        def update(progress: Progress) -> None:
            bar.update(
                task,
                description=text_views.plain(progress.folder) or "…",
                completed=progress.messages_done,
                total=max(progress.messages_total, progress.messages_done),
            )

        yield update
