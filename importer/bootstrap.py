"""The composition root: builds Deps from Settings. Only this and `importer.inspection` import adapters.

`standalone` needs no queue: it serves commands that read the store and foreground copies. `queued` also rings
the queue; `working` serves a worker process. `importer.inspection` inspects the parts of an installation.

Adapters that only some processes need are imported inside functions, so that a foreground copy need not load
Dramatiq, Redis, Alembic and smtplib.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from importer.adapters.digest_file import DigestFiles
from importer.adapters.ed25519_signer import Ed25519Signer
from importer.adapters.egress_guard import EgressGuard
from importer.adapters.fernet_vault import FernetVault, load_keys
from importer.adapters.imap.factory import PUBLIC_PORTS, ImapProber, ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.incoming_literals import MAX_LITERAL_BYTES
from importer.adapters.imap.open_connection import tls_context
from importer.adapters.queue.null_queue import NullQueue
from importer.adapters.store import SqlStore
from importer.adapters.store.revision import create, is_current
from importer.adapters.webhook_sender import HttpsWebhookSender
from importer.domain.brand import PRODUCT
from importer.domain.lifetimes import Lifetimes
from importer.domain.messages.message_identity import is_notice
from importer.domain.model import Account
from importer.domain.planning.cutover import PassTimes
from importer.engine.leg_context import TransferLimits
from importer.known_hosts import allowance, is_proven, known_mx
from importer.ports.process import Queue
from importer.ports.sealed_values import SealedValues
from importer.ports.store import Store
from importer.service.deps import Deadlines, Deps, OutgoingMail, Quotas, Webhook
from importer.service.legs.lane_shares import LaneShares
from importer.settings import Settings, SettingsError
from importer.system_clock import SystemClock
from providers.catalog import Catalog, provider_of_host
from providers.endpoint import Secret
from providers.mailbox_access import MailboxAccess, PasswordsOnly, People
from providers.text import Text

if TYPE_CHECKING:
    from dramatiq import Broker

    from providers.bulk_discovery import BulkDiscovery

LARGEST_MESSAGE_BYTES: Final = MAX_LITERAL_BYTES
"""Size of the largest message that can be copied."""


def process_name() -> str:
    """HOST:PID:TOKEN, new at each call and unique among all processes of an installation: the owner of
    leases."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@contextmanager
def standalone(settings: Settings) -> Iterator[Deps]:
    """Dependencies without a queue, for commands that only read and for copies in the foreground."""
    with _deps(settings, NullQueue()) as deps:
        yield deps


@contextmanager
def queued(settings: Settings) -> Iterator[Deps]:
    """Dependencies for submitting imports. Rings the queue if it runs; otherwise the workers' tick finds the
    import."""
    from importer.adapters.queue.embedded_valkey import EmbeddedQueueFailed
    from importer.adapters.queue.redis_queue import DramatiqQueue, make_broker

    try:
        url = queue_url(settings)
    except EmbeddedQueueFailed:
        url = None
    with _deps(settings, DramatiqQueue(make_broker(url)) if url else NullQueue()) as deps:
        yield deps


@contextmanager
def working(settings: Settings, stopping: Callable[[], bool], name: str) -> Iterator[tuple[Deps, Broker]]:
    """Dependencies and the Dramatiq broker for a worker with that `process_name`. Starts or joins the
    embedded Valkey when no Redis is configured."""
    from importer.adapters.queue.redis_queue import DramatiqQueue, make_broker
    from importer.adapters.store.retention import SqlRetention

    with embedded_queue(settings) as url:
        broker = make_broker(url)
        with _deps(settings, DramatiqQueue(broker), stopping, name) as deps:
            assert isinstance(deps.store, SqlStore)  # noqa: S101 - `_deps` opens it
            yield replace(deps, retention=SqlRetention(deps.store.engine)), broker


def personal(deps: Deps) -> Deps:
    """The same dependencies with the records about people, for requests about their data."""
    from importer.adapters.store.personal_data import SqlPersonalData

    assert isinstance(deps.store, SqlStore)  # noqa: S101 - there is no other
    return replace(deps, personal_records=SqlPersonalData(deps.store.engine))


@contextmanager
def embedded_queue(settings: Settings) -> Iterator[str]:
    """The queue's URL. Without a configured Redis, the embedded Valkey runs until the block ends."""
    from importer.adapters.queue.embedded_valkey import EmbeddedValkey

    if settings.redis_url:
        yield settings.redis_url
    else:
        with EmbeddedValkey(settings.data_dir()) as url:
            yield url


def queue_url(settings: Settings) -> str | None:
    """URL of the configured queue or of the running embedded one; None if neither exists.

    Raises EmbeddedQueueFailed and SettingsError.
    """
    from importer.adapters.queue.embedded_valkey import running_url

    return settings.redis_url or running_url(settings.data_dir())


@contextmanager
def _deps(
    settings: Settings, queue: Queue, stopping: Callable[[], bool] = lambda: False, name: str = ""
) -> Iterator[Deps]:
    store = _current_store(settings)
    try:
        yield _assembled(settings, store, queue, stopping, name or process_name())
    finally:
        store.close()


def _current_store(settings: Settings) -> SqlStore:
    """The store with a current schema. A SQLite file is migrated automatically; a database server only by
    `mailhaul migrate`. Raises SettingsError if its schema is not current."""
    settings.data_dir()
    if not is_current(settings.database_url):
        if not settings.database_url.startswith("sqlite"):
            raise SettingsError(Text("installation.schema_other"))
        if not create(settings.database_url):
            from importer.adapters.store.schema import migrate

            migrate(settings.database_url)
    return SqlStore.open(settings.database_url, _database_patience_s(settings))


def _assembled(
    settings: Settings, store: SqlStore, queue: Queue, stopping: Callable[[], bool], name: str
) -> Deps:
    vault = open_vault(settings)
    notice_key = vault.notice_key()
    clock = SystemClock()
    return Deps(
        store=store,
        access=access_of(settings),
        own_host=settings.destination_server,
        master_user=settings.master,
        administrators=settings.batch_right,
        operators=settings.operators,
        identity_provider=_people_of(settings),
        sessions=ImapSessions(
            ca_file=settings.ca_file,
            timeouts=_timeouts(settings),
            spool_folder=settings.data_dir(),
            login_help=_login_help,
            now=clock.now,
            guard=_guard(settings),
            provider_of=provider_of_host,
            compression=settings.compress,
        ),
        queue=queue,
        vault=vault,
        signer=open_signer(settings),
        outgoing_mail=_mails(settings, notice_key),
        clock=clock,
        is_notice=partial(is_notice, notice_key),
        lease_owner=name,
        allowance=partial(allowance, settings),
        mail_exchangers=_mail_exchangers,
        known_mx=known_mx,
        stopping=stopping,
        max_message_bytes=LARGEST_MESSAGE_BYTES,
        transfer_limits=TransferLimits(
            batch_messages=settings.batch_messages,
            batch_bytes=settings.batch_bytes,
            lanes=settings.lanes,
            settle_quiet=timedelta(seconds=settings.settle_quiet_seconds),
        ),
        lane_shares=LaneShares(max(settings.lanes, settings.worker_threads)),
        digests=DigestFiles(settings.data_dir()),
        quotas=Quotas(
            running=settings.running_per_owner or None,
            person_starts=settings.starts_per_day or None,
            client_starts=settings.client_starts_per_day or None,
        ),
        deadlines=Deadlines(
            leg=timedelta(seconds=settings.leg_seconds),
            lease=timedelta(seconds=settings.lease_seconds),
            consent=timedelta(days=settings.consent_days),
            kept_grants=timedelta(days=settings.keep_passwords_days),
            full_mailbox=timedelta(days=settings.full_mailbox_days),
            passes=PassTimes(timedelta(hours=settings.pass_hours), timedelta(hours=settings.last_pass_hours)),
            session_idle=timedelta(minutes=settings.session_idle_minutes),
        ),
        invites_everyone=settings.invitations == "everyone",
        is_proven=partial(is_proven, settings),
        lifetimes=Lifetimes(
            reports=timedelta(days=settings.keep_reports_days),
            refusals=timedelta(days=settings.keep_refusals_days),
            mails=timedelta(days=settings.keep_mails_days),
            receipts=timedelta(days=settings.keep_receipts_days),
            leases=timedelta(days=settings.keep_leases_days),
            audit=timedelta(days=settings.audit_days),
        ),
        webhook_sender=HttpsWebhookSender(
            partial(tls_context, settings.ca_file),
            allowed=settings.allowed_networks,
            forbidden=settings.forbidden_networks,
        ),
        webhook=Webhook(settings.webhook_url, settings.webhook_secret) if settings.webhook_secret else None,
        public_url=settings.public_url,
        product=settings.brand_name,
        revokes_consents=settings.give_back_consent,
    )


def _mail_exchangers(domain: str) -> Sequence[str]:
    from importer.adapters.lookup.dns_resolver import DnsResolver

    return DnsResolver().mail_exchangers(domain)


def directory(settings: Settings) -> BulkDiscovery:
    """Finds mail servers of addresses, in the catalog and on the network. Create one per file or request: the
    system's authorities are read and `dnspython` is loaded only once the network is asked."""
    from importer.adapters.lookup.dns_resolver import DnsResolver
    from importer.adapters.lookup.https_fetcher import GuardedWeb
    from providers.bulk_discovery import BulkDiscovery

    tls = cache(partial(tls_context, settings.ca_file))
    https_guard = EgressGuard(
        allowed=settings.allowed_networks, forbidden=settings.forbidden_networks, ports=(443,)
    )
    return BulkDiscovery(
        Catalog.load(),
        resolver=DnsResolver(),
        web=GuardedWeb(https_guard, tls),
        prober=ImapProber(_guard(settings), tls, Timeouts(connect_s=5.0, io_s=5.0)),
    )


def _guard(settings: Settings) -> EgressGuard:
    """Guards connections to mail servers that users name; users are not trusted."""
    return EgressGuard(
        allowed=settings.allowed_networks, forbidden=settings.forbidden_networks, ports=PUBLIC_PORTS
    )


def _mails(settings: Settings, notice_key: bytes) -> OutgoingMail | None:
    if not settings.smtp_url:
        return None
    from importer.adapters.mail.compose import TemplateComposer
    from importer.adapters.mail.smtp import SmtpMailer

    brand = settings.brand
    sender = settings.mail_from if brand.name == PRODUCT else f'"{brand.name}" <{settings.mail_from}>'
    return OutgoingMail(
        TemplateComposer(
            sender, notice_key, settings.language, settings.time_zone, brand, settings.public_url
        ),
        SmtpMailer(settings.smtp_url, sender, notice_key, settings.ca_file),
    )


def access_of(settings: Settings) -> MailboxAccess:
    """The configured login methods for mailboxes other than passwords. Raises SettingsError."""
    if not settings.has_sign_in:
        return PasswordsOnly()
    from importer.oauth_setup import configured_access

    return configured_access(settings)


def _timeouts(settings: Settings) -> Timeouts:
    """A server that occasionally sends single bytes is disconnected after the length of a leg, but never
    sooner than a silent server."""
    io_s = settings.imap_timeout_seconds
    return Timeouts(io_s=io_s, stall_s=max(settings.leg_seconds, 2 * io_s))


def _people_of(settings: Settings) -> People | None:
    if not settings.openid_issuer:
        return None
    from importer.oauth_setup import people

    return people(settings)


def _login_help(account: Account, words: str, *, by_token: bool) -> Text | None:
    from importer.oauth_setup import login_help

    return login_help(Catalog.load(), account, words, by_token=by_token)


# --- Single parts, for commands that need no others ---


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The store, with any version of its schema. Raises the database's errors,
    sqlalchemy.exc.SQLAlchemyError."""
    with closing(SqlStore.open(settings.database_url, _database_patience_s(settings))) as store:
        yield store


def _database_patience_s(settings: Settings) -> float:
    """The database's timeout in seconds: a worker that is cut off from it notices well before its leases
    end."""
    return max(2.0, min(20.0, settings.lease_seconds / 3))


def open_vault(settings: Settings) -> FernetVault:
    """The vault with the configured keys; a key file is created on first use.

    Raises VaultError and SettingsError.
    """
    return FernetVault(_secret_keys(settings))


@contextmanager
def open_sealed_values(settings: Settings) -> Iterator[SealedValues]:
    """All stored values that the vault sealed. Raises the database's errors."""
    from importer.adapters.store.resealing import SqlSealedValues

    with closing(_current_store(settings)) as store:
        yield SqlSealedValues(store.engine)


def _secret_keys(settings: Settings) -> tuple[Secret, ...]:
    return load_keys(
        secret_key=settings.secret_key,
        secret_key_file=settings.secret_key_file,
        data_dir=settings.data_dir(),
    )


def open_signer(settings: Settings) -> Ed25519Signer:
    """Signs evidence with the configured keys. Raises VaultError and SettingsError."""
    return Ed25519Signer(_secret_keys(settings))
