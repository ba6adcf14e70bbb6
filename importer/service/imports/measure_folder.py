"""Measures a source folder for a check: its size, its dates, and its messages that are at the destination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from importer.compact.uid_set import UidSet
from importer.domain.import_options import ImportOptions
from importer.domain.mailbox_content import FolderRef, FolderStatus, Outline
from importer.domain.messages.normalise import instant_of
from importer.domain.model import ImportId, Route
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.receipts.receipt import Receipt
from importer.domain.reporting.mailbox_check import FolderCheck, SideCheck
from importer.engine.survey import Survey
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable
from importer.service.deps import Deps
from importer.service.imports.existing_forecast import count_existing
from importer.service.imports.sent_lately import sent_lately
from importer.service.imports.speed_trial import SpeedTrial
from providers.errors import MailError, Side
from providers.frozen import frozen

SAMPLE_MESSAGES: Final = 1000
"""Folders with up to this many messages are read completely; larger ones are sampled with this many."""


@frozen
class CheckedDestination:
    """The destination of a check, as far as its login and its survey succeeded."""

    session: MailboxReader | None
    surveyed: Survey | None
    limit_bytes: int | None
    """The largest message that it accepts; None if unknown."""

    def status(self, folder: str) -> FolderStatus | None:
        return self.surveyed.statuses.get(folder) if self.surveyed else None


@frozen
class FolderMeasuring:
    """Measures the folders of one source; `trial` reads a few messages of the first one."""

    deps: Deps
    route: Route
    options: ImportOptions
    source: MailboxReader
    destination: CheckedDestination
    trial: SpeedTrial

    def measure(
        self, folder: FolderCheck, status: FolderStatus, reported_bytes: int | None
    ) -> tuple[FolderCheck, Sequence[Outline] | None]:
        """Return the measured folder, and the outlines of the messages that were read; None if it was not
        read: it is empty, or cannot be opened. `reported_bytes` is its exact size, if the server states it.
        Raises what the source raises, apart from FolderUnusable and FolderChanged."""
        if not status.messages:
            return replace(folder, size_bytes=0), None
        ref = status.ref(folder.source_folder)
        try:
            uids = self.source.uids(ref)
            outlines = list(self.source.outlines(ref, sampled(uids)))
            self.trial.read_few(self.source, ref, outlines)
        except (FolderUnusable, FolderChanged):
            return replace(folder, exact=False), None
        self.trial.note_large(ref, outlines)
        sizes = [outline.size_bytes for outline in outlines]
        mean_bytes = sum(sizes) / len(sizes) if sizes else 0
        limit, own_limit = self.destination.limit_bytes, self.deps.max_message_bytes
        history = self._history(folder, ref)
        todo = uids if history is None else history.todo(uids)
        now, since = self.deps.clock.now(), self.options.since
        sampled_todo = [outline for outline in outlines if outline.uid in todo]
        older = UidSet.of(o.uid for o in sampled_todo if since.leaves_out(o.internaldate, now))
        measured = replace(
            folder,
            messages=len(uids),
            size_bytes=reported_bytes if reported_bytes is not None else round(mean_bytes * len(uids)),
            exact=reported_bytes is not None or len(outlines) == len(uids),
            too_large=sum(limit < size_bytes <= own_limit for size_bytes in sizes) if limit else 0,
            beyond_limit=sum(size_bytes > own_limit for size_bytes in sizes),
            known=len(uids) - len(todo),
            older=round(len(older) * len(todo) / len(sampled_todo)) if older else 0,
            recognised=self._count_recognised(folder, ref, uids - older, history),
        )
        return measured, outlines

    def _history(self, folder: FolderCheck, ref: FolderRef) -> FolderHistory | None:
        """The messages of the folder that earlier imports of the route have settled; None without any."""
        last = None
        for last in self._receipts(folder):  # noqa: B007  # there may be too many to hold in memory
            pass
        if self.destination.surveyed is None or last is None:
            return None
        status = self.destination.status(folder.destination_folder)
        uidvalidity = status.uidvalidity if status else last.destination.uidvalidity
        target = FolderRef(folder.destination_folder, uidvalidity)
        uidnext = status.uidnext if status else None
        history = FolderHistory(ImportId("check"), ref, target, uidnext, sent_lately=sent_lately(self.deps))
        history.recall(self._receipts(folder))
        return history

    def _count_recognised(
        self, folder: FolderCheck, ref: FolderRef, uids: UidSet, history: FolderHistory | None
    ) -> int:
        """How many of the messages are probably at the destination without a receipt. Of a large folder a
        sample is examined. Messages that the destination does not hand out count as missing there."""
        session, status = self.destination.session, self.destination.status(folder.destination_folder)
        todo = uids if history is None else history.todo(uids)
        if session is None or status is None or not status.messages or not todo:
            return 0
        sample = sampled(todo)
        there = status.ref(folder.destination_folder)
        try:
            existing = session.uids(there) - (UidSet() if history is None else history.destination_uids)
            count = count_existing(self.source, ref, sample, session, there, existing)
        except (FolderUnusable, FolderChanged):
            return 0
        except MailError as error:
            if error.side is Side.SOURCE:
                raise
            return 0
        return round(count * len(todo) / len(sample))

    def _receipts(self, folder: FolderCheck) -> Iterator[Receipt]:
        return self.deps.store.receipts(self.route, folder.destination_folder)


def with_dates(source: SideCheck, outlines: Sequence[Outline], *, exact: bool) -> SideCheck:
    """The source with the dates of these messages included. Not `exact`: they are a sample."""
    earlier = [at for at in (source.oldest, source.newest) if at is not None]
    dates = [at for outline in outlines if (at := instant_of(outline.internaldate)) is not None] + earlier
    if not dates:
        return source
    return replace(source, oldest=min(dates), newest=max(dates), dates_exact=source.dates_exact and exact)


def sampled(uids: UidSet) -> UidSet:
    """All of a small set; of a large one both ends, and an even sample of the rest."""
    number = len(uids)
    if number <= SAMPLE_MESSAGES:
        return uids
    end = SAMPLE_MESSAGES // 10
    middle = islice(uids, end, number - end, -(-(number - 2 * end) // (SAMPLE_MESSAGES - 2 * end)))
    return UidSet.of([*islice(uids, end), *middle, *islice(uids, number - end, None)])
