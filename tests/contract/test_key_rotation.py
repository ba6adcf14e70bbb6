"""`mailhaul keys rotate`: all that the vault sealed is sealed with the newest key, also after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import LargeBinary, insert, select, update

from importer.adapters.fernet_vault import FernetVault
from importer.adapters.store import SqlStore
from importer.adapters.store.resealing import STEP_ROWS, SqlSealedValues
from importer.adapters.store.table_rules import RULES
from importer.adapters.store.tables import grants, imports, metadata, visits
from importer.cli.command_table import console
from importer.domain.model import ImportId
from importer.ports.sealed_values import Resealed
from providers.endpoint import Secret
from providers.errors import Side
from tests.contract.full_store import OWN, fill

OLD, NEW, LOST = (Secret(Fernet.generate_key().decode()) for _ in range(3))
MANY: Final = 2 * STEP_ROWS + 50
SEALED: Final = {f"{table}.{column}" for table, rule in RULES.items() for column in rule.sealed}
KILLED_AT: Final = "KILLED_AT"

CONSOLE: Final = f"""
import os, signal
from importer.adapters.fernet_vault import FernetVault
from importer.cli.command_table import console
renewed, calls = FernetVault.renewed, iter(range(10**9))
def killed(vault, sealed):
    if next(calls) == int(os.environ["{KILLED_AT}"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return renewed(vault, sealed)
FernetVault.renewed = killed
console()
"""
"""The console, killed before it renews the value of that number."""


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """Each sealed column of each table holds values that the old key sealed; grants hold many."""
    store = SqlStore.open(url)
    old = FernetVault([OLD])
    with store.writing() as connection:
        fill(connection, datetime.now(UTC))
        row: dict[str, Any] = dict(connection.execute(select(imports).limit(1)).one()._mapping)
        copies = [row | {"id": f"i{n:011}", "seq": 2_000_000 + n} for n in range(MANY)]
        connection.execute(insert(imports), copies)
        connection.execute(
            insert(grants),
            [{"import_id": copy["id"], "source": b"-", "destination": b"-"} for copy in copies],
        )
        for name, rule in RULES.items():
            table = metadata.tables[name]
            for found in connection.execute(select(table)).all() if rule.sealed else ():
                key = [column == found._mapping[column.name] for column in table.primary_key]
                sealed = {c: old.seal(Secret(f"{c} {name} {found[0]}"), c) for c in rule.sealed}
                connection.execute(update(table).where(*key).values(sealed))
    yield store
    store.close()


def settings(url: str, *keys: Secret) -> dict[str, str]:
    return {
        "MAILHAUL_DATABASE_URL": url,
        "MAILHAUL_SECRET_KEY": ",".join(key.reveal() for key in keys),
    }


def run(url: str, *words: str, keys: tuple[Secret, ...]) -> Result:
    return CliRunner().invoke(console, ["keys", *words], env=settings(url, *keys))


def run_until_killed(url: str, *words: str, keys: tuple[Secret, ...], at: int) -> int:
    """The exit code of a console process that kills itself before it renews value number `at`."""
    environment = os.environ | settings(url, *keys) | {KILLED_AT: str(at)}
    command = [sys.executable, "-c", CONSOLE, "keys", *words]
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=240).returncode


def sealed_values(store: SqlStore) -> Iterator[tuple[str, str, bytes]]:
    """Column, expected secret, sealed value: of all columns with bytes that are called sealed."""
    with store.reading() as connection:
        for name, rule in RULES.items():
            for found in connection.execute(select(metadata.tables[name])).all():
                for column in rule.sealed:
                    yield column, f"{column} {name} {found[0]}", found._mapping[column]


def under(store: SqlStore, key: Secret) -> int:
    vault = FernetVault([key])
    return sum(vault_opens(vault, sealed) for _, _, sealed in sealed_values(store))


def vault_opens(vault: FernetVault, sealed: bytes) -> bool:
    try:
        return vault.renewed(sealed) is None
    except Exception:
        return False


def test_nothing_is_left_under_the_old_key_although_it_was_killed_half_way(store: SqlStore, url: str) -> None:
    both = (NEW, OLD)
    assert run_until_killed(url, "rotate", keys=both, at=STEP_ROWS + 20) == -signal.SIGKILL
    half = under(store, NEW)
    assert 0 < half < under(store, OLD)
    between = FernetVault([NEW, OLD])  # workers and pages go on with both keys
    assert all(between.open(sealed, column) == Secret(text) for column, text, sealed in sealed_values(store))
    assert run(url, "show", keys=both).exit_code == 5

    done = run(url, "rotate", keys=both)
    assert done.exit_code == 0, done.output
    new = FernetVault([NEW])
    found = list(sealed_values(store))
    assert {column for column, _, _ in found} == {name.partition(".")[2] for name in SEALED}
    assert all(new.open(sealed, column) == Secret(text) for column, text, sealed in found)
    assert f"Sealed anew: {len(found) - half:,} values." in done.output
    assert run(url, "show", keys=(NEW,)).exit_code == 0


def test_every_column_of_bytes_that_is_sealed_is_reached(store: SqlStore) -> None:
    seen = SqlSealedValues(store.engine).reseal(FernetVault([NEW, OLD]).renewed, changes=False)
    assert set(seen) == SEALED
    assert all(numbers.renewed for numbers in seen.values()), seen
    bytes_columns = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    plain = {"receipts.digests", "receipts.facts", "intents.digests", "intents.dates"}
    assert bytes_columns - SEALED == plain
    assert under(store, NEW) == 0  # counting changed nothing


def test_what_no_key_opens_is_counted_and_left(store: SqlStore, url: str) -> None:
    lost = FernetVault([LOST]).seal(Secret("x"), "x")
    with store.writing() as connection:
        connection.execute(update(grants).where(grants.c.import_id == OWN).values(source=lost))
    done = run(url, "rotate", "--json", keys=(NEW, OLD))
    assert done.exit_code == 5
    numbers = json.loads(done.output[done.output.index("{") :])  # after a line of the log
    assert numbers["grants.source"]["none"] == 1
    assert sum(column["older"] for column in numbers.values()) == 0
    with store.reading() as connection:
        kept = connection.execute(select(grants.c.source).where(grants.c.import_id == OWN)).scalar_one()
    assert kept == lost


def test_a_value_that_another_process_stores_meanwhile_stays(store: SqlStore) -> None:
    both = FernetVault([NEW, OLD])
    newer = both.seal(Secret("newer"), "sealed")

    def renew(sealed: bytes) -> bytes | None:
        with store.writing() as connection:
            connection.execute(update(visits).values(sealed=newer))
        return both.renewed(sealed)

    SqlSealedValues(store.engine).reseal(renew)
    with store.reading() as connection:
        assert {*connection.execute(select(visits.c.sealed)).scalars()} == {newer}


def test_a_token_that_a_worker_renews_in_the_same_row_is_kept_under_the_new_key(
    store: SqlStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker still seals with the old key, and stores the token of one side between reading and writing
    either side of the row."""
    renewed, old = FernetVault.renewed, FernetVault([OLD])
    token = old.seal(Secret("renewed token"), "source")
    with store.reading() as connection:
        row = connection.execute(select(grants).where(grants.c.import_id == OWN)).one()
    lease = store.acquire(f"import:{OWN}", "worker", timedelta(minutes=1))
    assert lease is not None
    found: list[bytes] = []

    def interrupted(vault: FernetVault, sealed: bytes) -> bytes | None:
        if sealed in (row.source, row.destination) and sealed not in found:
            found.append(sealed)
            store.keep_grant(ImportId(OWN), Side.SOURCE, token, lease)
        return renewed(vault, sealed)

    monkeypatch.setattr(FernetVault, "renewed", interrupted)
    done = run(url, "rotate", keys=(NEW, OLD))
    assert (done.exit_code, len(found)) == (0, 2), done.output
    stored = store.grants(ImportId(OWN))
    assert stored is not None
    new = FernetVault([NEW])
    assert new.open(stored.source, "source") == Secret("renewed token")
    assert new.open(stored.destination, "destination") == Secret(f"destination grants {OWN}")


def test_a_new_password_brings_no_value_of_the_other_side_back(store: SqlStore, url: str) -> None:
    """A page read the row before the rotation, and replaces one password after it."""
    with store.writing() as connection:
        connection.execute(update(imports).where(imports.c.id == OWN).values(state="running"))
    assert run(url, "rotate", keys=(NEW, OLD)).exit_code == 0
    new = FernetVault([NEW])
    assert store.replace_grants(
        ImportId(OWN), {Side.DESTINATION: new.seal(Secret("new"), "destination")}, "mark"
    )
    stored = store.grants(ImportId(OWN))
    assert stored is not None
    assert new.open(stored.source, "source") == Secret(f"source grants {OWN}")
    assert new.open(stored.destination, "destination") == Secret("new")


def test_an_empty_value_is_none(store: SqlStore) -> None:
    """A token without a webhook has no secret."""
    values = SqlSealedValues(store.engine)
    before = values.reseal(FernetVault([NEW, OLD]).renewed, changes=False)["visits.sealed"]
    with store.writing() as connection:
        connection.execute(update(visits).values(sealed=b""))
    assert before.number > 0
    assert values.reseal(FernetVault([NEW, OLD]).renewed)["visits.sealed"] == Resealed()
