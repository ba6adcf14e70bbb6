"""Check both mailboxes before anything is copied, and report the findings as they arrive.

The check changes nothing on either side and stores nothing. It uses the same host budgets as imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.folder_mapping.doubtful_names import doubtful_names
from importer.domain.folder_mapping.folder_map import map_folders
from importer.domain.folder_mapping.folder_order import folder_order
from importer.domain.folder_mapping.left_out_folders import unmatched_patterns
from importer.domain.import_filter import ImportFilter
from importer.domain.import_options import DEFAULTS, ImportOptions
from importer.domain.mailbox_content import FolderRef, FolderStatus, Message, Outline
from importer.domain.messages.normalise import instant_of
from importer.domain.model import Account, Alert, Import, ImportId, Problem, Route, State, route_of
from importer.domain.planning.server_limits import MAX_CHECK_S
from importer.domain.planning.time_estimate import Amount, ReadTrial, Throughput, estimate
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.receipts.receipt import Receipt
from importer.domain.reporting.mailbox_check import Check, CheckPhase, FolderCheck, LeftOut, SideCheck
from importer.domain.reporting.server_alerts import each_once
from importer.engine.left_out import leave_out_folders
from importer.engine.survey import Survey, survey
from importer.ports.mailbox import MailboxReader, MailboxWriter, uncounted
from importer.ports.mailbox_errors import FolderChanged, FolderLeftOut, FolderUnusable
from importer.ports.work_limit import WorkEnded, WorkLimit
from importer.service.deps import Deps
from importer.service.imports.existing_forecast import count_existing
from importer.service.imports.finish import report_of
from importer.service.imports.submit import new_id
from importer.service.legs.connections import label_view
from importer.service.legs.host_limits import HostLimits, PostponedByHost
from providers.errors import MailError, ServerTooSlow, Side, Throttled
from providers.grants import Credential
from providers.text import Text

MailboxLogin = tuple[Account, Credential]

_Step = Callable[[], dict[str, Any]]
"""Returns fields of SideCheck."""

SAMPLE_MESSAGES: Final = 1000
"""Folders with up to this many messages are read completely; larger ones are sampled with this many."""

TRIAL_MESSAGES: Final = 40
TRIAL_BYTES: Final = 2_000_000
"""What is read once to measure the throughput."""

COUNT_INTERVAL_S: Final = 1.0
"""How often the count of folders is passed on while they are read."""

LARGE_BYTES: Final = 256_000
"""The first TRIAL_BYTES of one message of that size or more are read, too."""

EARLIER_IMPORTS: Final = 100
"""How many earlier imports are inspected for their throughput."""


def check(
    deps: Deps,
    source: MailboxLogin,
    destination: MailboxLogin,
    options: ImportOptions = DEFAULTS,
    limit: WorkLimit | None = None,
) -> Iterator[Check]:
    """Yield the result so far whenever it changes; the last one is `done`.

    A problem with a mailbox is part of the result (`SideCheck.problem`) and is not raised. If the source has
    labels, its folders are counted as they would be copied with `options`. Close the iterator to cancel the
    check between two findings. Once `limit` has ended, from any thread, the iterator ends within seconds,
    also in the midst of a command; then the last result is not `done`.
    """
    limit = limit or WorkLimit(MAX_CHECK_S)
    mailbox_check = _MailboxCheck(deps, {Side.SOURCE: source, Side.DESTINATION: destination}, options, limit)
    try:
        with suppress(WorkEnded):
            yield from mailbox_check.run()
    finally:
        mailbox_check.close()


def timed_out(result: Check) -> Check:
    """The result of a check that its limit ended: sides that were not looked at to the end have failed."""

    def settled(checked: SideCheck, side: Side) -> SideCheck:
        if checked.look in (CheckPhase.DONE, CheckPhase.FAILED):
            return checked
        text = Text(ServerTooSlow.code, host=checked.account.endpoint.host)
        return replace(checked, look=CheckPhase.FAILED, problem=Problem(text, side))

    return replace(
        result,
        source=settled(result.source, Side.SOURCE),
        destination=settled(result.destination, Side.DESTINATION),
        done=True,
    )


class _MailboxCheck:
    """A running check; `result` is what is known so far."""

    def __init__(
        self, deps: Deps, logins: dict[Side, MailboxLogin], options: ImportOptions, limit: WorkLimit
    ) -> None:
        self._deps = deps
        self._limit = limit
        self._logins = logins
        self._options = options
        self._accounts = {side: account for side, (account, _) in logins.items()}
        source, destination = self._accounts[Side.SOURCE], self._accounts[Side.DESTINATION]
        self._route: Route = route_of(source, destination)
        as_import = Import(ImportId(f"check:{new_id()}"), source, destination, deps.clock.now())
        self._host_limits = HostLimits(deps, as_import, f"{deps.lease_owner} {as_import.id}")
        self._source: MailboxReader | None = None
        self._destination: MailboxWriter | None = None
        self._surveys: dict[Side, Survey] = {}
        self._read = (0, 0)  # source folders read, and of how many
        self._trial: ReadTrial | None = None
        self._large: tuple[FolderRef, Outline] | None = None  # the smallest of the large messages
        self.result = Check(
            SideCheck(source),
            SideCheck(destination),
            options=options,
            max_message_bytes=deps.max_message_bytes,
        )

    def run(self) -> Iterator[Check]:
        yield self.result
        try:
            self._host_limits.raise_if_postponed(proven=False)
            self._host_limits.acquire_slots(0, proven=False)
        except PostponedByHost as postponed:
            self._update_side(
                postponed.problem.side or Side.SOURCE, look=CheckPhase.FAILED, problem=postponed.problem
            )
        else:
            yield from self._run_on_both(self._open_source, self._open_destination)
            self._note_labels()
            yield from self._run_on_both(self._survey_source, self._survey_destination)
            self._map()
            yield self.result
            yield from self._measure_folders()
            self._estimate()
        self.result = replace(self.result, done=True, alerts=self._alerts())
        yield self.result

    def _alerts(self) -> tuple[Alert, ...]:
        return each_once(
            Alert(session.side, text)
            for session in (self._source, self._destination)
            if session is not None
            for text in session.alerts()
        )

    def close(self) -> None:
        for session in (self._source, self._destination):
            if session is not None:
                session.close()
        self._host_limits.release_slots()

    # --- Steps ------------------------------------------------------------------------------------

    def _run_on_both(self, source: _Step, destination: _Step) -> Iterator[Check]:
        """Run both steps concurrently, each unless its side has failed. Yield the result as each completes,
        and every COUNT_INTERVAL_S while folders are counted."""
        steps_of = {Side.SOURCE: source, Side.DESTINATION: destination}
        with ThreadPoolExecutor(max_workers=len(Side), thread_name_prefix="check") as pool:
            steps = {
                pool.submit(step): side
                for side, step in steps_of.items()
                if self._side(side).look is not CheckPhase.FAILED
            }
            while steps:
                finished, _ = wait(steps, COUNT_INTERVAL_S, FIRST_COMPLETED)
                for done in finished:
                    self._take(steps.pop(done), done)
                if finished or self.result.read != self._read:
                    self.result = replace(self.result, read=self._read)
                    yield self.result

    def _take(self, side: Side, step: Future[dict[str, Any]]) -> None:
        try:
            self._update_side(side, **({"look": CheckPhase.COUNTING} | step.result()))
        except MailError as error:
            self._fail(side, error)
        except PostponedByHost as postponed:
            self._update_side(side, look=CheckPhase.FAILED, problem=postponed.problem)

    def _count_read(self, done: int, total: int) -> None:
        self._read = (done, total)

    def _open_source(self) -> dict[str, Any]:
        view = label_view(self._deps.store, self._route, self._options)
        self._source = self._deps.sessions.open_source(*self._logins[Side.SOURCE], view, self._limit)
        return self._enter(self._source)

    def _open_destination(self) -> dict[str, Any]:
        self._destination = self._deps.sessions.open_destination(*self._logins[Side.DESTINATION], self._limit)
        return self._enter(self._destination)

    def _enter(self, session: MailboxReader) -> dict[str, Any]:
        self._host_limits.enter(session.side)
        began = self._deps.clock.now()
        try:
            session.status("INBOX")
        except FolderUnusable:
            return {}
        return {"round_trip": self._deps.clock.now() - began}

    def _note_labels(self) -> None:
        source = self._source
        if source is not None and self.result.source.look is not CheckPhase.FAILED and source.has_labels():
            self.result = replace(self.result, labels=self._options.labels)

    def _survey_source(self) -> dict[str, Any]:
        return self._survey(self._source) if self._source is not None else {}

    def _survey_destination(self) -> dict[str, Any]:
        session = self._destination
        if session is None:
            return {}
        facts = self._survey(session)
        facts |= {"quota": session.quota(), "max_message_bytes": session.append_limit_bytes()}
        return facts | {"look": CheckPhase.DONE}

    def _survey(self, session: MailboxReader) -> dict[str, Any]:
        is_source = session.side is Side.SOURCE
        surveyed = survey(session, count=self._count_read if is_source else uncounted)
        if is_source:
            unmatched = unmatched_patterns(surveyed.folders, surveyed.hierarchy, self._options)
            self.result = replace(self.result, unmatched=unmatched)
            surveyed, _ = leave_out_folders(surveyed, self._options)
        self._surveys[session.side] = surveyed
        return {
            "folders": len(surveyed.statuses) + len(surveyed.unusable),
            "messages": surveyed.messages,
        }

    def _map(self) -> None:
        """Map folders as an import would; without a destination, list the source folders only."""
        source, destination = self._surveys.get(Side.SOURCE), self._surveys.get(Side.DESTINATION)
        if source is None:
            return
        doubtful: frozenset[str] = frozenset()
        if destination is None:
            folders = [FolderCheck(name, "", (), status.messages) for name, status in source.statuses.items()]
        else:
            stored_map = self._deps.store.folder_map(self._route)
            pairs = map_folders(
                source.folders, source.hierarchy, destination.folders, destination.hierarchy, stored_map
            )
            existing = destination.statuses
            folders = [
                FolderCheck(
                    pair.source.name,
                    pair.destination,
                    pair.reasons,
                    source.statuses[pair.source.name].messages,
                    existing[pair.destination].messages if pair.destination in existing else None,
                    elsewhere=source.statuses[pair.source.name].elsewhere,
                )
                for pair in pairs
                if pair.source.name in source.statuses
            ]
            doubtful = doubtful_names(
                [folder.destination_folder for folder in folders],
                {*(folder.name for folder in destination.folders), *stored_map.values()},
                destination.hierarchy.delimiter,
            )
        folders.sort(key=lambda folder: folder_order(folder.source_folder))
        left_out = {name: why for name, why in source.unusable.items() if isinstance(why, FolderLeftOut)}
        self.result = replace(
            self.result,
            folders=tuple(folders),
            may_be_renamed=tuple(f.source_folder for f in folders if f.destination_folder in doubtful),
            closed=tuple(
                (n, why.text.quoting(why.server_text))
                for n, why in source.unusable.items()
                if n not in left_out
            ),
            left_out=tuple(LeftOut(n, why.text, why.messages) for n, why in left_out.items()),
        )

    def _measure_folders(self) -> Iterator[Check]:
        """Determine sizes, dates and already imported messages, folder by folder, the largest first."""
        source, session = self._surveys.get(Side.SOURCE), self._source
        if source is None or session is None:
            return
        try:
            folder_bytes = session.folder_bytes(list(source.statuses))
            order = sorted(range(len(self.result.folders)), key=lambda i: -self.result.folders[i].messages)
            for index in order:
                self._host_limits.renew_slots()
                folder = self.result.folders[index]
                status = source.statuses[folder.source_folder]
                measured = self._measure_folder(session, folder, status, folder_bytes)
                folders = [*self.result.folders]
                folders[index] = measured
                self.result = replace(self.result, folders=tuple(folders))
                self._update_totals()
                yield self.result
            self._measure_large(session)
            self._update_side(Side.SOURCE, look=CheckPhase.DONE)
        except MailError as error:
            self._fail(Side.SOURCE, error)

    def _measure_folder(
        self,
        session: MailboxReader,
        folder: FolderCheck,
        status: FolderStatus,
        folder_bytes: Mapping[str, int],
    ) -> FolderCheck:
        reported_bytes = folder_bytes.get(folder.source_folder)
        if not status.messages:
            return replace(folder, size_bytes=0)
        ref = status.ref(folder.source_folder)
        try:
            uids = session.uids(ref)
            outlines = list(session.outlines(ref, _sampled(uids)))
            if self._trial is None:
                self._measure_throughput(session, ref, outlines)
        except (FolderUnusable, FolderChanged):
            return replace(folder, exact=False)
        large = (outline for outline in outlines if outline.size_bytes >= LARGE_BYTES)
        smallest = min(large, key=lambda outline: outline.size_bytes, default=None)
        if smallest and (self._large is None or smallest.size_bytes < self._large[1].size_bytes):
            self._large = ref, smallest
        sampled_bytes = sum(outline.size_bytes for outline in outlines)
        complete = len(outlines) == len(uids)
        self._update_dates(outlines, exact=complete)
        mean_bytes = sampled_bytes / len(outlines) if outlines else 0
        limit, own_limit = self.result.destination.max_message_bytes, self._deps.max_message_bytes
        sizes = [outline.size_bytes for outline in outlines]
        history = self._history(folder, ref)
        todo = uids if history is None else history.todo(uids)
        now, since = self._deps.clock.now(), self._options.since
        sampled_todo = [outline for outline in outlines if outline.uid in todo]
        older = UidSet.of(o.uid for o in sampled_todo if since.leaves_out(o.internaldate, now))
        return replace(
            folder,
            messages=len(uids),
            size_bytes=reported_bytes if reported_bytes is not None else round(mean_bytes * len(uids)),
            exact=reported_bytes is not None or complete,
            too_large=sum(limit < size_bytes <= own_limit for size_bytes in sizes) if limit else 0,
            beyond_limit=sum(size_bytes > own_limit for size_bytes in sizes),
            known=len(uids) - len(todo),
            older=round(len(older) * len(todo) / len(sampled_todo)) if older else 0,
            recognised=self._count_recognised(session, folder, ref, uids - older, history),
        )

    def _history(self, folder: FolderCheck, ref: FolderRef) -> FolderHistory | None:
        """What earlier imports of the route have settled in the folder; None if nothing."""
        destination = self._surveys.get(Side.DESTINATION)
        last = None
        for last in self._receipts(folder):  # noqa: B007  # there may be too many to hold in memory
            pass
        if destination is None or last is None:
            return None
        status = destination.statuses.get(folder.destination_folder)
        uidvalidity = status.uidvalidity if status else last.destination.uidvalidity
        target = FolderRef(folder.destination_folder, uidvalidity)
        history = FolderHistory(ImportId("check"), ref, target, status.uidnext if status else None)
        history.recall(self._receipts(folder))
        return history

    def _count_recognised(
        self,
        source: MailboxReader,
        folder: FolderCheck,
        ref: FolderRef,
        uids: UidSet,
        history: FolderHistory | None,
    ) -> int:
        """How many of the messages are probably at the destination without a receipt. Of a large folder a
        sample is examined. Whatever the destination does not tell counts as not there."""
        destination = self._surveys.get(Side.DESTINATION)
        status = destination.statuses.get(folder.destination_folder) if destination else None
        session = self._destination
        todo = uids if history is None else history.todo(uids)
        if session is None or status is None or not status.messages or not todo:
            return 0
        sample = _sampled(todo)
        there = status.ref(folder.destination_folder)
        try:
            existing = session.uids(there) - (UidSet() if history is None else history.destination_uids)
            count = count_existing(source, ref, sample, session, there, existing)
        except (FolderUnusable, FolderChanged):
            return 0
        except MailError as error:
            if error.side is Side.SOURCE:
                raise
            return 0
        return round(count * len(todo) / len(sample))

    def _receipts(self, folder: FolderCheck) -> Iterator[Receipt]:
        return self._deps.store.receipts(self._route, folder.destination_folder)

    def _measure_throughput(
        self, session: MailboxReader, ref: FolderRef, outlines: Sequence[Outline]
    ) -> None:
        """Read a few messages once to measure the throughput."""
        chosen: list[Uid] = []
        size_bytes = 0
        for outline in outlines:
            if len(chosen) < TRIAL_MESSAGES and size_bytes + outline.size_bytes <= TRIAL_BYTES:
                chosen.append(outline.uid)
                size_bytes += outline.size_bytes
        round_trip = self._side(Side.SOURCE).round_trip or timedelta(0)
        self._trial = ReadTrial(self._timed_read(session, ref, UidSet.of(chosen)), None, round_trip)

    def _measure_large(self, session: MailboxReader) -> None:
        """Read the beginning of one large message."""
        if self._trial is None or self._large is None:
            return
        folder, outline = self._large
        began = self._deps.clock.now()
        with suppress(FolderUnusable, FolderChanged):
            read_bytes = session.read_beginning(folder, outline.uid, TRIAL_BYTES)
            took = self._deps.clock.now() - began
            self._host_limits.count_bytes(Side.SOURCE, read_bytes)
            if read_bytes:
                self._trial = replace(self._trial, large=Throughput(Amount(1, read_bytes), took))

    def _timed_read(self, session: MailboxReader, folder: FolderRef, uids: UidSet) -> Throughput:
        began = self._deps.clock.now()
        sizes = [
            len(message.body) for message in session.messages(folder, uids) if isinstance(message, Message)
        ]
        took = self._deps.clock.now() - began
        self._host_limits.count_bytes(Side.SOURCE, sum(sizes))
        return Throughput(Amount(len(sizes), sum(sizes)), took)

    def _update_dates(self, outlines: Sequence[Outline], *, exact: bool) -> None:
        side = self.result.source
        earlier: list[datetime] = [at for at in (side.oldest, side.newest) if at is not None]
        dates = [at for outline in outlines if (at := instant_of(outline.internaldate)) is not None] + earlier
        if dates:
            self._update_side(
                Side.SOURCE, oldest=min(dates), newest=max(dates), dates_exact=side.dates_exact and exact
            )

    def _update_totals(self) -> None:
        folders = self.result.folders
        if all(folder.size_bytes is not None for folder in folders):
            size_bytes = sum(folder.size_bytes or 0 for folder in folders)
            self._update_side(
                Side.SOURCE, size_bytes=size_bytes, exact=all(folder.exact for folder in folders)
            )

    def _estimate(self) -> None:
        if not self.result.ready:
            return
        estimated = estimate(
            self.result.to_copy,
            self._deps.clock.now(),
            read=self._trial,
            folders=sum(
                folder.to_copy.messages > 0 or folder.there is None for folder in self.result.folders
            ),
            round_trip=max(self._side(side).round_trip or timedelta(0) for side in Side),
            earlier=_earlier_throughputs(self._deps, self._accounts[Side.DESTINATION]),
            daily_caps=self._host_limits.daily_caps(),
        )
        self.result = replace(self.result, estimate=estimated)

    # --- Result -------------------------------------------------------------------------------------

    def _side(self, side: Side) -> SideCheck:
        return self.result.source if side is Side.SOURCE else self.result.destination

    def _update_side(self, side: Side, **facts: Any) -> None:
        changed = replace(self._side(side), **facts)
        if side is Side.SOURCE:
            self.result = replace(self.result, source=changed)
        else:
            self.result = replace(self.result, destination=changed)

    def _fail(self, side: Side, error: MailError) -> None:
        if isinstance(error, Throttled):
            self._host_limits.record_throttling(error)
        problem = Problem(error.text, side, error.server_text)
        self._update_side(side, look=CheckPhase.FAILED, problem=problem)


def _sampled(uids: UidSet) -> UidSet:
    """All of a small set; of a large one both ends, and an even sample of the rest."""
    number = len(uids)
    if number <= SAMPLE_MESSAGES:
        return uids
    end = SAMPLE_MESSAGES // 10
    middle = islice(uids, end, number - end, -(-(number - 2 * end) // (SAMPLE_MESSAGES - 2 * end)))
    return UidSet.of([*islice(uids, end), *middle, *islice(uids, number - end, None)])


def _earlier_throughputs(deps: Deps, destination: Account) -> list[Throughput]:
    """Throughputs of earlier imports into the same host, waits included, as users experience them."""
    throughputs = []
    for import_ in deps.store.imports(ImportFilter(states=(State.COMPLETE,)), limit=EARLIER_IMPORTS):
        if import_.destination.endpoint.host == destination.endpoint.host:
            report = report_of(deps, import_)
            if report.duration:
                amount = Amount(report.totals.copied, report.totals.copied_bytes)
                throughputs.append(Throughput(amount, report.duration))
    return throughputs
