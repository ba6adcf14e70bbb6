"""Entry points of the IMAP adapter: `ImapSessions` implements `SessionFactory`, `ImapProber` implements
`Prober`.

A Gmail source is a view on an ordinary reader.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, overload
from weakref import WeakKeyDictionary, WeakValueDictionary

from importer.adapters.egress_guard import EgressGuard
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.deflate import Compression, KnownLines
from importer.adapters.imap.event_stream import ConnectionContext
from importer.adapters.imap.fallbacks import KnownFallbacks
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.incoming_literals import MAX_LITERAL_BYTES
from importer.adapters.imap.login import Login
from importer.adapters.imap.login_limiter import LoginLimiter
from importer.adapters.imap.open_connection import Tls, open_connection, probe, tls_context
from importer.adapters.imap.reader import ImapReader
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.stall_watchdog import StallWatchdog
from importer.adapters.imap.utf7_names import FolderNames
from importer.adapters.imap.writer import ImapWriter
from importer.domain.model import Account
from importer.ports.mailbox import LabelView
from importer.ports.work_limit import WorkLimit
from providers.endpoint import IMAP_PORT, IMAPS_PORT, Endpoint, Secret
from providers.errors import MailError, Side
from providers.grants import Credential, MasterLogin
from providers.provider import Provider
from providers.text import Text

if TYPE_CHECKING:
    from importer.adapters.imap.gmail import GmailLabels, GmailSource

PUBLIC_PORTS: Final = (IMAP_PORT, IMAPS_PORT)
"""The ports allowed for servers that untrusted users name: Mailhaul must not serve as a port scanner."""


class LoginHelp(Protocol):
    """Returns the steps for the owner of an account whose provider refused the login with these words."""

    def __call__(self, account: Account, words: str, /, *, by_token: bool) -> Text | None: ...


def no_help(_account: Account, _words: str, *, by_token: bool) -> None:
    return None


def utc_now() -> datetime:
    return datetime.now(UTC)


class ImapSessions:
    """Opens sessions over IMAP. Implements `SessionFactory` (importer/ports/mailbox.py).

    - `ca_file` is trusted in addition to the system's authorities.
    - `login_help` supplies the advice in LoginRejected.
    - Accounts that are `public_only` are reached through `guard` only.
    - If `provider_of` a host name has a better server to read from, sources are read from that server.
    - Large messages are spooled to files in `spool_folder`, by default in the system's temporary folder.
    """

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        timeouts: Timeouts | None = None,
        login_help: LoginHelp = no_help,
        now: Callable[[], datetime] = utc_now,
        max_message_bytes: int = MAX_LITERAL_BYTES,
        spool_folder: Path | None = None,
        guard: EgressGuard | None = None,
        provider_of: Callable[[str], Provider | None] = lambda _host: None,
        compression: Compression = "auto",
    ) -> None:
        self._ca_file = ca_file
        self._timeouts = timeouts or Timeouts()
        self._login_help = login_help
        self._now = now
        self._max_message_bytes = max_message_bytes
        self._spool_folder = spool_folder
        self._provider_of = provider_of
        self._guard = guard or EgressGuard(ports=PUBLIC_PORTS)
        self._known_lines = KnownLines(compression)
        self._known_fallbacks = KnownFallbacks()
        self._stall_watchdog = StallWatchdog(self._timeouts.stall_s)
        # Shared by all sessions of an account: a session that did not list a folder itself still opens it
        # under the name that LIST gave.
        self._names: WeakValueDictionary[str, FolderNames] = WeakValueDictionary()
        self._logins: WeakValueDictionary[str, LoginLimiter] = WeakValueDictionary()
        self._labels: WeakKeyDictionary[LabelView, GmailLabels] = WeakKeyDictionary()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context(self._ca_file)

    @overload
    def open_source(
        self,
        account: Account,
        credential: Credential,
        labels: None = None,
        limit: WorkLimit | None = None,
    ) -> ImapReader: ...
    @overload
    def open_source(
        self,
        account: Account,
        credential: Credential,
        labels: LabelView | None = None,
        limit: WorkLimit | None = None,
    ) -> ImapReader | GmailSource: ...
    def open_source(
        self,
        account: Account,
        credential: Credential,
        labels: LabelView | None = None,
        limit: WorkLimit | None = None,
    ) -> ImapReader | GmailSource:
        endpoint, visible_messages = self._server_to_read(account.endpoint)
        connect = self._connecting(account, credential, Side.SOURCE, endpoint, limit)
        reader = ImapReader(
            connect, self._names_of(account), visible_messages, self._logins_of(account), limit
        )
        if labels is None or not reader.has_labels():
            return reader
        from importer.adapters.imap.gmail import GmailLabels, GmailSource  # noqa: PLC0415 - most mail has no labels

        return GmailSource(reader, self._labels.setdefault(labels, GmailLabels(labels)))

    def open_destination(
        self, account: Account, credential: Credential, limit: WorkLimit | None = None
    ) -> ImapWriter:
        connect = self._connecting(account, credential, Side.DESTINATION, account.endpoint, limit)
        return ImapWriter(connect, self._names_of(account), self._logins_of(account), limit)

    def _names_of(self, account: Account) -> FolderNames:
        return self._names.setdefault(account.key, FolderNames())

    def _logins_of(self, account: Account) -> LoginLimiter:
        return self._logins.setdefault(account.key, LoginLimiter())

    def _connecting(
        self,
        account: Account,
        credential: Credential,
        side: Side,
        endpoint: Endpoint,
        limit: WorkLimit | None,
    ) -> Callable[[], Connection]:
        """Return a function that connects to `endpoint` and logs in."""
        dial = self._guard.connect if account.public_only else socket.create_connection
        by_token = not isinstance(credential, Secret | MasterLogin)
        context = ConnectionContext(
            max_literal_bytes=self._max_message_bytes,
            known_lines=self._known_lines,
            stall_watchdog=self._stall_watchdog,
            spool_folder=self._spool_folder,
            fallbacks=self._known_fallbacks.of(account.key),
            limit=limit or WorkLimit(),
        )

        def connect() -> Connection:
            return open_connection(
                Peer(endpoint, side, self._now, dial, account.public_only),
                Login(account.login, partial(self._login_help, account, by_token=by_token)),
                credential,
                context,
                tls=lambda: self._tls,
                timeouts=self._timeouts,
            )

        return connect

    def _server_to_read(self, endpoint: Endpoint) -> tuple[Endpoint, int | None]:
        """Return the server to read from for an account at `endpoint`, and the number of messages per folder
        that it shows at most (None: all). Yahoo and AOL run an export server that shows ten times as many."""
        provider = self._provider_of(endpoint.host)
        if provider is None or endpoint not in (provider.endpoint, provider.read_endpoint):
            return endpoint, None
        if provider.read_endpoint is not None:
            return provider.read_endpoint, provider.limits.read_messages_per_folder
        return endpoint, provider.limits.messages_per_folder


class ImapProber:
    """Implements `Prober` (providers/discovery.py): connects and encrypts once, through the guard.

    It never logs in.
    """

    def __init__(self, guard: EgressGuard, tls: Tls, timeouts: Timeouts) -> None:
        self._guard = guard
        self._tls = tls
        self._timeouts = timeouts

    def answers(self, endpoint: Endpoint) -> bool:
        """Return whether an IMAP server answers at `endpoint` and proves its name."""
        peer = Peer(endpoint, Side.SOURCE, utc_now, self._guard.connect, is_guarded=True)
        try:
            probe(peer, self._tls, self._timeouts, tries=1)
        except MailError:
            return False
        return True
