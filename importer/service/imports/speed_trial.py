"""Measures how fast a copy would be: reads a few messages of the source, and looks at earlier imports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.import_filter import ImportFilter
from importer.domain.mailbox_content import FolderRef, Message, Outline
from importer.domain.model import Account, State
from importer.domain.planning.time_estimate import Amount, ReadTrial, Throughput
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from importer.ports.process import Clock
from importer.service.deps import Deps
from importer.service.imports.finish import report_of

TRIAL_MESSAGES: Final = 40
TRIAL_BYTES: Final = 2_000_000
"""The messages and bytes that are read once, at most."""

LARGE_BYTES: Final = 256_000
"""The first TRIAL_BYTES of one message of that size or more are read, too."""

EARLIER_IMPORTS: Final = 100
"""How many earlier imports are inspected for their throughput."""


class SpeedTrial:
    """One trial at a source, in two steps; `result` is None before the first. `count_bytes` receives the
    number of bytes after each read. Methods raise what the session raises."""

    def __init__(self, clock: Clock, round_trip: timedelta, count_bytes: Callable[[int], None]) -> None:
        self.result: ReadTrial | None = None
        self._clock = clock
        self._round_trip = round_trip
        self._count_bytes = count_bytes
        self._large: tuple[FolderRef, Outline] | None = None  # the smallest of the large messages

    def read_few(self, session: MailboxReader, folder: FolderRef, outlines: Sequence[Outline]) -> None:
        """Read a few of these messages, if nothing was read before."""
        if self.result is not None:
            return
        chosen: list[Uid] = []
        size_bytes = 0
        for outline in outlines:
            if len(chosen) < TRIAL_MESSAGES and size_bytes + outline.size_bytes <= TRIAL_BYTES:
                chosen.append(outline.uid)
                size_bytes += outline.size_bytes
        small = self._timed_read(session, folder, UidSet.of(chosen))
        self.result = ReadTrial(small, None, self._round_trip)

    def note_large(self, folder: FolderRef, outlines: Sequence[Outline]) -> None:
        """Remember the smallest large message of all folders for `read_large`."""
        large = (outline for outline in outlines if outline.size_bytes >= LARGE_BYTES)
        smallest = min(large, key=lambda outline: outline.size_bytes, default=None)
        if smallest and (self._large is None or smallest.size_bytes < self._large[1].size_bytes):
            self._large = folder, smallest

    def read_large(self, session: MailboxReader) -> None:
        """Read the beginning of one large message, if there is any."""
        if self.result is None or self._large is None:
            return
        folder, outline = self._large
        began = self._clock.now()
        with suppress(FolderUnusable, FolderChanged):
            read_bytes = session.read_beginning(folder, outline.uid, TRIAL_BYTES)
            took = self._clock.now() - began
            self._count_bytes(read_bytes)
            if read_bytes:
                self.result = replace(self.result, large=Throughput(Amount(1, read_bytes), took))

    def _timed_read(self, session: MailboxReader, folder: FolderRef, uids: UidSet) -> Throughput:
        began = self._clock.now()
        sizes = [
            len(message.body) for message in session.messages(folder, uids) if isinstance(message, Message)
        ]
        took = self._clock.now() - began
        self._count_bytes(sum(sizes))
        return Throughput(Amount(len(sizes), sum(sizes)), took)


def earlier_throughputs(deps: Deps, destination: Account) -> list[Throughput]:
    """Throughputs of earlier imports into the same host, waits included, as users experience them."""
    throughputs = []
    for import_ in deps.store.imports(ImportFilter(states=(State.COMPLETE,)), limit=EARLIER_IMPORTS):
        if import_.destination.endpoint.host == destination.endpoint.host:
            report = report_of(deps, import_)
            if report.duration:
                amount = Amount(report.totals.copied, report.totals.copied_bytes)
                throughputs.append(Throughput(amount, report.duration))
    return throughputs
