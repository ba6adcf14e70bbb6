"""Stores for the contract suites: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from importer.adapters.store import SqlStore, open_engine
from importer.adapters.store.schema import migrate
from importer.adapters.store.tables import metadata
from importer.ports.store import Store
from tests.fakes.store import MemoryStore
from tests.rehearsal.postgres import fresh_database

OpenStore = Callable[[], Store]


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> str:
    """A migrated database. It is emptied before each use, because a new one takes half a second."""
    url = fresh_database(postgres_url)
    migrate(url)
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, copied for each test."""
    file = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a schema."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'mailhaul.db'}"
    return fresh_database(request.getfixturevalue("postgres_url"))


def migrated_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "sqlite":
        file = tmp_path / "mailhaul.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("migrated_postgres")
    empty_tables(url)
    return url


def empty_tables(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(  # a failed test may have left a transaction open, which holds locks
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the schema."""
    return migrated_url(request.param, request, tmp_path)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    if request.param == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return
    url = migrated_url(request.param, request, tmp_path)
    with ExitStack() as stores:

        def open_another() -> Store:
            store = SqlStore.open(url)
            stores.callback(store.close)
            return store

        yield open_another


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
