"""Checks an installation. Each part is tried for real, and each problem comes with its fix."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from tempfile import TemporaryFile
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from importer import bootstrap
from importer.domain.import_state import ALIVE
from importer.domain.reporting.formatting import spoken_bytes
from importer.ports.notices import MailState
from importer.ports.process import Clock, InstallationFault
from importer.ports.schema import SchemaAhead, SchemaState
from importer.ports.vault import Vault, VaultError
from importer.service.access.sealed_grants import grant_context
from importer.settings import Settings, SettingsError
from providers.errors import MailError, Side

_LOW_SPACE_BYTES: Final = 1_000_000_000
_OVERDUE: Final = timedelta(minutes=5)
_STUCK: Final = timedelta(hours=1)
_SEE_RUNBOOK: Final = "See “Completion mails” in deploy/RUNBOOK.md for how to inspect and fix them."
_clock: Final[Clock] = bootstrap.SystemClock()


class Health(StrEnum):
    """The health of a part."""

    OK = "well"
    WARNING = "odd"  # works, but perhaps not as intended
    ERROR = "ill"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of checking one part; `fix` is empty when its health is OK."""

    part: str
    health: Health
    message: str
    fix: str = ""


def examine(settings: Settings, only: Collection[str] = ()) -> list[Finding]:
    """Checks all PARTS, or those in `only`: database, disk, queue, workers, key, mail server, outbox,
    destination.

    Sends no mail and logs in to no mailbox.
    """
    return [finding for part in only or PARTS for finding in _CHECKS[part](settings)]


def _database(settings: Settings) -> Iterator[Finding]:
    kind = "SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL"
    try:
        settings.data_dir()
        if kind == "SQLite":
            bootstrap.migrate_database(settings)
        state = bootstrap.database_state(settings)
    except SchemaAhead:
        state = SchemaState.AHEAD
    except SettingsError as error:
        yield Finding("database", Health.ERROR, str(error), "Set MAILHAUL_DATA to another directory.")
        return
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        fix = "Check that MAILHAUL_DATABASE_URL is right, the server is running and the disk is not full."
        yield Finding("database", Health.ERROR, f"{kind} cannot be used: {reason}.", fix)
        return
    if state is SchemaState.CURRENT:
        yield Finding("database", Health.OK, f"{kind} responds, and its schema is current.")
    elif state is SchemaState.AHEAD:
        fix = "Install that version or a later one."
        yield Finding("database", Health.ERROR, "The schema belongs to a newer version of Mailhaul.", fix)
    else:
        yield Finding("database", Health.ERROR, f"The schema is {state.value}.", "Run `mailhaul migrate`.")


def _disk(settings: Settings) -> Iterator[Finding]:
    """Space for messages that pass through temporary files. A quota only shows when space is allocated."""
    folder = settings.data_dir()
    free = shutil.disk_usage(folder).free
    fix = f"Free space on the disk of {folder}, or set MAILHAUL_DATA to another directory."
    try:
        with TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, bootstrap.LARGEST_MESSAGE_BYTES)
    except OSError as error:
        message = (
            f"A large message does not fit in {folder} ({error.strerror}; {spoken_bytes(free)} free); imports"
            " stop and wait at the first large message."
        )
        yield Finding("disk", Health.ERROR, message, fix)
        return
    if free < _LOW_SPACE_BYTES:
        yield Finding("disk", Health.WARNING, f"Only {spoken_bytes(free)} free in {folder}.", fix)
    else:
        yield Finding("disk", Health.OK, f"{spoken_bytes(free)} free in {folder}.")


def _queue(settings: Settings) -> Iterator[Finding]:
    try:
        responds = bootstrap.ping_queue(settings)
    except (InstallationFault, SettingsError) as error:
        fix = "Start Redis or Valkey, or unset MAILHAUL_REDIS_URL to use the embedded one."
        yield Finding("queue", Health.ERROR, str(error), fix)
        return
    if responds:
        server = "The server of MAILHAUL_REDIS_URL" if settings.redis_url else "The embedded Valkey"
        yield Finding("queue", Health.OK, f"{server} responds.")
    else:
        message = "The embedded queue is not running; submitted imports wait for a worker."
        yield Finding("queue", Health.WARNING, message, "Start `mailhaul up` or `mailhaul worker`.")


def _workers(settings: Settings) -> Iterator[Finding]:
    """Imports that have been due for long show that no worker is running."""
    deadline = _clock.now() - _OVERDUE
    try:
        with bootstrap.open_store(settings) as store:
            due = map(store.import_, store.due_imports(deadline, limit=1000))
            overdue = [import_ for import_ in due if import_ is not None and import_.created_at <= deadline]
    except SQLAlchemyError:
        return  # already reported by the database check
    if overdue:
        message = f"{len(overdue)} import(s) have been due for more than five minutes; no worker runs them."
        yield Finding(
            "workers", Health.ERROR, message, "Start `mailhaul up`, or more workers (`mailhaul worker`)."
        )
    else:
        yield Finding("workers", Health.OK, "Nothing is overdue.")


def _key(settings: Settings) -> Iterator[Finding]:
    try:
        vault = bootstrap.open_vault(settings)
    except (VaultError, SettingsError) as error:
        fix = "Put a Fernet key into MAILHAUL_SECRET_KEY or MAILHAUL_SECRET_KEY_FILE, or unset both."
        yield Finding("key", Health.ERROR, str(error), fix)
        return
    if unreadable := _unreadable_grants(settings, vault):
        fix = "Add the former key to MAILHAUL_SECRET_KEY as a second one, or submit those imports again."
        message = f"{unreadable} stored password(s) cannot be decrypted with the current key."
        yield Finding("key", Health.ERROR, message, fix)
    else:
        yield Finding("key", Health.OK, "The key decrypts every stored password.")


def _unreadable_grants(settings: Settings, vault: Vault) -> int:
    """The number of passwords of imports under way that the vault cannot open."""
    unreadable = 0
    try:
        with bootstrap.open_store(settings) as store:
            for import_ in store.imports(states=tuple(ALIVE), limit=1000):
                sealed = store.grants(import_.id)
                if sealed is not None:
                    unreadable += not _opens(vault, sealed.source, grant_context(import_.id, Side.SOURCE))
                    unreadable += not _opens(
                        vault, sealed.destination, grant_context(import_.id, Side.DESTINATION)
                    )
    except SQLAlchemyError:
        return 0  # already reported by the database check
    return unreadable


def _opens(vault: Vault, sealed: bytes, context: str) -> bool:
    try:
        vault.open(sealed, context)
    except VaultError:
        return False
    return True


def _mail(settings: Settings) -> Iterator[Finding]:
    if not settings.smtp_url:
        message = "No mail server is configured, so no mail is sent when an import ends."
        fix = "Set MAILHAUL_SMTP_URL, for example smtp://localhost or smtps://user:password@mail.example.org."
        yield Finding("mail", Health.WARNING, message, fix)
        return
    if problem := bootstrap.check_mail_server(settings):
        fix = "Check MAILHAUL_SMTP_URL: host, port, encryption, user and password."
        yield Finding("mail", Health.ERROR, problem, fix)
    else:
        yield Finding("mail", Health.OK, "The mail server accepts the connection.")


def _outbox(settings: Settings) -> Iterator[Finding]:
    """Mails that were not sent, which no other command reports."""
    deadline = _clock.now() - _STUCK
    try:
        with bootstrap.open_store(settings) as store:
            unsent = store.unsent()
    except SQLAlchemyError:
        return  # already reported by the database check
    sending = sum(n.state is MailState.SENDING and n.created_at < deadline for n in unsent)
    refused = sum(n.state is MailState.REFUSED for n in unsent)
    pending = sum(n.state is MailState.PENDING for n in unsent)
    late = sum(n.state is MailState.PENDING and n.created_at < deadline for n in unsent)
    if sending:
        message = (
            f"{sending} mail(s) were being sent when their worker ended; whether they were sent is unknown."
        )
        yield Finding("outbox", Health.WARNING, message, _SEE_RUNBOOK)
    if refused:
        yield Finding("outbox", Health.WARNING, f"{refused} mail(s) were refused.", _SEE_RUNBOOK)
    if late:
        message = f"{late} of {pending} mail(s) have been waiting for more than an hour."
        yield Finding("outbox", Health.WARNING, message, _SEE_RUNBOOK)
    if not (sending or refused or late):
        yield Finding("outbox", Health.OK, f"{pending} mail(s) waiting to be sent; none is stuck.")


def _destination(settings: Settings) -> Iterator[Finding]:
    endpoint = settings.destination_server
    if endpoint is None:
        message = "No destination server is configured, so every import must name one."
        fix = "Set MAILHAUL_DESTINATION_SERVER, for example imaps://mail.example.org."
        yield Finding("destination", Health.WARNING, message, fix)
        return
    try:
        bootstrap.probe_mail_host(settings, endpoint)
    except MailError as error:
        fix = "Check MAILHAUL_DESTINATION_SERVER, and MAILHAUL_CA_FILE for a private certificate authority."
        yield Finding("destination", Health.ERROR, str(error), fix)
    else:
        yield Finding("destination", Health.OK, f"{endpoint} responds and is encrypted as configured.")


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
