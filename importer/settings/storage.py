"""Settings for stored data: directory, database, queue and keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from importer.settings import secret_files
from importer.settings.fields import Seen, setting, whole_number
from importer.settings.value_types import file, secret, text
from providers.endpoint import Secret
from providers.text import Text

_DATABASE_SCHEMES: Final = ("sqlite", "postgresql+psycopg")


def _database(value: str, _seen: Seen) -> str:
    scheme, separator, rest = value.partition("://")
    if scheme in ("postgres", "postgresql"):
        scheme = "postgresql+psycopg"
    if scheme not in _DATABASE_SCHEMES or not rest:
        raise ValueError
    return scheme + separator + rest


def _redis(value: str, _seen: Seen) -> str:
    parts = urlsplit(value)
    if value and not (parts.hostname if parts.scheme in ("redis", "rediss") else parts.path.strip("/")):
        raise ValueError
    if value and (parts.scheme not in ("redis", "rediss", "unix") or parts.port == 0):
        raise ValueError
    return value


def _single_key_source(value: Path, seen: Seen) -> Path:
    if seen.get("secret_key") is not None:
        raise ValueError
    return value


def _users_data(_seen: Seen) -> Path:
    from platformdirs import user_data_dir

    return Path(user_data_dir("mailhaul"))


class StorageSettings:
    """Stored data: directory, database, queue and keys."""

    data: Path = setting(
        _users_data,
        "Directory for everything that Mailhaul stores: database, key, embedded queue.",
        Text("setting_rule.directory"),
        file,
        shown="the user's data directory",
    )
    secrets_dir: Path | None = setting(
        lambda _: secret_files.directory(os.environ),
        "Directory with settings in files, named like their variables in lower case: mailhaul_smtp_url.",
        Text("setting_rule.directory"),
        file,
        shown="none; under systemd, the credentials of the service",
    )
    database_url: str = setting(
        lambda seen: f"sqlite:///{seen['data']}/mailhaul.db" if "data" in seen else "",
        "Database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
        Text("setting_rule.database_url"),
        text,
        _database,
        shown="SQLite file mailhaul.db in MAILHAUL_DATA",
        hidden=True,
    )
    redis_url: str = setting(
        "",
        "Redis or Valkey for the queue: redis://, rediss:// or unix://. If unset, Mailhaul runs its own.",
        Text("setting_rule.url", example="redis://127.0.0.1:6379/0 | unix:///run/redis/redis.sock"),
        text,
        _redis,
        shown="embedded Valkey in MAILHAUL_DATA",
        hidden=True,
    )
    keep_reports_days: int = whole_number(
        365,
        "Days after its end that an import is kept with its report; until then it can be undone.",
        1,
        3650,
    )
    keep_refusals_days: int = whole_number(
        90, "Days after the end of an import that its report names subjects and dates of messages.", 1, 3650
    )
    keep_mails_days: int = whole_number(
        30, "Days that sent mails are kept with their text; longer while their import goes on.", 2, 3650
    )
    keep_receipts_days: int = whole_number(
        1825,
        "Days after the last import between two mailboxes that receipts are kept. Without them, the next one"
        " has to compare everything, and copies again what its owner deleted.",
        30,
        36500,
    )
    keep_leases_days: int = whole_number(
        7, "Days after its end that a lease is kept, with the name of its mailbox.", 1, 365
    )
    audit_days: int = whole_number(
        365,
        "Days that security events are kept in the audit trail, and API tokens after they became invalid.",
        1,
        3650,
    )
    keep_passwords_days: int = whole_number(
        7,
        "Days that a stopped import keeps its passwords, sealed, so that a retry needs no password.",
        0,
        30,
        zero=Text("setting_rule.zero_erases"),
    )
    secret_key: Secret | None = setting(
        None,
        "Fernet keys for stored passwords, separated by commas. The first one encrypts, all of them decrypt.",
        Text("setting_rule.fernet_keys"),
        secret,
        shown="see MAILHAUL_SECRET_KEY_FILE",
        hidden=True,
    )
    secret_key_file: Path | None = setting(
        None,
        "File with these keys; it must not be readable by other users.",
        Text("setting_rule.key_file"),
        file,
        _single_key_source,
        shown="secret.key in MAILHAUL_DATA, created if absent",
    )
