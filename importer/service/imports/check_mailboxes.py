"""Looking at both mailboxes before anything is copied, and telling what is found as it is found.

Nothing is changed on either side, and nothing is kept. Hosts are asked within the same budgets as imports do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.folder_mapping.folder_map import map_folders
from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.messages.normalise import instant_of
from importer.domain.model import (
    Account,
    FolderRef,
    FolderStatus,
    Import,
    ImportId,
    Message,
    Outline,
    Problem,
    Receipt,
    Route,
    State,
    route_of,
)
from importer.domain.planning.time_estimate import Amount, Throughput, estimate
from importer.domain.receipts.folder_history import FolderHistory
from importer.domain.reporting.mailbox_check import Check, CheckPhase, FolderCheck, SideCheck
from importer.engine.survey import Survey, survey
from importer.ports.mailbox import LabelView, MailboxSession
from importer.service.deps import Deps
from importer.service.imports.finish import report_of
from importer.service.imports.submit import new_id
from importer.service.legs.connections import previous_placements
from importer.service.legs.host_limits import HostLimits, PostponedByHost
from providers.errors import FolderChanged, FolderLeftOut, FolderUnusable, MailError, Side, Throttled
from providers.grants import Credential

MailboxLogin = tuple[Account, Credential]

SAMPLE_MESSAGES: Final = 1000
"""Folders of up to so many messages are looked through whole; of larger ones, so many are sampled."""

TRIAL_MESSAGES: Final = 40
TRIAL_BYTES: Final = 2_000_000
"""What is read once to learn the pace."""

EARLIER_IMPORTS: Final = 100
"""How far back earlier imports are looked at for their pace."""


def check(
    deps: Deps, source: MailboxLogin, destination: MailboxLogin, labels: LabelRule = LabelRule.ONE
) -> Iterator[Check]:
    """What is known so far, each time something new is; the last one is `done`. Trouble with a mailbox is
    part of it (`SideCheck.problem`) and raises nothing. Where the source has labels, its folders are counted
    as they would be copied under that rule. Close the iterator to break the look off."""
    looking = _Looking(deps, {Side.SOURCE: source, Side.DESTINATION: destination}, labels)
    try:
        yield from looking.run()
    finally:
        looking.close()


class _Looking:
    """One check under way. `found` is what is known."""

    def __init__(self, deps: Deps, logins: dict[Side, MailboxLogin], labels: LabelRule) -> None:
        self._deps = deps
        self._logins = logins
        self._labels = labels
        self._accounts = {side: account for side, (account, _) in logins.items()}
        source, destination = self._accounts[Side.SOURCE], self._accounts[Side.DESTINATION]
        self._route: Route = route_of(source, destination)
        as_import = Import(ImportId(f"check:{new_id()}"), source, destination, deps.clock.now())
        self._host_limits = HostLimits(deps, as_import, f"{deps.lease_owner} {as_import.id}")
        self._sessions: dict[Side, MailboxSession] = {}
        self._surveys: dict[Side, Survey] = {}
        self._read: Throughput | None = None
        self.found = Check(SideCheck(source), SideCheck(destination))

    def run(self) -> Iterator[Check]:
        yield self.found
        try:
            self._host_limits.raise_if_postponed()
            self._host_limits.acquire_slots(0)
        except PostponedByHost as held:
            self._tell(held.problem.side or Side.SOURCE, look=CheckPhase.FAILED, problem=held.problem)
        else:
            yield from self._both(self._open, CheckPhase.COUNTING)
            self._note_labels()
            yield from self._both(self._survey, CheckPhase.COUNTING)
            self._map()
            yield self.found
            yield from self._weigh()
            self._estimate()
        self.found = replace(self.found, done=True)
        yield self.found

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()
        self._host_limits.release_slots()

    # --- Steps ------------------------------------------------------------------------------------

    def _both(self, step: Any, look: CheckPhase) -> Iterator[Check]:
        """Does a step on both sides at once, and tells each as it is done."""
        sides = [side for side in Side if self._side(side).look is not CheckPhase.FAILED]
        with ThreadPoolExecutor(max_workers=len(Side), thread_name_prefix="check") as pool:
            steps = {pool.submit(step, side): side for side in sides}
            for done in as_completed(steps):
                side = steps[done]
                try:
                    self._tell(side, **({"look": look} | done.result()))
                except MailError as error:
                    self._fail(side, error)
                yield self.found

    def _open(self, side: Side) -> dict[str, Any]:
        account, credential = self._logins[side]
        labels = LabelView(self._labels, partial(previous_placements, self._deps.store, self._route))
        view = labels if side is Side.SOURCE else None
        session = self._sessions[side] = self._deps.sessions.open(account, credential, side, view)
        began = self._deps.clock.now()
        try:
            session.status("INBOX")
        except FolderUnusable:
            return {}
        return {"round_trip": self._deps.clock.now() - began}

    def _note_labels(self) -> None:
        source = self._sessions.get(Side.SOURCE)
        if source is not None and self.found.source.look is not CheckPhase.FAILED and source.has_labels():
            self.found = replace(self.found, labels=self._labels)

    def _survey(self, side: Side) -> dict[str, Any]:
        session = self._sessions[side]
        found = self._surveys[side] = survey(session)
        told: dict[str, Any] = {
            "folders": len(found.statuses) + len(found.unusable),
            "messages": found.messages,
        }
        if side is Side.DESTINATION:
            told |= {"quota": session.quota(), "max_message_bytes": session.append_limit_bytes()}
            told |= {"look": CheckPhase.DONE}
        return told

    def _map(self) -> None:
        """Where each folder goes, as an import would decide; without a destination only what there is."""
        source, destination = self._surveys.get(Side.SOURCE), self._surveys.get(Side.DESTINATION)
        if source is None:
            return
        if destination is None:
            folders = [FolderCheck(name, "", "", status.messages) for name, status in source.statuses.items()]
        else:
            remembered = self._deps.store.folder_map(self._route)
            pairs = map_folders(
                source.folders, source.hierarchy, destination.folders, destination.hierarchy, remembered
            )
            there = destination.statuses
            folders = [
                FolderCheck(
                    pair.source.name,
                    pair.destination,
                    pair.reason,
                    source.statuses[pair.source.name].messages,
                    there[pair.destination].messages if pair.destination in there else None,
                    elsewhere=source.statuses[pair.source.name].elsewhere,
                )
                for pair in pairs
                if pair.source.name in source.statuses
            ]
        no_mail = [name for name, why in source.unusable.items() if isinstance(why, FolderLeftOut)]
        self.found = replace(
            self.found,
            folders=tuple(folders),
            closed=tuple((n, str(why)) for n, why in source.unusable.items() if n not in no_mail),
            left_out=tuple((n, str(source.unusable[n])) for n in no_mail),
        )

    def _weigh(self) -> Iterator[Check]:
        """Sizes, dates and what earlier imports brought, folder by folder; the largest first."""
        source = self._surveys.get(Side.SOURCE)
        if source is None:
            return
        try:
            session = self._sessions[Side.SOURCE]
            told_bytes = session.folder_bytes(list(source.statuses))
            at = sorted(range(len(self.found.folders)), key=lambda i: -self.found.folders[i].messages)
            for index in at:
                self._host_limits.renew_slots()
                folder = self.found.folders[index]
                weighed = self._weighed(folder, source.statuses[folder.source_folder], told_bytes)
                folders = [*self.found.folders]
                folders[index] = weighed
                self.found = replace(self.found, folders=tuple(folders))
                self._sum_up()
                yield self.found
            self._tell(Side.SOURCE, look=CheckPhase.DONE)
        except MailError as error:
            self._fail(Side.SOURCE, error)

    def _weighed(self, folder: FolderCheck, status: FolderStatus, told_bytes: Any) -> FolderCheck:
        told = told_bytes.get(folder.source_folder)
        if not status.messages:
            return replace(folder, size_bytes=0)
        session, ref = self._sessions[Side.SOURCE], status.ref(folder.source_folder)
        try:
            shown = session.uids(ref)
            outlines = list(session.outlines(ref, _sampled(shown)))
            if self._read is None:
                self._try_pace(session, ref, outlines)
        except (FolderUnusable, FolderChanged):
            return replace(folder, exact=False)
        seen_bytes = sum(one.size_bytes for one in outlines)
        whole = len(outlines) == len(shown)
        self._date(outlines, exact=whole)
        mean_bytes = seen_bytes / len(outlines) if outlines else 0
        limit = self.found.destination.max_message_bytes
        return replace(
            folder,
            messages=len(shown),
            size_bytes=told if told is not None else round(mean_bytes * len(shown)),
            exact=told is not None or whole,
            too_large=0 if limit is None else sum(one.size_bytes > limit for one in outlines),
            known=self._known(folder, ref, shown),
        )

    def _known(self, folder: FolderCheck, ref: FolderRef, shown: UidSet) -> int:
        """How many of the messages earlier imports of the route settled."""
        destination = self._surveys.get(Side.DESTINATION)
        last = None
        for last in self._receipts(folder):  # noqa: B007  # there may be too many to hold
            pass
        if destination is None or last is None:
            return 0
        there = destination.statuses.get(folder.destination_folder)
        uidvalidity = there.uidvalidity if there else last.destination.uidvalidity
        target = FolderRef(folder.destination_folder, uidvalidity)
        history = FolderHistory(ImportId("check"), ref, target, there.uidnext if there else None)
        history.recall(self._receipts(folder))
        return len(shown) - len(history.todo(shown))

    def _receipts(self, folder: FolderCheck) -> Iterator[Receipt]:
        return self._deps.store.receipts(self._route, folder.destination_folder)

    def _try_pace(self, session: MailboxSession, ref: FolderRef, outlines: Sequence[Outline]) -> None:
        """Reads a few messages once, to learn how fast that goes."""
        wanted: list[Uid] = []
        size_bytes = 0
        for one in outlines:
            if len(wanted) < TRIAL_MESSAGES and size_bytes + one.size_bytes <= TRIAL_BYTES:
                wanted.append(one.uid)
                size_bytes += one.size_bytes
        began = self._deps.clock.now()
        read = [one for one in session.messages(ref, UidSet.of(wanted)) if isinstance(one, Message)]
        amount = Amount(len(read), sum(len(one.body) for one in read))
        self._read = Throughput(amount, self._deps.clock.now() - began)
        self._host_limits.count_bytes(Side.SOURCE, amount.size_bytes)

    def _date(self, outlines: Sequence[Outline], *, exact: bool) -> None:
        side = self.found.source
        known: list[datetime] = [at for at in (side.oldest, side.newest) if at is not None]
        dates = [at for one in outlines if (at := instant_of(one.internaldate)) is not None] + known
        if dates:
            self._tell(
                Side.SOURCE, oldest=min(dates), newest=max(dates), dates_exact=side.dates_exact and exact
            )

    def _sum_up(self) -> None:
        folders = self.found.folders
        if all(folder.size_bytes is not None for folder in folders):
            size_bytes = sum(folder.size_bytes or 0 for folder in folders)
            self._tell(Side.SOURCE, size_bytes=size_bytes, exact=all(folder.exact for folder in folders))

    def _estimate(self) -> None:
        if not self.found.ready:
            return
        guessed = estimate(
            self.found.to_copy,
            self._deps.clock.now(),
            read=self._read,
            earlier=_paces(self._deps, self._accounts[Side.DESTINATION]),
            daily_caps=self._host_limits.daily_caps(),
        )
        self.found = replace(self.found, estimate=guessed)

    # --- Telling ------------------------------------------------------------------------------------

    def _side(self, side: Side) -> SideCheck:
        return self.found.source if side is Side.SOURCE else self.found.destination

    def _tell(self, side: Side, **facts: Any) -> None:
        changed = replace(self._side(side), **facts)
        if side is Side.SOURCE:
            self.found = replace(self.found, source=changed)
        else:
            self.found = replace(self.found, destination=changed)

    def _fail(self, side: Side, error: MailError) -> None:
        if isinstance(error, Throttled):
            self._host_limits.record_throttling(error)
        problem = Problem(error.code, str(error), side, error.server_text)
        self._tell(side, look=CheckPhase.FAILED, problem=problem)


def _sampled(uids: UidSet) -> UidSet:
    """All of a small set; of a large one its two ends, and the rest evenly."""
    number = len(uids)
    if number <= SAMPLE_MESSAGES:
        return uids
    end = SAMPLE_MESSAGES // 10
    middle = islice(uids, end, number - end, -(-(number - 2 * end) // (SAMPLE_MESSAGES - 2 * end)))
    return UidSet.of([*islice(uids, end), *middle, *islice(uids, number - end, None)])


def _paces(deps: Deps, destination: Account) -> list[Throughput]:
    """How fast earlier imports into the same host went, waits included: that is what people live through."""
    paces = []
    for import_ in deps.store.imports(states=(State.COMPLETE,), limit=EARLIER_IMPORTS):
        if import_.destination.endpoint.host == destination.endpoint.host:
            report = report_of(deps, import_)
            if report.duration:
                amount = Amount(report.totals.copied, report.totals.copied_bytes)
                paces.append(Throughput(amount, report.duration))
    return paces
