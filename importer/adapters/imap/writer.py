"""`MailboxWriter` over IMAP: all commands that change a mailbox.

Invariants
- Flags change only in `change_flags`, and each by its name.
- CLOSE and EXPUNGE are never sent. Only `remove` removes messages, by UID: UID EXPUNGE (RFC 4315).
- `append` never reconnects, and raises ConnectionLost after a failure of unknown outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from importer.adapters.imap import expunge, folder_commands, folder_status, response_errors, store_flags
from importer.adapters.imap.append_choice import begin_append
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.login_limiter import LoginLimiter
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.utf7_names import FolderNames
from importer.compact.uid_set import UidSet
from importer.domain.mailbox_content import AppendResult, FolderRef, FolderStatus, KeywordRule, Outgoing
from importer.domain.planning.retry_limits import MAX_CREATES_LOST, MAX_SUBSCRIBES_LOST
from importer.ports.mailbox import FolderCount, uncounted
from importer.ports.mailbox_errors import FolderUnusable
from importer.ports.work_limit import WorkLimit
from providers.errors import ConnectionLost, ProtocolViolation, ServerTooSlow


class ImapWriter(ImapReader):
    """Implements `MailboxWriter` (importer/ports/mailbox.py), which describes the methods."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        names: FolderNames,
        logins: LoginLimiter | None = None,
        limit: WorkLimit | None = None,
    ) -> None:
        super().__init__(connect, names, None, logins, limit)
        self._creates_lost = 0  # CREATEs in a row that ended the connection twice

    def fence(self, check: Callable[[], None]) -> None:
        self.link.fence(check)

    def cut_off(self) -> None:
        self.link.cut_off()

    # --- Folders -----------------------------------------------------------------------------------

    def create(self, folder: str) -> None:
        """Create the folder; it may exist already. A CREATE that ends the connection twice is a refusal, as
        long as not all of them do."""
        try:
            self._create_once(folder)
        except (ConnectionLost, ProtocolViolation) as first:
            self.link.drop()
            if isinstance(first, ServerTooSlow) or self._creates_lost > MAX_CREATES_LOST:
                raise
            if self._opens(folder):  # the connection ended after the folder was created
                return
            try:
                self._create_once(folder)
            except (ConnectionLost, ProtocolViolation) as error:
                self.link.drop()
                self._creates_lost += 1
                words = error.server_text or "the connection ended"
                raise response_errors.folder_unusable(self.peer, folder, "created", words) from error
        self._creates_lost = 0

    def _create_once(self, folder: str) -> None:
        link = self.link
        try:
            folder_commands.folder_command(link.cursor, link.connection(), b"CREATE", folder, what="created")
        except FolderUnusable as refused:
            # The folder may exist already; servers have no common reply for that.
            if not self._opens(folder):
                raise refused from None

    def _opens(self, folder: str) -> bool:
        try:
            self.status(folder)
        except FolderUnusable:
            return False
        return True

    def subscribe(self, folder: str) -> None:
        self.link.ask(
            lambda cursor, connection: folder_commands.folder_command(
                cursor, connection, b"SUBSCRIBE", folder, what="subscribed"
            )
        )

    def create_and_subscribe(
        self, create: Sequence[str], subscribe: Sequence[str], count: FolderCount = uncounted
    ) -> Collection[str]:
        folders = max(len(create), len(subscribe))
        requests = [
            *((b"CREATE", folder) for folder in create),
            *((b"SUBSCRIBE", folder) for folder in (subscribe if self._may_subscribe() else ())),
        ]

        def done(number: int) -> None:
            count(number * folders // len(requests), folders)

        try:
            refused = folder_commands.run_all(self.link.cursor, self.link.connection(), requests, done)
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation):  # perhaps because of one of them: each on its own
            self.link.drop()
            refused = requests
        failed = []
        for number, (command, folder) in enumerate(refused, start=1):
            if refused is requests:
                done(number)
            if command == b"CREATE":  # it may exist already, which `create` checks
                try:
                    self.create(folder)
                except FolderUnusable:
                    failed.append(folder)
            elif refused is requests:
                self._subscribe_alone(folder)
        return failed

    def _may_subscribe(self) -> bool:
        fallbacks = self.link.connection().fallbacks
        return fallbacks.subscribes_lost < MAX_SUBSCRIBES_LOST

    def _subscribe_alone(self, folder: str) -> None:
        """Subscribe the folder. A refusal, or a lost connection, is ignored: the copy matters more."""
        if not self._may_subscribe():
            return
        fallbacks = self.link.connection().fallbacks
        try:
            folder_commands.folder_command(
                self.link.cursor, self.link.connection(), b"SUBSCRIBE", folder, what="subscribed"
            )
        except FolderUnusable:
            pass
        except ServerTooSlow:
            raise
        except (ConnectionLost, ProtocolViolation):
            self.link.drop()
            fallbacks.subscribes_lost += 1

    def open_for_appending(self, folder: str) -> tuple[FolderStatus, KeywordRule | None]:
        return self.link.ask(
            lambda cursor, connection: folder_status.open_for_appending(cursor, connection, folder)
        )

    def open_each_for_appending(
        self, folders: Sequence[str]
    ) -> Mapping[str, tuple[FolderStatus, KeywordRule | None]]:
        return self._together(
            lambda connection: folder_status.open_each_for_appending(self.link.cursor, connection, folders)
        )

    # --- Flags -------------------------------------------------------------------------------------

    def change_flags(
        self, folder: FolderRef, uids: UidSet, add: Sequence[str], remove: Sequence[str]
    ) -> bool:
        return self.link.ask(
            lambda cursor, connection: store_flags.change_flags(cursor, connection, folder, uids, add, remove)
        )

    # --- Removing ----------------------------------------------------------------------------------

    def supports_uid_expunge(self) -> bool:
        return self.link.ask(lambda _cursor, connection: expunge.supports_uid_expunge(connection))

    def remove(self, folder: FolderRef, uids: UidSet, *, unchanged_since: int = 0) -> UidSet:
        since = unchanged_since if unchanged_since and self.has_capability("CONDSTORE") else 0
        return self.link.ask(
            lambda cursor, connection: expunge.remove(cursor, connection, folder, uids, since)
        )

    def remove_folder(self, folder: FolderRef) -> None:
        self.link.ask(lambda cursor, connection: expunge.remove_folder(cursor, connection, folder))

    # --- Writing -----------------------------------------------------------------------------------

    def append_limit_bytes(self) -> int | None:
        for capability in self.link.ask(lambda _cursor, connection: connection.capabilities):
            name, _, value = capability.partition("=")
            if name == "APPENDLIMIT" and value.isdigit():
                return int(value)
        return None

    def append(self, folder: FolderRef, messages: Sequence[Outgoing]) -> Sequence[AppendResult]:
        # None is returned only without `singly`.
        return begin_append(self.link, folder, messages, self.status, singly=True)() or []

    def begin_append(
        self, folder: FolderRef, messages: Sequence[Outgoing]
    ) -> Callable[[], Sequence[AppendResult] | None]:
        return begin_append(self.link, folder, messages, self.status, singly=False)
