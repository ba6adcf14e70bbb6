"""Looking over an installation: each part is tried for real, and each finding says how to mend it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from tempfile import TemporaryFile
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from importer.adapters.fernet_vault import FernetVault, load_keys
from importer.adapters.imap.connection import probe, tls_context
from importer.adapters.imap.imapclient_adapter import Timeouts
from importer.adapters.imap.response_errors import Peer
from importer.adapters.imap.wire import MAX_LITERAL_BYTES
from importer.adapters.mail.smtp import SmtpMailer
from importer.adapters.queue.embedded_valkey import EmbeddedQueueFailed, running_url
from importer.adapters.queue.redis_queue import DramatiqQueue, QueueUnavailable, make_broker
from importer.adapters.store import SqlStore
from importer.adapters.store.schema import SchemaAhead, SchemaState, migrate, schema_state
from importer.domain.import_state import ALIVE
from importer.domain.reporting.formatting import spoken_bytes
from importer.ports.notices import MailState
from importer.ports.vault import VaultError
from importer.service.access.sealed_grants import context
from importer.settings import Settings, SettingsError
from providers.errors import MailError, Side

_LITTLE_ROOM_BYTES: Final = 1_000_000_000
_LATE: Final = timedelta(minutes=5)
_STUCK: Final = timedelta(hours=1)
_SEE_RUNBOOK: Final = "“Completion mails” in deploy/RUNBOOK.md says how to look at them and what to do."


class Health(StrEnum):
    """How a part is."""

    OK = "well"
    WARNING = "odd"  # works, but perhaps not as meant
    ERROR = "ill"


@dataclass(frozen=True, slots=True)
class Finding:
    """About one part; `fix` is empty when it is well."""

    part: str
    health: Health
    message: str
    fix: str = ""


def examine(settings: Settings, only: Collection[str] = ()) -> list[Finding]:
    """Database, disk, queue, workers, key, mail server, outbox, destination; or `only` some of PARTS. Sends
    no mail, logs in to no mailbox."""
    return [finding for part in only or PARTS for finding in _CHECKS[part](settings)]


def _database(settings: Settings) -> Iterator[Finding]:
    kind = "SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL"
    try:
        settings.data_dir()
        if kind == "SQLite":
            migrate(settings.database_url)
        state = schema_state(settings.database_url)
    except SchemaAhead:
        state = SchemaState.AHEAD
    except SettingsError as error:
        yield Finding("database", Health.ERROR, str(error), "Name another directory with MAILHAUL_DATA.")
        return
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        fix = "Check MAILHAUL_DATABASE_URL, that the server runs, and that the disk is not full."
        yield Finding("database", Health.ERROR, f"{kind} cannot be used: {reason}.", fix)
        return
    if state is SchemaState.CURRENT:
        yield Finding("database", Health.OK, f"{kind} answers, its schema is current.")
    elif state is SchemaState.AHEAD:
        fix = "Install that version, or a later one."
        yield Finding("database", Health.ERROR, "The schema belongs to a newer version of Mailhaul.", fix)
    else:
        yield Finding("database", Health.ERROR, f"The schema is {state.value}.", "Run `mailhaul migrate`.")


def _disk(settings: Settings) -> Iterator[Finding]:
    """Room for what passes through files. A quota shows only when the room is asked for."""
    folder = settings.data_dir()
    free = shutil.disk_usage(folder).free
    fix = f"Make room where {folder} lies, or name another directory with MAILHAUL_DATA."
    try:
        with TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, MAX_LITERAL_BYTES)
    except OSError as error:
        message = (
            f"A large message has no room in {folder} ({error.strerror}; {spoken_bytes(free)} free): imports"
            " wait at the first one."
        )
        yield Finding("disk", Health.ERROR, message, fix)
        return
    if free < _LITTLE_ROOM_BYTES:
        yield Finding("disk", Health.WARNING, f"Only {spoken_bytes(free)} are free in {folder}.", fix)
    else:
        yield Finding("disk", Health.OK, f"{spoken_bytes(free)} are free in {folder}.")


def _queue(settings: Settings) -> Iterator[Finding]:
    try:
        url = settings.redis_url or running_url(settings.data_dir())
        if url is None:
            yield Finding(
                "queue",
                Health.WARNING,
                "The embedded queue is not running; what is submitted waits for a worker.",
                "Start `mailhaul up`, or a `mailhaul worker`.",
            )
            return
        DramatiqQueue(make_broker(url)).ping()
    except (QueueUnavailable, EmbeddedQueueFailed, SettingsError) as error:
        fix = "Start Redis or Valkey, or leave MAILHAUL_REDIS_URL empty for the embedded one."
        yield Finding("queue", Health.ERROR, str(error), fix)
        return
    whose = "The server of MAILHAUL_REDIS_URL" if settings.redis_url else "The embedded Valkey"
    yield Finding("queue", Health.OK, f"{whose} answers.")


def _workers(settings: Settings) -> Iterator[Finding]:
    """Nobody at work shows in imports that are long due."""
    then = datetime.now(UTC) - _LATE
    try:
        with closing(SqlStore.open(settings.database_url)) as store:
            due = map(store.import_, store.due_imports(then, limit=1000))
            late = [import_ for import_ in due if import_ is not None and import_.created_at <= then]
    except SQLAlchemyError:
        return  # told above
    if late:
        message = f"{len(late)} import(s) have been due for more than five minutes and nobody works on them."
        yield Finding("workers", Health.ERROR, message, "Start `mailhaul up`, or more of `mailhaul worker`.")
    else:
        yield Finding("workers", Health.OK, "Nothing is overdue.")


def _key(settings: Settings) -> Iterator[Finding]:
    try:
        keys = load_keys(
            secret_key=settings.secret_key,
            secret_key_file=settings.secret_key_file,
            data_dir=settings.data_dir(),
        )
        vault = FernetVault(keys)
    except (VaultError, SettingsError) as error:
        fix = "Give a Fernet key in MAILHAUL_SECRET_KEY or MAILHAUL_SECRET_KEY_FILE, or remove both settings."
        yield Finding("key", Health.ERROR, str(error), fix)
        return
    if closed := _unopened(settings, vault):
        fix = "Bring the former key back as a second one in MAILHAUL_SECRET_KEY, or submit them again."
        yield Finding(
            "key", Health.ERROR, f"{closed} stored password(s) do not open with the present key.", fix
        )
    else:
        yield Finding("key", Health.OK, "The key opens every stored password.")


def _unopened(settings: Settings, vault: FernetVault) -> int:
    """How many passwords of imports under way the vault cannot open."""
    closed = 0
    try:
        with closing(SqlStore.open(settings.database_url)) as store:
            for import_ in store.imports(states=tuple(ALIVE), limit=1000):
                sealed = store.grants(import_.id)
                if sealed is not None:
                    closed += not _opens(vault, sealed.source, context(import_.id, Side.SOURCE))
                    closed += not _opens(vault, sealed.destination, context(import_.id, Side.DESTINATION))
    except SQLAlchemyError:
        return 0  # told above
    return closed


def _opens(vault: FernetVault, sealed: bytes, context: str) -> bool:
    try:
        vault.open(sealed, context)
    except VaultError:
        return False
    return True


def _mail(settings: Settings) -> Iterator[Finding]:
    if not settings.smtp_url:
        message = "No mail server is configured: nobody is told when an import ends."
        fix = "Set MAILHAUL_SMTP_URL, such as smtp://localhost or smtps://user:password@mail.example.org."
        yield Finding("mail", Health.WARNING, message, fix)
        return
    try:
        trouble = SmtpMailer(settings.smtp_url, settings.mail_from, b"", settings.ca_file).check()
    except (ValueError, OSError) as error:
        trouble = str(error)
    if trouble:
        fix = "Check MAILHAUL_SMTP_URL: host, port, encryption, user and password."
        yield Finding("mail", Health.ERROR, trouble, fix)
    else:
        yield Finding("mail", Health.OK, "The mail server takes our connection.")


def _outbox(settings: Settings) -> Iterator[Finding]:
    """Mails that nobody hears of otherwise."""
    then = datetime.now(UTC) - _STUCK
    try:
        with closing(SqlStore.open(settings.database_url)) as store:
            unsent = store.unsent()
    except SQLAlchemyError:
        return  # told above
    sending = sum(n.state is MailState.SENDING and n.created_at < then for n in unsent)
    refused = sum(n.state is MailState.REFUSED for n in unsent)
    pending = sum(n.state is MailState.PENDING for n in unsent)
    late = sum(n.state is MailState.PENDING and n.created_at < then for n in unsent)
    if sending:
        message = f"{sending} mail(s) were being sent when their worker ended; they may have gone out or not."
        yield Finding("outbox", Health.WARNING, message, _SEE_RUNBOOK)
    if refused:
        yield Finding("outbox", Health.WARNING, f"{refused} mail(s) were refused.", _SEE_RUNBOOK)
    if late:
        message = f"{late} of {pending} mail(s) have been waiting for more than an hour."
        yield Finding("outbox", Health.WARNING, message, _SEE_RUNBOOK)
    if not (sending or refused or late):
        yield Finding("outbox", Health.OK, f"{pending} mail(s) are about to be sent, none is stuck.")


def _destination(settings: Settings) -> Iterator[Finding]:
    endpoint = settings.destination_server
    if endpoint is None:
        message = "No destination server is configured: every import has to name one."
        fix = "Set MAILHAUL_DESTINATION_SERVER, such as imaps://mail.example.org."
        yield Finding("destination", Health.WARNING, message, fix)
        return
    peer = Peer(endpoint, Side.DESTINATION, lambda: datetime.now(UTC))
    try:
        probe(peer, partial(tls_context, settings.ca_file), Timeouts(io_s=settings.imap_timeout_seconds))
    except MailError as error:
        fix = "Check MAILHAUL_DESTINATION_SERVER, and MAILHAUL_CA_FILE for a private authority."
        yield Finding("destination", Health.ERROR, str(error), fix)
    else:
        yield Finding("destination", Health.OK, f"{endpoint} answers, encrypted as asked.")


_CHECKS: Final[dict[str, Callable[[Settings], Iterator[Finding]]]] = {
    "database": _database,
    "disk": _disk,
    "queue": _queue,
    "workers": _workers,
    "key": _key,
    "mail": _mail,
    "outbox": _outbox,
    "destination": _destination,
}
PARTS: Final = tuple(_CHECKS)
