"""How far a copy in the foreground is: a bar for whoever sits at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from importer.cli import text_views
from importer.cli.exit_codes import stderr
from importer.domain.model import Progress
from importer.service.legs.progress_recorder import Watch


def _nobody(_progress: Progress) -> None:
    """Where nobody sees a bar none is drawn: it takes as much time as a thousand messages."""


@contextmanager
def bar(*, quiet: bool) -> Iterator[Watch]:
    """What to tell the progress to. The bar goes when the block ends."""
    if quiet or not stderr.is_terminal:
        yield _nobody
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=stderr, transient=True) as drawn:
        task = drawn.add_task("connecting", total=None)

        def watch(progress: Progress) -> None:
            drawn.update(
                task,
                description=text_views.plain(progress.folder) or "…",
                completed=progress.messages_done,
                total=max(progress.messages_total, progress.messages_done),
            )

        yield watch
