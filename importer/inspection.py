"""Inspects the parts of an installation, for `doctor`, /readyz, the metrics and `migrate`.

Adapters that only one part needs are imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from importer.adapters.certificate_end import server_certificate_end
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.open_connection import probe, tls_context
from importer.adapters.imap.response_errors import Peer
from importer.adapters.store.revision import is_current
from importer.bootstrap import queue_url
from importer.i18n.code_texts import render, render_with_advice
from importer.i18n.translations import texts
from importer.ports.certificates import Certificate, CertifiedServer
from importer.ports.monitoring import Observed
from importer.ports.process import InstallationFault
from importer.ports.schema import SchemaState
from importer.readiness import remembered_faults
from importer.service.deps import Deps
from importer.settings import Settings, SettingsError
from importer.system_clock import SystemClock
from providers.endpoint import Endpoint
from providers.errors import MailError, Side
from providers.text import Text

MISSED_REPORTS: Final = 3
SHORTEST_SILENCE: Final = timedelta(minutes=1)

READINESS_WITHIN_S: Final = 5.0
"""The database's timeout after which a process counts as not ready, in seconds."""


def migrate_database(settings: Settings) -> None:
    """Creates the schema or updates it. Raises SettingsError, SchemaAhead and the database's errors."""
    from importer.adapters.store.schema import migrate

    settings.data_dir()
    migrate(settings.database_url)


def database_state(settings: Settings) -> SchemaState:
    """The state of the schema. Raises the database's errors."""
    from importer.adapters.store.schema import schema_state

    return schema_state(settings.database_url)


def missing_columns(settings: Settings) -> list[str]:
    """The columns that the database lacks. Raises the database's errors."""
    from importer.adapters.store.schema import missing_columns as missing

    return missing(settings.database_url)


def silence_allowed(settings: Settings) -> timedelta:
    """The age of a worker's last report after which it counts as missing. A worker reports at each tick."""
    return max(SHORTEST_SILENCE, MISSED_REPORTS * timedelta(seconds=settings.tick_seconds))


def observed(settings: Settings, deps: Deps) -> Observed:
    """The state of the whole installation, for the metrics of a process."""
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

    url = queue_url(settings)
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
    """Connects to a destination server and encrypts, without a login. Returns the time when its certificate
    expires, None without encryption. Raises MailError."""
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
