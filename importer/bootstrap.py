"""The composition root: Settings -> Deps. The only module that knows every adapter.

Four ways to be put together: `reading` (the store alone), `queued` (to submit), `foreground` (to copy at
once) and `working` (a worker's process). What only some of them need is imported where it is needed:
a copy in the foreground should not wait for Dramatiq, Redis and Alembic.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from importer.adapters.digest_file import DigestFiles
from importer.adapters.egress_guard import EgressGuard
from importer.adapters.fernet_vault import FernetVault, load_keys
from importer.adapters.imap.connection import tls_context
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.session import PUBLIC_PORTS, ImapSessions
from importer.adapters.queue.null_queue import NullQueue
from importer.adapters.store import SqlStore
from importer.adapters.store.revision import create, is_current
from importer.adapters.webhook_sender import HttpsWebhookSender
from importer.domain.messages.message_identity import is_notice
from importer.domain.model import Account
from importer.domain.planning.host_allowance import Allowance
from importer.engine.leg_context import TransferLimits
from importer.ports.process import Queue
from importer.service.deps import Deadlines, Deps, OutgoingMail, Webhook
from importer.settings import Settings, SettingsError
from importer.settings.value_types import DailyLimit
from providers.catalog import Catalog
from providers.mailbox_access import MailboxAccess, PasswordsOnly, People
from providers.provider import ProviderLimits as HostLimits

if TYPE_CHECKING:
    from importer.adapters.queue.redis_queue import DoorbellBroker
    from providers.bulk_discovery import BulkDiscovery


class SystemClock:
    """Implements `Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@contextmanager
def reading(settings: Settings) -> Iterator[Deps]:
    """For looking at what there is; nothing is rung."""
    with _deps(settings, NullQueue()) as deps:
        yield deps


@contextmanager
def foreground(settings: Settings) -> Iterator[Deps]:
    """For copying at once, without services."""
    with _deps(settings, NullQueue()) as deps:
        yield deps


@contextmanager
def queued(settings: Settings) -> Iterator[Deps]:
    """For submitting: rings if the queue is there; what nobody hears, the workers' tick finds."""
    from importer.adapters.queue.embedded_valkey import EmbeddedQueueFailed, running_url
    from importer.adapters.queue.redis_queue import DramatiqQueue, make_broker

    try:
        url = settings.redis_url or running_url(settings.data_dir())
    except EmbeddedQueueFailed:
        url = None
    with _deps(settings, DramatiqQueue(make_broker(url)) if url else NullQueue()) as deps:
        yield deps


@contextmanager
def working(settings: Settings, stopping: Callable[[], bool]) -> Iterator[tuple[Deps, DoorbellBroker]]:
    """For a worker; starts or joins the embedded Valkey when no Redis is configured."""
    from importer.adapters.queue.redis_queue import DramatiqQueue, make_broker

    with embedded_queue(settings) as url:
        broker = make_broker(url)
        with _deps(settings, DramatiqQueue(broker), stopping) as deps:
            yield deps, broker


@contextmanager
def embedded_queue(settings: Settings) -> Iterator[str]:
    """The queue's URL; without a configured Redis, that of the embedded Valkey, held up meanwhile."""
    from importer.adapters.queue.embedded_valkey import EmbeddedValkey

    if settings.redis_url:
        yield settings.redis_url
    else:
        with EmbeddedValkey(settings.data_dir()) as url:
            yield url


@contextmanager
def _deps(settings: Settings, queue: Queue, stopping: Callable[[], bool] = lambda: False) -> Iterator[Deps]:
    store = _store(settings)
    try:
        yield _assembled(settings, store, queue, stopping)
    finally:
        store.close()


def _store(settings: Settings) -> SqlStore:
    """The store, its schema in order: a SQLite file is brought up to date at once, a server's database
    when its operator says so."""
    settings.data_dir()
    if not is_current(settings.database_url):
        if not settings.database_url.startswith("sqlite"):
            raise SettingsError(
                ["The database's schema is not the one of this version; run `mailhaul migrate`."]
            )
        if not create(settings.database_url):
            from importer.adapters.store.schema import migrate

            migrate(settings.database_url)
    return SqlStore.open(settings.database_url)


def _assembled(settings: Settings, store: SqlStore, queue: Queue, stopping: Callable[[], bool]) -> Deps:
    vault = FernetVault(
        load_keys(
            secret_key=settings.secret_key,
            secret_key_file=settings.secret_key_file,
            data_dir=settings.data_dir(),
        )
    )
    notice_key = vault.notice_key()
    clock = SystemClock()
    catalog = Catalog.load()
    return Deps(
        store=store,
        access=access_of(settings),
        master=settings.master,
        administrators=settings.batch_right,
        people=_people_of(settings),
        sessions=ImapSessions(
            ca_file=settings.ca_file,
            timeouts=_timeouts(settings),
            spool_folder=settings.data_dir(),
            login_help=partial(_login_help, catalog),
            now=clock.now,
            guard=_guard(settings),
            provider_of=catalog.for_host,
            compression=settings.compress,
        ),
        queue=queue,
        vault=vault,
        mails=_mails(settings, notice_key),
        clock=clock,
        is_notice=partial(is_notice, notice_key),
        owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        allowance=partial(_allowance, settings, catalog),
        stopping=stopping,
        pace=TransferLimits(
            batch_messages=settings.batch_messages,
            batch_bytes=settings.batch_bytes,
            lanes=settings.lanes,
            settle_quiet=timedelta(seconds=settings.settle_quiet_seconds),
        ),
        digests=DigestFiles(settings.data_dir()),
        limits=Deadlines(
            leg=timedelta(seconds=settings.leg_seconds),
            lease=timedelta(seconds=settings.lease_seconds),
            consent=timedelta(days=settings.consent_days),
        ),
        caller=HttpsWebhookSender(
            partial(tls_context, settings.ca_file),
            allowed=settings.allowed_networks,
            forbidden=settings.forbidden_networks,
        ),
        webhook=Webhook(settings.webhook_url, settings.webhook_secret) if settings.webhook_secret else None,
        public_url=settings.public_url,
        gives_back=settings.give_back_consent,
    )


def directory(settings: Settings) -> BulkDiscovery:
    """For finding the servers of addresses, on the network too: one for each file or request."""
    from importer.adapters.imap.prober import ImapProber
    from importer.adapters.lookup.dns_resolver import DnsResolver
    from importer.adapters.lookup.https_fetcher import GuardedWeb
    from providers.bulk_discovery import BulkDiscovery

    tls = tls_context(settings.ca_file)
    pages = EgressGuard(
        allowed=settings.allowed_networks, forbidden=settings.forbidden_networks, ports=(443,)
    )
    return BulkDiscovery(
        Catalog.load(),
        resolver=DnsResolver(),
        web=GuardedWeb(pages, tls),
        prober=ImapProber(_guard(settings), tls, Timeouts(connect_s=5.0, io_s=5.0)),
    )


def _guard(settings: Settings) -> EgressGuard:
    """For servers that users name: strangers among them."""
    return EgressGuard(
        allowed=settings.allowed_networks, forbidden=settings.forbidden_networks, ports=PUBLIC_PORTS
    )


def _mails(settings: Settings, notice_key: bytes) -> OutgoingMail | None:
    if not settings.smtp_url:
        return None
    from importer.adapters.mail.compose import TemplateComposer
    from importer.adapters.mail.smtp import SmtpMailer

    return OutgoingMail(
        TemplateComposer(settings.mail_from, notice_key, settings.language),
        SmtpMailer(settings.smtp_url, settings.mail_from, notice_key, settings.ca_file),
    )


def _allowance(settings: Settings, catalog: Catalog, account: Account) -> Allowance:
    """What the host of an account allows: what is known of it, as far as the settings let it."""
    provider = catalog.for_host(account.endpoint.host)
    limits = provider.limits if provider else HostLimits()
    known = DailyLimit(limits.download_bytes_per_day, limits.upload_bytes_per_day)
    daily = settings.daily_limits.get(provider.id, known) if provider else known
    return Allowance(
        host=provider.name if provider else account.endpoint.host,
        account_connections=min(settings.account_connections, limits.connections or sys.maxsize),
        host_connections=settings.host_connections,
        daily_down_bytes=daily.down_bytes,
        daily_up_bytes=daily.up_bytes,
    )


def access_of(settings: Settings) -> MailboxAccess:
    """The ways into mailboxes beside passwords. Raises SettingsError."""
    if not (settings.google_client_id or settings.microsoft_client_id or settings.has_organisation):
        return PasswordsOnly()
    from importer.oauth_setup import configured_access

    return configured_access(settings)


def _timeouts(settings: Settings) -> Timeouts:
    """A server that drips is cut when a leg would end; not before one that is silent."""
    io_s = settings.imap_timeout_seconds
    return Timeouts(io_s=io_s, drip_s=max(settings.leg_seconds, 2 * io_s))


def _people_of(settings: Settings) -> People | None:
    if not settings.openid_issuer:
        return None
    from importer.oauth_setup import people

    return people(settings)


def _login_help(catalog: Catalog, account: Account, words: str, *, by_token: bool) -> str:
    from importer.oauth_setup import login_help

    return login_help(catalog, account, words, by_token=by_token)
