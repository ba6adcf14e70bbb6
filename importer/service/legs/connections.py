"""Connection pairs of one leg: opened on demand by the engine, closed together at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Final, TypeVar

from importer.compact.uid_set import UidSet
from importer.domain.import_options import ImportOptions
from importer.domain.mailbox_content import FolderRef
from importer.domain.model import Account, Alert, Route
from importer.domain.planning.retry_policy import decisive, is_verdict
from importer.domain.reporting.server_alerts import each_once
from importer.engine.leg_context import Lane
from importer.ports.ledger import Ledger
from importer.ports.mailbox import LabelView, MailboxReader, MailboxWriter, SessionFactory
from importer.ports.work_limit import WorkLimit
from importer.service.legs.host_limits import HostLimits
from providers.errors import Throttled
from providers.grants import Credential

S = TypeVar("S", bound=MailboxReader)

VERDICT_GRACE_S: Final = 1.0
"""How long the other side is waited for once one side is refused for good, so that both can be judged."""


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
        limit: WorkLimit | None = None,
    ) -> None:
        """`limit` is that of all connections."""
        self._sessions = sessions
        self._source = source
        self._destination = destination
        self._host_limits = host_limits
        self._labels = labels
        self._may_send: Callable[[], None] | None = None
        self._limit = limit
        self._lock = Lock()
        self._opened: list[MailboxReader] = []
        self._destinations: list[MailboxWriter] = []
        self._opening = 0  # logins under way
        self._closed = False

    def open(self, number: int, *, proven: bool = True) -> Lane:
        """Open another pair, both sides concurrently. Unless `proven`, the caller enters the accounts
        afterwards (`HostLimits.enter`).

        If both sides fail, the decisive error is raised. A verdict is raised at once, even if the other side
        does not answer: that login ends by itself, and its connection is closed then.

        Raises what `SessionFactory` and `HostLimits.acquire_slots` raise.
        """
        self._host_limits.acquire_slots(number, proven=proven)
        source = self._begin_login(self._open_source)
        destination = self._begin_login(self._open_destination)
        logins: tuple[Future[Any], ...] = (source, destination)
        wait(logins, return_when=FIRST_EXCEPTION)
        wait(logins, VERDICT_GRACE_S if any(map(is_verdict, _errors(logins))) else None)
        errors = _errors(logins)
        if not errors:
            return Lane(number, source.result(), destination.result())
        error = decisive(errors)
        for other in errors:
            # Nothing else records these: a leg ends with one error, and goes on without a further lane.
            if isinstance(other, Throttled) and (number or other is not error):
                self._host_limits.record_throttling(other)
        raise error

    def fence(self, may_send: Callable[[], None]) -> None:
        """Call `may_send` before each piece of bytes that is sent to the destination from now on. It raises
        LeaseLost once nothing more may be sent."""
        with self._lock:
            self._may_send = may_send
            destinations = self._destinations[:]
        for session in destinations:
            session.fence(may_send)

    def cut_off(self) -> None:
        """Cut all connections to the destination, from any thread, once the fence raises."""
        with self._lock:
            destinations = self._destinations[:]
        for session in destinations:
            session.cut_off()

    def alerts(self) -> tuple[Alert, ...]:
        """The ALERT texts of the servers so far (RFC 9051 section 7.1)."""
        with self._lock:
            opened = self._opened[:]
        return each_once(Alert(session.side, text) for session in opened for text in session.alerts())

    def close(self) -> None:
        """Close all connections and release their slots. Idempotent."""
        with self._lock:
            first, self._closed = not self._closed, True
            opened, opening = self._opened[:], self._opening
        if not first:
            return
        if opened:
            with ThreadPoolExecutor(max_workers=len(opened)) as pool:  # each close waits for BYE
                list(pool.map(lambda session: session.close(), opened))
        if not opening:
            self._host_limits.release_slots()

    def _begin_login(self, open_: Callable[[], S]) -> Future[S]:
        """Begin to log in, in a thread that does not keep the process from ending."""
        login: Future[S] = Future()
        with self._lock:
            self._opening += 1
        Thread(target=self._log_in, args=(open_, login), name="log-in", daemon=True).start()
        return login

    def _log_in(self, open_: Callable[[], S], login: Future[S]) -> None:
        session, failure = None, None
        try:
            session = open_()
            self._keep(session)
        except BaseException as error:  # raised by `open_`
            failure = error
        self._end_login()
        if failure is not None or session is None:
            login.set_exception(failure)
        else:
            login.set_result(session)

    def _open_source(self) -> MailboxReader:
        return self._sessions.open_source(*self._source, self._labels, self._limit)

    def _open_destination(self) -> MailboxWriter:
        session = self._sessions.open_destination(*self._destination, self._limit)
        with self._lock:
            self._destinations.append(session)
            fence = self._may_send
        if fence is not None:
            session.fence(fence)
        return session

    def _keep(self, session: MailboxReader) -> None:
        with self._lock:
            late = self._closed
            if not late:
                self._opened.append(session)
        if late:
            session.close()

    def _end_login(self) -> None:
        with self._lock:
            self._opening -= 1
            last = self._closed and not self._opening
        if last:
            with suppress(Exception):  # then the slots expire
                self._host_limits.release_slots()

    def __enter__(self) -> ConnectionPairs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _errors(logins: Sequence[Future[Any]]) -> list[BaseException]:
    """The errors of logins that have failed so far, the source first."""
    return [error for login in logins if login.done() and (error := login.exception()) is not None]


def label_view(ledger: Ledger, route: Route, options: ImportOptions) -> LabelView:
    """The view of the labels of its source for an import of that route."""
    return LabelView(
        options.labels,
        partial(previous_placements, ledger, route),
        lambda folder: options.folders.select((folder,)),
    )


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
