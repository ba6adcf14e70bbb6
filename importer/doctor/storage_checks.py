"""Checks of the database, the disk, the queue and the key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from importer import bootstrap
from importer.doctor.finding import Finding, Health
from importer.doctor.own_store import read_store
from importer.domain.import_filter import ImportFilter
from importer.domain.import_state import ALIVE
from importer.domain.reporting.formatting import spoken_bytes
from importer.ports.process import DatabaseUnavailable, InstallationFault, OwnDiskFull
from importer.ports.schema import SchemaAhead, SchemaState
from importer.ports.store import Store
from importer.ports.vault import Vault, VaultError
from importer.service.access.sealed_grants import grant_context
from importer.settings import Settings, SettingsError
from providers.errors import Side

_LOW_SPACE_BYTES: Final = 1_000_000_000


def check_database(settings: Settings) -> Iterator[Finding]:
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
    except (SQLAlchemyError, OSError, DatabaseUnavailable, OwnDiskFull) as error:
        reason = getattr(error, "reason", None) or str(getattr(error, "orig", None) or error)
        reason = reason.strip().splitlines()[0].rstrip(".")
        fix = "Check that MAILHAUL_DATABASE_URL is right, the server is running and the disk is not full."
        yield Finding("database", Health.ERROR, f"{kind} cannot be used: {reason}.", fix)
        return
    if state is SchemaState.CURRENT:
        if missing := bootstrap.missing_columns(settings):
            fix = (
                "Restore a backup that this version of Mailhaul migrated; see “Schema” in deploy/RUNBOOK.md."
            )
            message = f"The schema is marked as current and lacks {', '.join(missing)}."
            yield Finding("database", Health.ERROR, message, fix)
        else:
            yield Finding("database", Health.OK, f"{kind} responds, and its schema is current.")
    elif state is SchemaState.AHEAD:
        fix = "Install that version or a later one."
        yield Finding("database", Health.ERROR, "The schema belongs to a newer version of Mailhaul.", fix)
    else:
        yield Finding("database", Health.ERROR, f"The schema is {state.value}.", "Run `mailhaul migrate`.")


def check_disk(settings: Settings) -> Iterator[Finding]:
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


def check_queue(settings: Settings) -> Iterator[Finding]:
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


def check_key(settings: Settings) -> Iterator[Finding]:
    try:
        vault = bootstrap.open_vault(settings)
    except (VaultError, SettingsError) as error:
        fix = "Put a Fernet key into MAILHAUL_SECRET_KEY or MAILHAUL_SECRET_KEY_FILE, or unset both."
        yield Finding("key", Health.ERROR, str(error), fix)
        return
    if unreadable := read_store(settings, partial(_unreadable_grants, vault)):
        fix = "Add the former key to MAILHAUL_SECRET_KEY as a second one, or submit those imports again."
        message = f"{unreadable} stored password(s) cannot be decrypted with the current key."
        yield Finding("key", Health.ERROR, message, fix)
    else:
        yield Finding("key", Health.OK, "The key decrypts every stored password.")


def _unreadable_grants(vault: Vault, store: Store) -> int:
    """The number of passwords of imports under way that the vault cannot open."""
    unreadable = 0
    for import_ in store.imports(ImportFilter(states=tuple(ALIVE)), limit=1000):
        sealed = store.grants(import_.id)
        if sealed is not None:
            unreadable += not _opens(vault, sealed.source, grant_context(import_.id, Side.SOURCE))
            unreadable += not _opens(vault, sealed.destination, grant_context(import_.id, Side.DESTINATION))
    return unreadable


def _opens(vault: Vault, sealed: bytes, context: str) -> bool:
    try:
        vault.open(sealed, context)
    except VaultError:
        return False
    return True
