"""Features that the server of one account announced and then refused or could not handle. They are not used
again.

One object serves all sessions of an account, so that a refusal costs one command per run and not one per
connection. Its methods may be called from several threads.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from importer.compact.uid_set import Uid, UidSet
from importer.domain.mailbox_content import FolderRef
from importer.domain.planning.retry_limits import MAX_LOSSES_AHEAD, MAX_RESUMPTIONS

NON_SYNCHRONIZING: Final = frozenset({"LITERAL+", "LITERAL-"})

_MAX_REFUSED_KEYWORDS: Final = 2
"""Messages with the same keywords that are stored only without them, after which others are sent without."""

_REMEMBERED_S: Final = 3600.0
_MAX_ACCOUNTS: Final = 1000


class Fallbacks:
    """`one_at_a_time`: the server does not handle a command that arrives before the previous one is answered
    (RFC 9051 section 5.5 allows that), so no command is sent ahead. `by_examine`: STATUS returns nothing, or
    wrong numbers. `counts_by_status`: SELECT and EXAMINE return no EXISTS. `has_stored`: the server stored a
    message. `literals_work`: it stored one that came as a non-synchronizing literal (RFC 7888). `dates_work`,
    `flags_work`: it stored a message with a date, with a system flag. `no_dates`, `no_flags`: it stored one
    only without. `listless_work`: it stored a message without a list of flags. `needs_list`: it stored one
    only with an empty list. `appends_failed`: appends in a row of which it stored no message and for which it
    may be at fault itself. `deadly`: messages of which a request ended the connection each time, and for
    which items. `message_limit`: the server refuses FETCH of more messages. `subscribes_lost`: SUBSCRIBEs
    that ended the connection. `selects_lost`: SELECTs in a row that did."""

    def __init__(self) -> None:
        self.one_at_a_time = False
        self.by_examine = False
        self.counts_by_status = False
        self.has_stored = False
        self.literals_work = False
        self.dates_work = self.flags_work = False
        self.no_dates = self.no_flags = False
        self.listless_work = self.needs_list = False
        self.appends_failed = 0
        self.subscribes_lost = self.selects_lost = 0
        self.message_limit: int | None = None
        self.deadly: dict[tuple[FolderRef, Uid], bytes] = {}
        self._refused_keywords = Counter[frozenset[str]]()
        self._disabled: frozenset[str] = frozenset()
        self._losses_ahead = 0
        self._by_losses = False  # the reason for `one_at_a_time`
        self._resumed = 0
        self._losses_at_id = 0

    def disable(self, capabilities: Iterable[str]) -> None:
        self._disabled |= frozenset(capabilities)

    def usable(self, announced: frozenset[str]) -> frozenset[str]:
        """Return the announced capabilities that may be used."""
        usable = announced - self._disabled
        return usable - NON_SYNCHRONIZING if self.one_at_a_time else usable

    def deadly_of(self, folder: FolderRef, uids: UidSet, items: bytes = b"") -> UidSet:
        """Return those of `uids` of which a request, for these items if given, ended the connection."""
        deadly = self.deadly.copy().items()
        return UidSet.of(
            uid for (known, uid), its in deadly if known == folder and uid in uids and items in (its, b"")
        )

    def note_refused_keywords(self, flags: Iterable[str]) -> None:
        """A message with these flags was refused, and stored without its keywords."""
        self._refused_keywords[_keywords(flags)] += 1

    @property
    def has_refused_keywords(self) -> bool:
        """Whether the server refused any keyword so far."""
        return bool(self._refused_keywords)

    def refuses_keywords(self, flags: Iterable[str]) -> bool:
        """Return whether the server refused the keywords among the flags often enough to believe it."""
        return self._refused_keywords[_keywords(flags)] >= _MAX_REFUSED_KEYWORDS

    def note_loss_ahead(self, *, silent: bool) -> None:
        """A connection was lost while a command that was sent ahead was outstanding; `silent`: the server
        stopped answering, as one does that forgets such commands."""
        self._losses_ahead += 1
        if silent or self._losses_ahead >= MAX_LOSSES_AHEAD:
            self._by_losses = not silent and not self.one_at_a_time
            self.one_at_a_time = True

    def note_loss_otherwise(self) -> None:
        """A connection was lost at a command that was not sent ahead: perhaps at a message for which the
        server ends each connection, so earlier losses say little about commands sent ahead."""
        self._losses_ahead = 0
        if self._by_losses and self._resumed < MAX_RESUMPTIONS:
            self._by_losses = self.one_at_a_time = False
            self._resumed += 1

    def note_loss_at_id(self) -> None:
        """A connection was lost before ID was answered. Some hosts require ID, so only two losses in a row
        end its use."""
        self._losses_at_id += 1
        if self._losses_at_id >= MAX_LOSSES_AHEAD:
            self.disable({"ID"})

    def note_answer_to_id(self) -> None:
        self._losses_at_id = 0

    def note_answer_ahead(self) -> None:
        """A command that was sent ahead was executed."""
        self._losses_ahead = 0


def _keywords(flags: Iterable[str]) -> frozenset[str]:
    return frozenset(flag for flag in flags if not flag.startswith("\\"))


class KnownFallbacks:
    """The fallbacks of the accounts that were used within the last hour."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_account: OrderedDict[str, tuple[float, Fallbacks]] = OrderedDict()

    def of(self, account_key: str) -> Fallbacks:
        """Return the fallbacks of an account, new ones after an hour: servers are updated."""
        now = self._clock()
        with self._lock:
            created_at, fallbacks = self._by_account.get(account_key, (now, Fallbacks()))
            if now - created_at > _REMEMBERED_S:
                created_at, fallbacks = now, Fallbacks()
            self._by_account[account_key] = created_at, fallbacks
            while len(self._by_account) > _MAX_ACCOUNTS:
                self._by_account.popitem(last=False)
        return fallbacks
