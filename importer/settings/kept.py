"""What Mailferry keeps, and where, as settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from platformdirs import user_data_dir
from pydantic import ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from importer import secret_files
from importer.settings.fields import setting
from importer.settings.kinds import File, OptionalSecret

_DATABASE_SCHEMES: Final = ("sqlite", "postgresql+psycopg")


class Kept(BaseSettings):
    """What Mailferry keeps, and where."""

    model_config = SettingsConfigDict(defer_build=True)

    data: File = setting(
        lambda: Path(user_data_dir("mailferry")),
        "Directory for everything that Mailferry keeps: database, key, embedded queue.",
        "a directory",
        shown="the user's data directory",
    )
    secrets_dir: File | None = setting(
        lambda: secret_files.directory(os.environ),
        "Directory with settings as files, named like their variables in lower case: mailferry_smtp_url.",
        "a directory",
        shown="none; under systemd, the credentials of the service",
    )
    database_url: str = setting(
        lambda data: f"sqlite:///{data['data']}/mailferry.db" if "data" in data else "",
        "Database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
        "a URL that starts with sqlite:/// or postgresql://",
        shown="SQLite file mailferry.db in MAILFERRY_DATA",
        repr=False,
    )
    redis_url: str = setting(
        "",
        "Redis or Valkey for the queue: redis://, rediss:// or unix://. Without it, Mailferry runs its own.",
        "a URL such as redis://127.0.0.1:6379/0 or unix:///run/redis/redis.sock",
        shown="embedded Valkey in MAILFERRY_DATA",
        repr=False,
    )
    secret_key: OptionalSecret = setting(
        None,
        "Fernet keys that seal stored passwords, separated by commas; the first seals, all of them open.",
        "one or more Fernet keys, separated by commas",
        shown="see MAILFERRY_SECRET_KEY_FILE",
        repr=False,
    )
    secret_key_file: File | None = setting(
        None,
        "File with those keys instead, not readable by everybody.",
        "a file name, and MAILFERRY_SECRET_KEY must not be set beside it",
        shown="secret.key in MAILFERRY_DATA, made when absent",
    )

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if scheme in ("postgres", "postgresql"):
            scheme = "postgresql+psycopg"
        if scheme not in _DATABASE_SCHEMES or not rest:
            raise ValueError
        return scheme + separator + rest

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and not (parts.hostname if parts.scheme in ("redis", "rediss") else parts.path.strip("/")):
            raise ValueError
        if value and (parts.scheme not in ("redis", "rediss", "unix") or parts.port == 0):
            raise ValueError
        return value

    @field_validator("secret_key_file")
    @classmethod
    def _one_source_of_keys(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("secret_key") is not None:
            raise ValueError
        return value
