"""Opening a connection to an IMAP server: connecting, encryption, login.

Invariant: no password is sent unencrypted unless the endpoint is PLAINTEXT; there is no silent fallback from
STARTTLS.
"""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import tenacity

from importer.adapters.certificate_end import certificate_end
from importer.adapters.imap import connect_errors, deflate, response_errors
from importer.adapters.imap.connect_watchdog import ConnectWatchdog
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.event_stream import ConnectionContext
from importer.adapters.imap.imapclient_adapter import Client, Timeouts, is_too_large
from importer.adapters.imap.login import Login, token_for, with_master, with_password, with_token
from importer.adapters.imap.response_errors import Peer
from importer.domain.planning.retry_limits import IMAP_CONNECT_ATTEMPTS, IMAP_CONNECT_WITHIN_S
from importer.ports.work_limit import WorkLimit
from providers.endpoint import Secret, Security
from providers.errors import ConnectionLost, LoginRejected, MailError, ServerUnavailable
from providers.grants import Credential, MasterLogin

_ID = b'ID ("name" "mailhaul")'

Tls = Callable[[], ssl.SSLContext]
"""Called only when needed: reading the system's authorities takes tens of milliseconds."""


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Create a context that verifies certificate and host name and requires TLS 1.2 or later; `ca_file` is
    trusted in addition to the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def open_connection(
    peer: Peer,
    login: Login,
    credential: Credential,
    context: ConnectionContext,
    *,
    tls: Tls,
    timeouts: Timeouts,
) -> Connection:
    """Connect (a few attempts within seconds), encrypt and log in.

    With a password, also that of a master user, there is one login attempt, since a lockout is worse than an
    error. With an access token there may be a second attempt, on a new connection and with a new token.

    Raises any MailError of scope session or account, and WorkEnded once the limit has ended.
    """

    def connect_and_log_in(log_in: Callable[[Client, Peer, Login], None]) -> Connection:
        with ConnectWatchdog(peer.dial, timeouts.login_deadline_s, context.limit) as watchdog:
            client = _connect_with_retries(replace(peer, dial=watchdog.dial), tls, timeouts)
            try:
                log_in(client, peer, login)
                capabilities = _capabilities(client, peer)
            except BaseException:
                client.close_abruptly()
                raise
        connection = Connection(client, peer, capabilities, context)
        compresses = context.known_lines.compress_from_start(peer.endpoint)
        if connection.has(deflate.CAPABILITY) and compresses:
            connection.compress()  # before ID, whose reply it would wait for
        if connection.has("ID"):  # RFC 2971: some hosts require it
            if connection.fallbacks.one_at_a_time:
                _call_id(connection)
            else:
                connection.send_with_next(_ID)
        return connection

    if isinstance(credential, Secret):
        return connect_and_log_in(partial(with_password, password=credential))
    if isinstance(credential, MasterLogin):
        return connect_and_log_in(partial(with_master, master=credential))
    try:
        return connect_and_log_in(partial(with_token, token=token_for(peer, credential)))
    except LoginRejected as error:
        if not connect_errors.may_be_the_token(error):
            raise
    return connect_and_log_in(partial(with_token, token=token_for(peer, credential, refused=True)))


def _call_id(connection: Connection) -> None:
    """Send ID (RFC 2971) and wait for its reply."""
    try:
        connection.call_all([_ID])
    except ConnectionLost:
        connection.fallbacks.note_loss_at_id()
        raise
    connection.fallbacks.note_answer_to_id()


def probe(
    peer: Peer,
    tls: Tls,
    timeouts: Timeouts,
    *,
    tries: int = IMAP_CONNECT_ATTEMPTS,
    limit: WorkLimit | None = None,
) -> datetime | None:
    """Connect and encrypt without logging in. Returns when the server's certificate expires, None without
    encryption. Raises any MailError of scope session or account."""
    with ConnectWatchdog(peer.dial, timeouts.login_deadline_s, limit) as watchdog:
        client = _connect_with_retries(replace(peer, dial=watchdog.dial), tls, timeouts, tries)
        try:
            return certificate_end(client.socket())
        finally:
            client.close_abruptly()


def _connect_with_retries(
    peer: Peer, tls: Tls, timeouts: Timeouts, tries: int = IMAP_CONNECT_ATTEMPTS
) -> Client:
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(ServerUnavailable),
        stop=tenacity.stop_after_attempt(tries) | tenacity.stop_after_delay(IMAP_CONNECT_WITHIN_S),
        wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=2, jitter=0.3),
        reraise=True,
    )
    return retrying(_connect, peer, tls, timeouts)


def _connect(peer: Peer, tls: Tls, timeouts: Timeouts) -> Client:
    client: Client | None = None
    implicit = peer.endpoint.security is Security.TLS
    try:
        client = Client(peer.endpoint, tls() if implicit else None, timeouts, peer.dial)
        _encrypt(client, peer, tls)
    except Exception as error:
        if client is not None:
            client.close_abruptly()
        if isinstance(error, MailError):
            raise
        raise connect_errors.opening_error(error, peer) from error
    return client


def _encrypt(client: Client, peer: Peer, tls: Tls) -> None:
    security = peer.endpoint.security
    if client.preauthenticated():
        # Before TLS, PREAUTH is an attack that strips STARTTLS, which is not allowed after it. With TLS, the
        # owner of the mailbox is unknown.
        raise connect_errors.preauthenticated(peer)
    if security is Security.TLS:
        return
    if client.has_capability("STARTTLS"):
        try:
            client.starttls_verified(tls())
        except imaplib.IMAP4.error as error:
            if client.refusal:
                raise connect_errors.encryption_refused(peer, client.refusal) from error
            raise
    elif security is Security.STARTTLS:
        raise connect_errors.no_encryption(peer)


def _capabilities(client: Client, peer: Peer) -> frozenset[str]:
    try:
        return client.fresh_capabilities()
    except (imaplib.IMAP4.abort, OSError) as error:
        if is_too_large(error):
            raise response_errors.login_too_large(peer) from None
        raise response_errors.lost(peer) from error
    except imaplib.IMAP4.error as error:
        raise response_errors.violation(peer, str(error)) from error
