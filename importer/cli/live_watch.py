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
from importer.i18n.translations import CatalogTranslator
from importer.service.deps import Deps
from importer.service.imports.finish import report_of
from importer.service.queries import find_imports

POLL_INTERVAL_S: Final = 0.5
LONGEST_WAIT: Final = timedelta(minutes=2)
"""An import that waits longer ends the command with exit code 5; the workers resume it automatically."""


def watch_and_report(
    texts: CatalogTranslator, deps: Deps, import_ids: Sequence[ImportId], *, as_json: bool
) -> ExitCode:
    """Watch the imports like `watch`, print their report and return its exit code."""
    watch(texts, deps, import_ids, quiet=as_json)
    imports = find_imports(deps, import_ids)
    batch = Batch(imports[0].batch_id or imports[0].id, imports[0].created_at)  # type: ignore[arg-type]
    report = BatchReport(batch, tuple(report_of(deps, import_) for import_ in imports))
    text_views.print_batch_report(texts, report, as_json=as_json)
    return report.exit_code


def watch(
    texts: CatalogTranslator, deps: Deps, import_ids: Sequence[ImportId], *, quiet: bool = False
) -> None:
    """Block until each import has ended, is paused, or waits for longer than LONGEST_WAIT. Shows them
    meanwhile unless `quiet`."""
    if quiet:
        _poll_until(lambda: _settled(deps, find_imports(deps, import_ids)))
        return
    with Live(console=stderr, refresh_per_second=4, transient=not stderr.is_terminal) as live:

        def refresh() -> bool:
            imports = find_imports(deps, import_ids)
            live.update(text_views.imports_table(texts, imports, deps.clock.now()))
            return _settled(deps, imports)

        _poll_until(refresh)


def _poll_until(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(POLL_INTERVAL_S)


def _settled(deps: Deps, imports: Sequence[Import]) -> bool:
    latest = deps.clock.now() + LONGEST_WAIT
    return all(
        import_.state in ENDED
        or import_.state is State.PAUSED
        or (import_.state is State.WAITING and import_.not_before is not None and import_.not_before > latest)
        for import_ in imports
    )
