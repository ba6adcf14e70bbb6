"""The composition root: builds Deps from Settings. The only module that imports adapters.

`standalone` needs no queue: it serves commands that read the store and foreground copies. `queued` rings the
queue, `working` serves a worker process. The last section opens or checks single parts of an installation,
for `doctor` and the service commands.

Adapters that only some processes need are imported inside functions: a foreground copy must not wait for
Dramatiq, Redis, Alembic and smtplib to load.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from importer.adapters.certificate_end import server_certificate_end
from importer.adapters.digest_file import DigestFiles
from importer.adapters.ed25519_signer import Ed25519Signer
from importer.adapters.egress_guard import EgressGuard
from importer.adapters.fernet_vault import FernetVault, load_keys
from importer.adapters.imap.factory import PUBLIC_PORTS, ImapProber, ImapSessions
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.incoming_literals import MAX_LITERAL_BYTES
from importer.adapters.imap.open_connection import probe, tls_context
from importer.adapters.imap.response_errors import Peer
from importer.adapters.queue.null_queue import NullQueue
from importer.adapters.store import SqlStore
from importer.adapters.store.revision import create, is_current
from importer.adapters.webhook_sender import HttpsWebhookSender
from importer.domain.brand import PRODUCT
from importer.domain.lifetimes import Lifetimes
from importer.domain.messages.message_identity import is_notice
from importer.domain.model import Account
from importer.domain.people.mail_recipients import is_host_of_domain
from importer.domain.planning.cutover import PassTimes
from importer.domain.planning.host_allowance import Allowance
from importer.engine.leg_context import TransferLimits
from importer.i18n.code_texts import render, render_with_advice
from importer.i18n.translations import texts
from importer.ports.certificates import Certificate, CertifiedServer
from importer.ports.monitoring import Observed
from importer.ports.process import InstallationFault, Queue
from importer.ports.schema import SchemaState
from importer.ports.sealed_values import SealedValues
from importer.ports.store import Store
from importer.readiness import remembered_faults
from importer.service.deps import Deadlines, Deps, OutgoingMail, Quotas, Webhook
from importer.service.legs.lane_shares import LaneShares
from importer.settings import Settings, SettingsError
from importer.settings.value_types import DailyLimit
from providers.catalog import Catalog, provider_of_host
from providers.endpoint import Endpoint, Secret
from providers.errors import MailError, Side
from providers.mailbox_access import MailboxAccess, PasswordsOnly, People
from providers.provider import ProviderLimits as HostLimits
from providers.text import Text

if TYPE_CHECKING:
    from dramatiq import Broker

    from providers.bulk_discovery import BulkDiscovery

LARGEST_MESSAGE_BYTES: Final = MAX_LITERAL_BYTES
"""Size of the largest message that can be copied."""

MISSED_REPORTS: Final = 3
SHORTEST_SILENCE: Final = timedelta(minutes=1)

READINESS_WITHIN_S: Final = 5.0
"""How long the database may be silent before a process counts as not ready."""


class SystemClock:
    """Implements `Clock`.

    `elapsed_s` follows the clock that counts suspension (CLOCK_BOOTTIME on Linux, CLOCK_MONOTONIC elsewhere)
    and runs ahead whenever the wall clock does: a virtual machine that was stopped by its host learns of it
    only when its wall clock is set. A wall clock that is set back changes nothing.
    """

    def __init__(
        self, steady: Callable[[], float] | None = None, wall: Callable[[], float] = time.time
    ) -> None:
        clock_id = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        self._steady = steady or partial(time.clock_gettime, clock_id)
        self._wall = wall
        self._wall_ahead_s = wall() - self._steady()
        self._lock = Lock()

    def elapsed_s(self) -> float:
        with self._lock:
            steady = self._steady()
            self._wall_ahead_s = max(self._wall_ahead_s, self._wall() - steady)
            return steady + self._wall_ahead_s

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


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
    """Dependencies for submitting imports. Rings the queue if it is running; otherwise the workers' tick
    finds the import."""
    from importer.adapters.queue.embedded_valkey import EmbeddedQueueFailed
    from importer.adapters.queue.redis_queue import DramatiqQueue, make_broker

    try:
        url = _queue_url(settings)
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


def _queue_url(settings: Settings) -> str | None:
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
        allowance=partial(_allowance, settings),
        mail_exchangers=_mail_exchangers,
        known_mx=_known_mx,
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
        is_proven=partial(_is_proven, settings),
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
        revokes_consents=settings.give_back_consent,
    )


def _mail_exchangers(domain: str) -> Sequence[str]:
    from importer.adapters.lookup.dns_resolver import DnsResolver

    return DnsResolver().mail_exchangers(domain)


def _known_mx(host: str) -> Sequence[str]:
    provider = provider_of_host(host)
    return () if provider is None else provider.mx


def directory(settings: Settings) -> BulkDiscovery:
    """Finds mail servers of addresses, in the catalog and on the network. Create one per file or request."""
    from importer.adapters.lookup.dns_resolver import DnsResolver
    from importer.adapters.lookup.https_fetcher import GuardedWeb
    from providers.bulk_discovery import BulkDiscovery

    tls = tls_context(settings.ca_file)
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


def _allowance(settings: Settings, account: Account) -> Allowance:
    """Limits of the account's host: those in the catalog, capped or replaced by the settings."""
    provider = provider_of_host(account.endpoint.host)
    limits = provider.limits if provider else HostLimits()
    catalogued = DailyLimit(limits.download_bytes_per_day, limits.upload_bytes_per_day)
    daily = settings.daily_limits.get(provider.id, catalogued) if provider else catalogued
    return Allowance(
        host=provider.name if provider else account.endpoint.host,
        account_connections=min(settings.account_connections, limits.connections or sys.maxsize),
        host_connections=settings.connections_by_host.get(
            account.endpoint.host.casefold().rstrip("."), settings.host_connections
        ),
        daily_down_bytes=daily.down_bytes,
        daily_up_bytes=daily.up_bytes,
    )


def _is_proven(settings: Settings, account: Account) -> bool:
    """Whether a login at the account's host proves that its address belongs to the person."""
    if account.endpoint == settings.destination_server:
        return account.login.lower() == account.address.lower()
    provider = provider_of_host(account.endpoint.host)
    if provider is not None:
        return provider.login_name(account.address).lower() == account.login.lower()
    return is_host_of_domain(account)


def access_of(settings: Settings) -> MailboxAccess:
    """The configured login methods for mailboxes other than passwords. Raises SettingsError."""
    if not settings.has_sign_in:
        return PasswordsOnly()
    from importer.oauth_setup import configured_access

    return configured_access(settings)


def _timeouts(settings: Settings) -> Timeouts:
    """A server that sends single bytes now and then is disconnected after the length of a leg, but never
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


# --- Single parts of an installation ---


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The store, whatever its schema. Raises what the database raises, sqlalchemy.exc.SQLAlchemyError."""
    with closing(SqlStore.open(settings.database_url, _database_patience_s(settings))) as store:
        yield store


def _database_patience_s(settings: Settings) -> float:
    """How long the database may be silent: a worker that is cut off from it notices well before its leases
    end."""
    return max(2.0, min(20.0, settings.lease_seconds / 3))


def open_vault(settings: Settings) -> FernetVault:
    """The vault with the configured keys; a key file is created on first use.

    Raises VaultError and SettingsError.
    """
    return FernetVault(_secret_keys(settings))


@contextmanager
def open_sealed_values(settings: Settings) -> Iterator[SealedValues]:
    """All that the vault sealed. Raises what the database raises."""
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


def migrate_database(settings: Settings) -> None:
    """Creates the schema or updates it. Raises SettingsError, SchemaAhead and what the database raises."""
    from importer.adapters.store.schema import migrate

    settings.data_dir()
    migrate(settings.database_url)


def database_state(settings: Settings) -> SchemaState:
    """The state of the schema. Raises what the database raises."""
    from importer.adapters.store.schema import schema_state

    return schema_state(settings.database_url)


def missing_columns(settings: Settings) -> list[str]:
    """The columns that the database lacks. Raises what the database raises."""
    from importer.adapters.store.schema import missing_columns as missing

    return missing(settings.database_url)


def silence_allowed(settings: Settings) -> timedelta:
    """How long a worker may go without a report before it counts as missing; it reports at each tick."""
    return max(SHORTEST_SILENCE, MISSED_REPORTS * timedelta(seconds=settings.tick_seconds))


def observed(settings: Settings, deps: Deps) -> Observed:
    """What the metrics of a process report about the whole installation."""
    return Observed(
        store=deps.store,
        silence_allowed=silence_allowed(settings),
        faults=remembered_faults(partial(readiness_faults, settings)),
        certificates=partial(certificates, settings),
        now=deps.clock.now,
    )


def readiness_faults(settings: Settings) -> dict[str, str]:
    """An English sentence for each of `database`, `schema` and `queue` that fails, by its name."""
    from sqlalchemy.exc import SQLAlchemyError

    english, faults = texts("en"), {}
    try:
        if not is_current(settings.database_url, READINESS_WITHIN_S):
            faults["schema"] = render(Text("installation.schema_other"), english)
    except InstallationFault as error:
        faults["database"] = render_with_advice(error.text, english)
    except SQLAlchemyError as error:
        faults["database"] = str(error)
    try:
        if not ping_queue(settings):
            faults["queue"] = render(Text("installation.valkey_off"), english)
    except InstallationFault as error:
        faults["queue"] = render_with_advice(error.text, english)
    except SettingsError as error:
        faults["queue"] = " ".join(render_with_advice(problem, english) for problem in error.problems)
    return faults


def ping_queue(settings: Settings) -> bool:
    """True if the queue responds; False if none is configured and the embedded one is not running.

    Raises InstallationFault if a queue should respond and does not, and SettingsError.
    """
    from importer.adapters.queue.redis_queue import DramatiqQueue, make_broker

    url = _queue_url(settings)
    if url is None:
        return False
    DramatiqQueue(make_broker(url)).ping()
    return True


def check_mail_server(settings: Settings) -> Text | None:
    """Connects to the mail server, encrypts and logs in. Returns the problem, if any."""
    from importer.adapters.mail.smtp import SmtpMailer

    try:
        return SmtpMailer(settings.smtp_url, settings.mail_from, b"", settings.ca_file).check()
    except (ValueError, OSError) as error:
        return Text("doctor.mail_unusable", reason=str(error))


def probe_mail_host(settings: Settings, endpoint: Endpoint) -> datetime | None:
    """Connects to a destination server and encrypts, without a login. Returns when its certificate expires,
    None without encryption. Raises MailError."""
    peer = Peer(endpoint, Side.DESTINATION, SystemClock().now)
    return probe(peer, partial(tls_context, settings.ca_file), Timeouts(io_s=settings.imap_timeout_seconds))


def certificates(settings: Settings) -> list[Certificate]:
    """The certificates of the destination, the mail server and the pages, of those that are configured.

    Connects to each; never raises.
    """
    looks: list[tuple[CertifiedServer, str, Callable[[], datetime | None]]] = []
    if (endpoint := settings.destination_server) is not None:
        look = partial(probe_mail_host, settings, endpoint)
        looks.append((CertifiedServer.DESTINATION, str(endpoint), look))
    if settings.smtp_url:
        from importer.adapters.mail.smtp import SmtpMailer

        mailer = SmtpMailer(settings.smtp_url, settings.mail_from, b"", settings.ca_file)
        looks.append((CertifiedServer.MAIL, mailer.address, mailer.certificate_end))
    pages = urlsplit(settings.public_url)
    if pages.scheme == "https" and pages.hostname:
        tls = tls_context(settings.ca_file)
        look = partial(server_certificate_end, pages.hostname, pages.port or 443, tls)
        looks.append((CertifiedServer.PAGES, settings.public_url, look))
    return [_certificate(*look) for look in looks]


def _certificate(server: CertifiedServer, address: str, look: Callable[[], datetime | None]) -> Certificate:
    try:
        return Certificate(server, address, look())
    except (MailError, OSError, ValueError) as error:
        reason = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
        return Certificate(server, address, None, reason)
