"""Watching imports live, from the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from rich.live import Live

from importer.cli import text_views
from importer.cli.exit_codes import stderr
from importer.domain.import_state import ENDED
from importer.domain.model import Batch, Import, ImportId, State
from importer.domain.reporting.report import BatchReport, ExitCode
from importer.service.deps import Deps
from importer.service.imports.finish import report_of
from importer.service.queries import find_imports

LOOK_EVERY_S: Final = 0.5
PATIENCE: Final = timedelta(minutes=2)
"""An import that waits longer than this ends the watching: exit code 5, it goes on by itself."""


def to_the_end(deps: Deps, import_ids: Sequence[ImportId], *, as_json: bool) -> ExitCode:
    """Shows the imports until each has ended or waits for long, then their report; returns its exit code."""
    watch(deps, import_ids, quiet=as_json)
    imports = find_imports(deps, import_ids)
    batch = Batch(imports[0].batch_id or imports[0].id, imports[0].created_at)  # type: ignore[arg-type]
    report = BatchReport(batch, tuple(report_of(deps, import_) for import_ in imports))
    text_views.batch_report(report, as_json=as_json)
    return report.exit_code


def watch(deps: Deps, import_ids: Sequence[ImportId], *, quiet: bool = False) -> None:
    """Shows the imports live until each has ended or waits for long."""
    if quiet:
        _until(lambda: _settled(deps, find_imports(deps, import_ids)))
        return
    with Live(console=stderr, refresh_per_second=4, transient=not stderr.is_terminal) as live:

        def look() -> bool:
            imports = find_imports(deps, import_ids)
            live.update(text_views.imports(imports))
            return _settled(deps, imports)

        _until(look)


def _until(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(LOOK_EVERY_S)


def _settled(deps: Deps, imports: Sequence[Import]) -> bool:
    soon = deps.clock.now() + PATIENCE
    return all(
        import_.state in ENDED
        or import_.state is State.PAUSED
        or (import_.state is State.WAITING and import_.not_before is not None and import_.not_before > soon)
        for import_ in imports
    )
