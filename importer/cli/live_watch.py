"""Live display of imports, from the store."""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from importer.cli import report_view
from importer.cli.exit_codes import stderr, stdout
from importer.cli.import_list import ImportList, wrapped_parts
from importer.domain.import_state import ENDED
from importer.domain.model import Batch, Import, ImportId, State
from importer.domain.planning.pace import Rate, Samples, current_rate
from importer.domain.reporting.batch_overview import in_order, whole_progress
from importer.domain.reporting.report import BatchReport, ExitCode
from importer.i18n.state_texts import state_word
from importer.i18n.translations import CatalogTranslator
from importer.service.deps import Deps
from importer.service.imports.finish import report_of
from importer.service.queries import find_imports
from providers.frozen import frozen

POLL_INTERVAL_S: Final = 0.2
LONGEST_WAIT: Final = timedelta(minutes=2)
"""An import that waits longer ends the command with exit code 5; the workers resume it automatically."""


def watch_and_report(
    texts: CatalogTranslator, deps: Deps, import_ids: Sequence[ImportId], *, as_json: bool
) -> ExitCode:
    """Watch the imports like `watch` and return the exit code of their report. Prints the report of a single
    import; of several, the outcome of each, the verdict, and the imports that need a person."""
    watch(texts, deps, import_ids, quiet=as_json)
    imports = find_imports(deps, import_ids)
    batch = Batch(imports[0].batch_id or imports[0].id, imports[0].created_at)  # type: ignore[arg-type]
    report = BatchReport(batch, tuple(report_of(deps, import_) for import_ in imports))
    if as_json or len(imports) == 1:
        report_view.print_batch_report(texts, report, as_json=as_json)
    else:
        stdout.print(ImportList(texts, imports, deps.clock.now()))
        report_view.print_batch_end(texts, report)
        if batch_id := imports[0].batch_id:
            folders = texts.gettext("The folders of each: `mailhaul report %(id)s`.", id=batch_id)
            stdout.print(Text(folders, style="dim"), soft_wrap=True)
    return report.exit_code


def watch(
    texts: CatalogTranslator, deps: Deps, import_ids: Sequence[ImportId], *, quiet: bool = False
) -> None:
    """Block until each import has ended, is paused, or waits for longer than LONGEST_WAIT. Meanwhile, shows
    them at a terminal unless `quiet`; elsewhere, prints an import whenever its state has changed."""
    if quiet:
        _poll_until(lambda: _settled(deps, find_imports(deps, import_ids)))
    elif stderr.is_terminal:
        _watch_live(texts, deps, import_ids)
    else:
        _watch_changes(texts, deps, import_ids)


def _watch_live(texts: CatalogTranslator, deps: Deps, import_ids: Sequence[ImportId]) -> None:
    samples: dict[ImportId, Samples] = defaultdict(deque)
    with Live(console=stderr, refresh_per_second=4, transient=True) as live:

        def refresh() -> bool:
            now, imports = deps.clock.now(), find_imports(deps, import_ids)
            rates = {import_.id: current_rate(samples[import_.id], import_, now) for import_ in imports}
            live.update(LiveView(texts, imports, now, rates))
            return _settled(deps, imports)

        _poll_until(refresh)


def _watch_changes(texts: CatalogTranslator, deps: Deps, import_ids: Sequence[ImportId]) -> None:
    seen: dict[ImportId, State] = {}

    def refresh() -> bool:
        imports = find_imports(deps, import_ids)
        changed = [import_ for import_ in imports if seen.get(import_.id) is not import_.state]
        seen.update((import_.id, import_.state) for import_ in changed)
        if changed:
            stderr.print(ImportList(texts, changed, deps.clock.now(), heads=False))
        return _settled(deps, imports)

    _poll_until(refresh)


@frozen
class LiveView:
    """The current imports, in at most as many lines as the terminal has: the sums, then the imports that need
    a person, those in progress, the others."""

    texts: CatalogTranslator
    imports: Sequence[Import]
    now: datetime
    rates: Mapping[ImportId, Rate]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        height = (options.height or options.size.height) - 1  # the cursor takes the last line
        width = options.max_width
        sums = [*wrapped_parts(self._sums(), width, indent="")] if len(self.imports) > 1 else []
        yield from sums
        yield ImportList(
            self.texts, in_order(self.imports), self.now, rates=self.rates, max_lines=height - len(sums)
        )

    def _sums(self) -> list[str]:
        texts, speeds = self.texts, {id_: rate.messages_per_s for id_, rate in self.rates.items()}
        whole = whole_progress(self.imports, speeds)
        bytes_per_s = sum(rate.bytes_per_s for rate in self.rates.values())
        states = Counter(import_.state for import_ in self.imports)
        parts = [
            f"{state_word(texts, state)}{texts.colon} {texts.number(states[state])}"
            for state in State
            if states[state]
        ]
        parts.append(f"{texts.number(whole.percent)}\u00a0%")
        if bytes_per_s:
            parts.append(texts.gettext("%(size)s/s", size=texts.size(bytes_per_s)))
        if whole.left is not None:
            parts.append(texts.gettext("%(span)s left", span=texts.span(whole.left)))
        return parts


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
