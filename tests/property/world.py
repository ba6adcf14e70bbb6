"""The setting of the engine's property tests: two mailboxes in memory, a ledger, a clock that tests control.

The oracle below knows nothing of the engine: it works on lists of bytes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from importer.domain.import_options import ImportOptions
from importer.domain.messages.message_body import whole
from importer.domain.messages.message_identity import is_notice, notice_signature
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, Progress
from importer.domain.receipts.folder_history import never
from importer.domain.receipts.folder_tally import FolderTally
from importer.engine.leg import LegEnd, run_leg
from importer.engine.leg_context import Lane, Leg, TransferLimits
from importer.ports.leases import Lease
from importer.ports.mailbox_errors import FolderChanged
from providers.endpoint import Endpoint
from providers.errors import MailError, Remedy, ServerUnavailable, Side
from tests.fakes.mailbox import Fault, MemoryMailbox, MemoryReader, MemoryWriter
from tests.fakes.store import MemoryStore

KEY = b"the installation's key"
SOURCE = Account("ada@old.example", "ada@old.example", Endpoint("imap.old.example"))
DESTINATION = Account("ada@new.example", "ada@new.example", Endpoint("imap.new.example"))
MAX_LEGS = 400

Strike = tuple[str, Fault]
"""A command, and how the connection is lost during it."""

COMMANDS = (
    *("append", "append", "messages", "uids", "uids_of", "status", "list", "sizes", "headers", "create"),
    *("sizes_of", "open_each"),
)


def mail(subject: str, text: str, message_id: str | None = None, extra: str = "") -> bytes:
    """A small message."""
    lines = ["From: ada@old.example", "Date: Mon, 2 Feb 1998 10:00:00 +0100", f"Subject: {subject}"]
    if message_id:
        lines.append(f"Message-ID: <{message_id}@old.example>")
    return "\r\n".join([*lines, *([extra] if extra else []), "", text, ""]).encode()


NOTICE = mail(
    "done", "copied", "notice", f"X-Mailhaul-Notice: {notice_signature(KEY, '<notice@old.example>')}"
)
FORGED_NOTICE = mail("done", "copied", "forged", f"X-Mailhaul-Notice: {'0' * 64}")
BODIES: tuple[bytes, ...] = (
    mail("disk", "80% full", "cron"),
    mail("disk", "90% full", "cron"),  # same headers and size, different message
    mail("disk", "95.5% full", "cron"),  # same headers, different size
    mail("no id", "one"),
    mail("no id", "two"),
    mail("plain", "hello", "plain"),
    mail("Plain", "hello", "plain2"),
    b"not really a message",
    b"\r\n",
    FORGED_NOTICE,
    NOTICE,
)


class TestClock:
    """A clock that advances only in `sleep`."""

    __test__ = False

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        self.on_sleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self._now

    def elapsed_s(self) -> float:
        return self._now.timestamp()

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self.on_sleep()


@dataclass(slots=True)
class Watcher:
    """Keeps the latest tally of each folder and the latest progress."""

    tallies: dict[str, FolderTally] = field(default_factory=dict)
    progress: Progress | None = None

    def planned(self, tallies: Sequence[FolderTally]) -> Mapping[str, FolderTally]:
        known = dict(self.tallies)
        for tally in tallies:
            self.tallies.setdefault(tally.source_folder, tally)
        return known

    def progressed(self, progress: Progress) -> None:
        self.progress = progress

    def tally_changed(self, tally: FolderTally) -> None:
        self.tallies[tally.source_folder] = tally


@dataclass(slots=True)
class Batches:
    """A budget of a number of batches."""

    left: int
    called_off: bool = False
    over: bool = False

    def count(self, side: Side, size_bytes: int) -> None:
        pass

    def is_over(self) -> bool:
        return self.over

    def is_called_off(self) -> bool:
        return self.called_off

    def spent(self) -> bool:
        self.left -= 1
        return self.left < 0


@dataclass(slots=True)
class World:
    """Two mailboxes and the state that Mailhaul keeps about them."""

    source: MemoryMailbox = field(default_factory=MemoryMailbox)
    destination: MemoryMailbox = field(default_factory=MemoryMailbox)
    store: MemoryStore = field(default_factory=MemoryStore)
    clock: TestClock = field(default_factory=TestClock)
    runs: int = 0
    refuse_lanes_above: int = 99
    share: Callable[[], int] = lambda: 99
    options: ImportOptions = ImportOptions()
    account: Account = SOURCE  # of the source
    budget: Batches | None = None  # of each leg, in place of a number of batches
    sent_lately: Callable[[ImportId], bool] = never

    def __post_init__(self) -> None:
        self.clock.on_sleep = self.destination.land

    def beside(self, login: str) -> World:
        """Another source into the same destination, with the same store."""
        account = Account(login, login, SOURCE.endpoint)
        return replace(self, source=MemoryMailbox(), account=account, runs=0)

    def run(
        self, *, batch: int = 2, legs_of: int = 3, lanes: int = 1, faults: Iterable[Strike] = ()
    ) -> Watcher:
        """Run one import to its end, over as many legs as it needs.

        Faults strike in order: each one strikes the next command of its kind, on either side, after the one
        before it has struck.
        """
        upcoming = list(faults)

        lock = threading.Lock()

        def strike(operation: str) -> Fault | None:
            with lock:
                return upcoming.pop(0)[1] if upcoming and upcoming[0][0] == operation else None

        self.source.fault = self.destination.fault = strike
        return self.run_with_own_faults(batch=batch, legs_of=legs_of, lanes=lanes)

    def run_with_own_faults(self, *, batch: int = 2, legs_of: int = 3, lanes: int = 1) -> Watcher:
        """Like `run`, with the faults that the mailboxes already have."""
        self.runs += 1
        import_ = Import(
            ImportId(f"import{self.runs}" + ("" if self.account == SOURCE else f" of {self.account.login}")),
            self.account,
            DESTINATION,
            self.clock.now(),
            options=self.options,
        )
        batch_ = Batch(BatchId(import_.id), self.clock.now(), "", "", (import_.id,))
        self.store.add_batch(batch_, [(import_, None)])
        watcher = Watcher()
        for _ in range(MAX_LEGS):
            before = watcher.progress.messages_done if watcher.progress else -1
            if (
                self._leg(import_, watcher, TransferLimits(batch_messages=batch, lanes=lanes), legs_of)
                is LegEnd.DONE
            ):
                return watcher
            stuck = (
                watcher.progress is not None and watcher.progress.messages_done <= before
            )  # as in run_leg.py
            import_ = replace(import_, attempts=import_.attempts + 1 if stuck else 0)
            self.clock.sleep(0.1)
        raise AssertionError(f"not done after {MAX_LEGS} legs")

    def _lane(self, number: int) -> Lane:
        if number > self.refuse_lanes_above:
            raise ServerUnavailable()
        source = MemoryReader(self.source)
        return Lane(number, source, MemoryWriter(self.destination))

    def _leg(self, import_: Import, watcher: Watcher, pace: TransferLimits, legs_of: int) -> LegEnd:
        lease = self._lease()
        try:
            return run_leg(
                Leg(
                    import_,
                    self._lane(0),
                    self._lane,
                    self.store,
                    lease,
                    self.budget or Batches(legs_of),
                    watcher,
                    self.clock,
                    lambda header: is_notice(KEY, header),
                    pace,
                    self.share,
                    sent_lately=self.sent_lately,
                )
            )
        except FolderChanged:
            return LegEnd.AGAIN
        except MailError as error:
            if error.remedy is not Remedy.RECONNECT:
                raise
            return LegEnd.AGAIN
        finally:
            self.store.release(lease)

    def _lease(self) -> Lease:
        lease = self.store.acquire("mailbox", "test", timedelta(minutes=1))
        assert lease is not None
        return lease

    def contents(self, mailbox: MemoryMailbox) -> dict[str, Counter[bytes]]:
        """Folder -> the bodies that it holds, with their counts."""
        return {
            name: Counter(whole(message.body) for message in folder.messages.values())
            for name, folder in mailbox.folders.items()
            if folder.messages
        }


def expected(
    source: dict[str, Counter[bytes]],
    prior: dict[str, Counter[bytes]],
    left_out: Sequence[bytes] = (NOTICE,),
) -> dict[str, Counter[bytes]]:
    """The promise: the prior content, and each content of the source once per folder."""
    result = {name: Counter(bodies) for name, bodies in prior.items()}
    for name, bodies in source.items():
        folder = result.setdefault(name, Counter())
        for body in bodies:
            if body not in folder and body not in left_out:
                folder[body] = 1
    return {name: bodies for name, bodies in result.items() if bodies}
