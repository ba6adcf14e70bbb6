"""Connection pairs of one leg: opened on demand by the engine, closed together at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import TracebackType

from importer.compact.uid_set import UidSet
from importer.concurrency import run_both
from importer.domain.model import Account, FolderRef, Route
from importer.engine.leg_context import Lane
from importer.ports.ledger import Ledger
from importer.ports.mailbox import LabelView, MailboxSession, SessionFactory
from importer.ports.work_limit import WorkLimit
from importer.service.legs.host_limits import HostLimits
from providers.errors import Side, Throttled
from providers.grants import Credential


class ConnectionPairs:
    """Context manager that opens connection pairs between two accounts and closes them all on exit.

    Thread-safe.
    """

    def __init__(
        self,
        sessions: SessionFactory,
        source: tuple[Account, Credential],
        destination: tuple[Account, Credential],
        host_limits: HostLimits,
        labels: LabelView,
        may_send: Callable[[], None] = lambda: None,
        limit: WorkLimit | None = None,
    ) -> None:
        """`may_send` raises LeaseLost once nothing more may be sent to the destination. `limit` is that of
        all connections."""
        self._sessions = sessions
        self._source = source
        self._destination = destination
        self._host_limits = host_limits
        self._labels = labels
        self._may_send = may_send
        self._limit = limit
        self._lock = Lock()
        self._opened: list[MailboxSession] = []

    def open(self, number: int) -> Lane:
        """Open another pair, both sides concurrently.

        Raises what `SessionFactory.open` and `HostLimits.acquire_slots` raise.
        """
        self._host_limits.acquire_slots(number)
        try:
            source, destination = run_both(
                lambda: self._session(*self._source, Side.SOURCE),
                lambda: self._session(*self._destination, Side.DESTINATION),
            )
        except Throttled as error:
            if number:  # the engine continues without this lane, so the error would not be recorded elsewhere
                self._host_limits.record_throttling(error)
            raise
        return Lane(number, source, destination)

    def _session(self, account: Account, credential: Credential, side: Side) -> MailboxSession:
        labels = self._labels if side is Side.SOURCE else None
        session = self._sessions.open(account, credential, side, labels, limit=self._limit)
        if side is Side.DESTINATION:
            session.fence(self._may_send)
        with self._lock:
            self._opened.append(session)
        return session

    def cut_off(self) -> None:
        """Cut all connections to the destination, from any thread, once `may_send` raises."""
        with self._lock:
            destinations = [session for session in self._opened if session.side is Side.DESTINATION]
        for session in destinations:
            session.cut_off()

    def __enter__(self) -> ConnectionPairs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened:
            with ThreadPoolExecutor(max_workers=len(self._opened)) as pool:  # each close waits for BYE
                list(pool.map(lambda session: session.close(), self._opened))
        self._host_limits.release_slots()


def previous_placements(ledger: Ledger, route: Route) -> Iterator[tuple[FolderRef, UidSet]]:
    """Yield the source folder and UIDs of every receipt, and of every append whose outcome is not known yet.

    A message that may have been stored under one label must not be sent under another. Receipts for deleted
    folders count too, so that messages which the owner removed do not reappear under another label.
    """
    for destination in sorted(set(ledger.folder_map(route).values())):
        for receipt in ledger.receipts(route, destination):
            yield receipt.source, UidSet.of(receipt.source_uids)
        for intent in ledger.intents(route, destination):
            yield intent.source, UidSet.of(intent.source_uids)
