"""Check both mailboxes before anything is copied, and report the findings as they arrive.

The check changes nothing on either side and stores nothing. It uses the same host budgets as imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from importer.domain.folder_mapping.left_out_folders import unmatched_patterns
from importer.domain.import_options import DEFAULTS, ImportOptions
from importer.domain.model import Account, Alert, Import, ImportId, Problem, Route, route_of
from importer.domain.planning.server_limits import MAX_CHECK_S
from importer.domain.planning.time_estimate import estimate
from importer.domain.reporting.mailbox_check import Check, CheckPhase, LeftOut, SideCheck
from importer.domain.reporting.server_alerts import each_once
from importer.engine.left_out import leave_out_folders
from importer.engine.survey import Survey, survey
from importer.ports.mailbox import MailboxReader, MailboxWriter, uncounted
from importer.ports.mailbox_errors import FolderLeftOut, FolderUnusable
from importer.ports.work_limit import WorkEnded, WorkLimit
from importer.service.deps import Deps
from importer.service.imports.folder_forecast import folders_that_may_be_renamed, forecast_folders
from importer.service.imports.measure_folder import CheckedDestination, FolderMeasuring, with_dates
from importer.service.imports.speed_trial import SpeedTrial, earlier_throughputs
from importer.service.imports.submit import new_id
from importer.service.legs.connections import label_view
from importer.service.legs.host_limits import HostLimits, PostponedByHost
from providers.errors import MailError, ServerTooSlow, Side, Throttled
from providers.grants import Credential
from providers.text import Text

MailboxLogin = tuple[Account, Credential]

_Step = Callable[[SideCheck], SideCheck]
"""Works on one side. Gets its state so far, and returns it with the findings."""

COUNT_INTERVAL_S: Final = 1.0
"""How often the count of folders is passed on while they are read."""


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
    """The result of a check that its limit ended: the sides that it had not finished have failed."""
    for side in Side:
        checked = result.side(side)
        if checked.look not in (CheckPhase.DONE, CheckPhase.FAILED):
            text = Text(ServerTooSlow.code, host=checked.account.endpoint.host)
            result = result.with_side(side, checked.failed(Problem(text, side)))
    return replace(result, done=True)


class _MailboxCheck:
    """A running check; `result` holds its results so far. Steps of both sides run concurrently, and only the
    caller's thread changes `result`."""

    def __init__(
        self, deps: Deps, logins: dict[Side, MailboxLogin], options: ImportOptions, limit: WorkLimit
    ) -> None:
        self._deps = deps
        self._limit = limit
        self._logins = logins
        self._options = options
        source, destination = (logins[side][0] for side in (Side.SOURCE, Side.DESTINATION))
        self._route: Route = route_of(source, destination)
        as_import = Import(ImportId(f"check:{new_id()}"), source, destination, deps.clock.now())
        self._host_limits = HostLimits(deps, as_import, f"{deps.lease_owner} {as_import.id}")
        self._source: MailboxReader | None = None
        self._destination: MailboxWriter | None = None
        self._surveys: dict[Side, Survey] = {}
        self._unmatched: tuple[str, ...] = ()
        self._read = (0, 0)  # source folders read, and of how many
        self._trial: SpeedTrial | None = None
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
            self._fail(postponed.problem.side or Side.SOURCE, postponed.problem)
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

    # --- Both sides at once -------------------------------------------------------------------------

    def _run_on_both(self, source: _Step, destination: _Step) -> Iterator[Check]:
        """Run both steps concurrently, each unless its side has failed. Yield the result as each completes,
        and every COUNT_INTERVAL_S while folders are counted."""
        steps_of = {Side.SOURCE: source, Side.DESTINATION: destination}
        with ThreadPoolExecutor(max_workers=len(Side), thread_name_prefix="check") as pool:
            steps = {
                pool.submit(step, self.result.side(side)): side
                for side, step in steps_of.items()
                if self.result.side(side).look is not CheckPhase.FAILED
            }
            while steps:
                finished, _ = wait(steps, COUNT_INTERVAL_S, FIRST_COMPLETED)
                for done in finished:
                    self._take(steps.pop(done), done)
                if finished or self.result.read != self._read:
                    self.result = replace(self.result, read=self._read)
                    yield self.result

    def _take(self, side: Side, step: Future[SideCheck]) -> None:
        try:
            self.result = self.result.with_side(side, step.result())
        except MailError as error:
            self._fail_by(side, error)
        except PostponedByHost as postponed:
            self._fail(side, postponed.problem)

    def _fail_by(self, side: Side, error: MailError) -> None:
        if isinstance(error, Throttled):
            self._host_limits.record_throttling(error)
        self._fail(side, Problem(error.text, side, error.server_text))

    def _fail(self, side: Side, problem: Problem) -> None:
        self.result = self.result.with_side(side, self.result.side(side).failed(problem))

    # --- Steps --------------------------------------------------------------------------------------

    def _open_source(self, checked: SideCheck) -> SideCheck:
        view = label_view(self._deps.store, self._route, self._options)
        self._source = self._deps.sessions.open_source(*self._logins[Side.SOURCE], view, self._limit)
        return self._enter(self._source, checked)

    def _open_destination(self, checked: SideCheck) -> SideCheck:
        self._destination = self._deps.sessions.open_destination(*self._logins[Side.DESTINATION], self._limit)
        return self._enter(self._destination, checked)

    def _enter(self, session: MailboxReader, checked: SideCheck) -> SideCheck:
        self._host_limits.enter(session.side)
        began = self._deps.clock.now()
        round_trip = None
        with suppress(FolderUnusable):
            session.status("INBOX")
            round_trip = self._deps.clock.now() - began
        return replace(checked, look=CheckPhase.COUNTING, round_trip=round_trip)

    def _note_labels(self) -> None:
        source = self._source
        if source is not None and self.result.source.look is not CheckPhase.FAILED and source.has_labels():
            self.result = replace(self.result, labels=self._options.labels)

    def _survey_source(self, checked: SideCheck) -> SideCheck:
        if self._source is None:
            return checked
        surveyed = survey(self._source, count=self._count_read)
        self._unmatched = unmatched_patterns(surveyed.folders, surveyed.hierarchy, self._options)
        surveyed, _ = leave_out_folders(surveyed, self._options)
        return self._counted(Side.SOURCE, surveyed, checked)

    def _survey_destination(self, checked: SideCheck) -> SideCheck:
        session = self._destination
        if session is None:
            return checked
        counted = self._counted(Side.DESTINATION, survey(session, count=uncounted), checked)
        return replace(
            counted,
            look=CheckPhase.DONE,
            quota=session.quota(),
            max_message_bytes=session.append_limit_bytes(),
        )

    def _count_read(self, done: int, total: int) -> None:
        self._read = (done, total)

    def _counted(self, side: Side, surveyed: Survey, checked: SideCheck) -> SideCheck:
        self._surveys[side] = surveyed
        return replace(
            checked,
            folders=len(surveyed.statuses) + len(surveyed.unusable),
            messages=surveyed.messages,
        )

    def _map(self) -> None:
        source, destination = self._surveys.get(Side.SOURCE), self._surveys.get(Side.DESTINATION)
        if source is None:
            return
        stored_map = self._deps.store.folder_map(self._route) if destination else {}
        folders = forecast_folders(source, destination, stored_map)
        left_out = {name: why for name, why in source.unusable.items() if isinstance(why, FolderLeftOut)}
        self.result = replace(
            self.result,
            folders=folders,
            unmatched=self._unmatched,
            may_be_renamed=folders_that_may_be_renamed(folders, destination, stored_map)
            if destination
            else (),
            closed=tuple(
                (name, why.text.quoting(why.server_text))
                for name, why in source.unusable.items()
                if name not in left_out
            ),
            left_out=tuple(LeftOut(name, why.text, why.messages) for name, why in left_out.items()),
        )

    def _measure_folders(self) -> Iterator[Check]:
        """Determine sizes, dates and already imported messages, folder by folder, the largest first."""
        source, session = self._surveys.get(Side.SOURCE), self._source
        if source is None or session is None:
            return
        trial = self._trial = SpeedTrial(
            self._deps.clock,
            self.result.source.round_trip or timedelta(0),
            partial(self._host_limits.count_bytes, Side.SOURCE),
        )
        measuring = FolderMeasuring(
            self._deps, self._route, self._options, session, self._checked_destination(), trial
        )
        try:
            folder_bytes = session.folder_bytes(list(source.statuses))
            order = sorted(range(len(self.result.folders)), key=lambda i: -self.result.folders[i].messages)
            for index in order:
                self._host_limits.renew_slots()
                folder = self.result.folders[index]
                name = folder.source_folder
                folder, outlines = measuring.measure(folder, source.statuses[name], folder_bytes.get(name))
                folders = [*self.result.folders]
                folders[index] = folder
                checked = self.result.source
                if outlines is not None:
                    checked = with_dates(checked, outlines, exact=len(outlines) == folder.messages)
                self.result = replace(self.result, folders=tuple(folders), source=checked).with_total_size()
                yield self.result
            trial.read_large(session)
            self.result = replace(self.result, source=replace(self.result.source, look=CheckPhase.DONE))
        except MailError as error:
            self._fail_by(Side.SOURCE, error)

    def _checked_destination(self) -> CheckedDestination:
        return CheckedDestination(
            self._destination,
            self._surveys.get(Side.DESTINATION),
            self.result.destination.max_message_bytes,
        )

    def _estimate(self) -> None:
        if not self.result.ready:
            return
        estimated = estimate(
            self.result.to_copy,
            self._deps.clock.now(),
            read=self._trial.result if self._trial else None,
            folders=sum(
                folder.to_copy.messages > 0 or folder.there is None for folder in self.result.folders
            ),
            round_trip=max(self.result.side(side).round_trip or timedelta(0) for side in Side),
            earlier=earlier_throughputs(self._deps, self.result.destination.account),
            daily_caps=self._host_limits.daily_caps(),
        )
        self.result = replace(self.result, estimate=estimated)
