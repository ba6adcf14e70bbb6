"""Checks of the database, the disk, the queue and the key."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from importer import bootstrap, inspection
from importer.doctor.finding import Finding, Health
from importer.doctor.own_store import read_store
from importer.domain.import_filter import ImportFilter
from importer.domain.import_state import ALIVE
from importer.ports.process import DatabaseUnavailable, InstallationFault, OwnDiskFull
from importer.ports.schema import SchemaAhead, SchemaState
from importer.ports.store import Store
from importer.ports.vault import Vault, VaultError
from importer.service.access.sealed_grants import grant_context
from importer.settings import Settings, SettingsError
from providers.errors import Side
from providers.text import ByteSize, Text

_LOW_SPACE_BYTES: Final = 1_000_000_000


def check_database(settings: Settings) -> Iterator[Finding]:
    kind = "SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL"
    try:
        settings.data_dir()
        if kind == "SQLite":
            inspection.migrate_database(settings)
        state = inspection.database_state(settings)
    except SchemaAhead:
        state = SchemaState.AHEAD
    except SettingsError as error:
        yield from settings_findings("database", error)
        return
    except (SQLAlchemyError, OSError, DatabaseUnavailable, OwnDiskFull) as error:
        reason = getattr(error, "reason", None) or str(getattr(error, "orig", None) or error)
        reason = reason.strip().splitlines()[0].rstrip(".")
        text = Text("doctor.database_unusable", kind=kind, reason=reason)
        yield Finding("database", Health.ERROR, text)
        return
    if state is SchemaState.CURRENT:
        if missing := inspection.missing_columns(settings):
            text = Text("doctor.columns_missing", columns=", ".join(missing))
            yield Finding("database", Health.ERROR, text)
        else:
            yield Finding("database", Health.OK, Text("doctor.database_current", kind=kind))
    else:
        yield Finding("database", Health.ERROR, Text(f"doctor.schema_{state.value}"))


def settings_findings(part: str, error: SettingsError) -> Iterator[Finding]:
    """Findings about invalid settings of a part."""
    for problem in error.problems:
        yield Finding(part, Health.ERROR, problem)


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Space for messages that pass through temporary files. Allocates it, because only that reveals a
    quota."""
    folder = settings.data_dir()
    free = shutil.disk_usage(folder).free
    space = partial(Text, folder=str(folder), free=ByteSize(free))
    try:
        with TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, bootstrap.LARGEST_MESSAGE_BYTES)
    except OSError as error:
        text = space("doctor.disk_full", reason=error.strerror or str(error))
        yield Finding("disk", Health.ERROR, text)
        return
    if free < _LOW_SPACE_BYTES:
        yield Finding("disk", Health.WARNING, space("doctor.disk_low"))
    else:
        yield Finding("disk", Health.OK, space("doctor.disk_free"))


def check_queue(settings: Settings) -> Iterator[Finding]:
    try:
        responds = inspection.ping_queue(settings)
    except InstallationFault as error:
        yield Finding("queue", Health.ERROR, error.text)
        return
    except SettingsError as error:
        yield from settings_findings("queue", error)
        return
    if responds:
        server = "doctor.queue_responds" if settings.redis_url else "doctor.queue_embedded"
        yield Finding("queue", Health.OK, Text(server))
    else:
        yield Finding("queue", Health.WARNING, Text("doctor.queue_off"))


def check_key(settings: Settings) -> Iterator[Finding]:
    try:
        vault = bootstrap.open_vault(settings)
    except VaultError as error:
        yield Finding("key", Health.ERROR, error.text)
        return
    except SettingsError as error:
        yield from settings_findings("key", error)
        return
    if unreadable := read_store(settings, partial(_unreadable_grants, vault)):
        yield Finding("key", Health.ERROR, Text("doctor.key_other", number=unreadable))
    else:
        yield Finding("key", Health.OK, Text("doctor.key_fits"))


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
