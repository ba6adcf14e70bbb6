"""The connections of one leg: pairs opened as the engine asks for them, all closed together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import TracebackType

from importer.domain.model import Account
from importer.engine.context import Lane
from importer.engine.together import together
from importer.ports.mailbox import LabelView, MailboxSession, SessionFactory
from importer.service.manners import Manners
from providers.errors import Side, Throttled
from providers.grants import Credential


class Lanes:
    """Opens connection pairs between two accounts, for any thread, and closes them all as it is left."""

    def __init__(
        self,
        sessions: SessionFactory,
        source: tuple[Account, Credential],
        destination: tuple[Account, Credential],
        manners: Manners,
        labels: LabelView,
    ) -> None:
        self._sessions = sessions
        self._source = source
        self._destination = destination
        self._manners = manners
        self._labels = labels
        self._lock = Lock()
        self._opened: list[MailboxSession] = []

    def open(self, number: int) -> Lane:
        """A further pair, both sides at the same time. Raises what `SessionFactory.open` and
        `Manners.open_lane` raise."""
        self._manners.open_lane(number)
        try:
            source, destination = together(
                lambda: self._session(*self._source, Side.SOURCE),
                lambda: self._session(*self._destination, Side.DESTINATION),
            )
        except Throttled as error:
            if number:  # the engine goes on without it, so nobody else will tell
                self._manners.note(error)
            raise
        return Lane(number, source, destination)

    def _session(self, account: Account, credential: Credential, side: Side) -> MailboxSession:
        labels = self._labels if side is Side.SOURCE else None
        session = self._sessions.open(account, credential, side, labels)
        with self._lock:
            self._opened.append(session)
        return session

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened:
            with ThreadPoolExecutor(max_workers=len(self._opened)) as pool:  # each waits for its BYE
                list(pool.map(lambda session: session.close(), self._opened))
        self._manners.release()
