"""Measures lists, and the choice of the next leg, with many imports in the store:
`python -m benchmarks.stored_imports`.

Fills an empty database with generated imports of many owners, and prints the median time of each query. With
`--queued`, all of them are in the queue.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert

from importer.adapters.store import SqlStore, mapping
from importer.adapters.store.schema import migrate
from importer.adapters.store.tables import batches, grants, imports
from importer.domain.import_filter import ImportFilter
from importer.domain.import_state import ENDED
from importer.domain.model import Account, Batch, BatchId, Import, ImportId, Problem, Progress, State
from importer.domain.planning.fair_shares import Share
from importer.domain.reporting.batch_overview import Standing
from importer.ports.store import SealedGrants
from providers.endpoint import Endpoint
from providers.text import Text

BATCH_SIZE: Final = 25
OWNERS: Final = 200
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_HOSTS: Final = tuple(f"imap{number}.old.example" for number in range(50))
_STATES: Final = {  # one in a hundred is under way
    State.COMPLETE: 820,
    State.INCOMPLETE: 80,
    State.STOPPED: 60,
    State.CANCELLED: 30,
    State.QUEUED: 6,
    State.RUNNING: 2,
    State.WAITING: 2,
}
_REASONS: Final = {State.STOPPED: "login_rejected", State.WAITING: "server_unavailable"}


def fill(store: SqlStore, number: int, states: dict[State, int] = _STATES) -> None:
    """Add that many imports, with grants that open no mailbox."""
    add_in_bulk(store, _generated(number, states), lambda _import: SealedGrants(b"x" * 200, b"x" * 200))


def add_in_bulk(
    store: SqlStore,
    submissions: Iterator[tuple[Batch, list[Import]]],
    grants_of: Callable[[Import], SealedGrants],
) -> None:
    """Add batches with their imports, without validation. Imports that have not ended get grants."""
    for chunk in _chunks(submissions, 40):
        with store.writing() as connection:
            seqs = connection.execute(
                insert(batches).returning(batches.c.seq, sort_by_parameter_order=True),
                [mapping.batch_values(batch) for batch, _ in chunk],
            ).scalars()
            rows = [
                mapping.import_values(import_) | {"submission": seq}
                for seq, (_, members) in zip(seqs, chunk, strict=True)
                for import_ in members
            ]
            connection.execute(insert(imports), rows)
            alive = [i for _, members in chunk for i in members if i.state not in ENDED]
            if alive:
                connection.execute(insert(grants), [mapping.grant_values(i.id, grants_of(i)) for i in alive])


def _generated(number: int, states: dict[State, int]) -> Iterator[tuple[Batch, list[Import]]]:
    dice = random.Random(7)  # noqa: S311 - the same rows each time
    for first in range(0, number, BATCH_SIZE):
        owner = f"mailbox:user{dice.randrange(OWNERS)}@new.example imap.new.example"
        at = NOW + timedelta(seconds=first)
        batch = Batch(BatchId(f"b{first:011d}"), at, f"people-{first}.csv", "", (), owner)
        members = [
            _import(first + row, batch.id, row, at, dice, states)
            for row in range(min(BATCH_SIZE, number - first))
        ]
        yield replace(batch, imports=tuple(i.id for i in members)), members


def _import(
    number: int, batch_id: BatchId, row: int, at: datetime, dice: random.Random, states: dict[State, int]
) -> Import:
    [state] = dice.choices(list(states), list(states.values()))
    host = dice.choice(_HOSTS)
    total = dice.randrange(20, 30_000)
    done = total if state in ENDED else 0
    code = _REASONS.get(state)
    return Import(
        ImportId(f"i{number:011d}"),
        _account(f"person{number}@{host.removeprefix('imap')[:1]}.old.example", host),
        _account(f"person{number}@new.example", "imap.new.example"),
        at,
        batch_id,
        row + 2,
        state=state,
        problem=None if code is None else Problem(Text(code, host=host)),
        not_before=NOW + timedelta(days=3650) if state is State.WAITING else None,
        progress=Progress("INBOX", 3, 20, done, total, done * 70_000),
        started_at=None if state is State.QUEUED else at,
        finished_at=at if state in ENDED else None,
    )


def _account(address: str, host: str) -> Account:
    return Account(address, address, Endpoint(host))


def _chunks(of: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while chunk := list(islice(of, size)):
        yield chunk


def lists(number: int) -> dict[str, Callable[[SqlStore], object]]:
    """Queries by name."""
    owner = "mailbox:user7@new.example imap.new.example"
    middle = ImportId(f"i{number // 2:011d}")
    return {
        "first page": lambda s: s.imports(limit=51),
        "page in the middle": lambda s: s.imports(after=middle, limit=51),
        "1,000 rows": lambda s: s.imports(limit=1000),
        "of one owner": lambda s: s.imports(ImportFilter(owner=owner), limit=51),
        "of an owner without any": lambda s: s.imports(ImportFilter(owner="none"), limit=51),
        "submitter, a part": lambda s: s.imports(ImportFilter(submitted_by="user19"), limit=51),
        "state": lambda s: s.imports(ImportFilter(states=(State.RUNNING,)), limit=51),
        "standing": lambda s: s.imports(ImportFilter(standing=Standing.NEEDS_YOU), limit=51),
        "reason": lambda s: s.imports(ImportFilter(reason="server_unavailable"), limit=51),
        "reason without any": lambda s: s.imports(ImportFilter(reason="disk_full"), limit=51),
        "host": lambda s: s.imports(ImportFilter(host="imap7.old.example"), limit=51),
        "host without any": lambda s: s.imports(ImportFilter(host="none.example"), limit=51),
        "domain without any": lambda s: s.imports(ImportFilter(domain="none.example"), limit=51),
        "address without any": lambda s: s.imports(ImportFilter(address="nothing"), limit=51),
        "search": lambda s: s.imports(ImportFilter(words="person777@"), limit=51),
        "search without any": lambda s: s.imports(ImportFilter(words="nothing"), limit=51),
        "search of one owner": lambda s: s.imports(ImportFilter(owner=owner, words="nothing"), limit=51),
        "the queue": lambda s: s.leg_queue(NOW),
        "the next leg": lambda s: s.next_leg(Share(owner, _HOSTS[7]), NOW),
        "numbers of all": lambda s: s.import_counts(),
        "numbers of one owner": lambda s: s.import_counts(ImportFilter(owner=owner)),
        "numbers of a search": lambda s: s.import_counts(ImportFilter(words="nothing")),
    }


def measured(store: SqlStore, run: Callable[[SqlStore], object], times: int = 5) -> float:
    """The median in seconds."""
    spans = []
    for _ in range(times):
        begin = time.perf_counter()
        run(store)
        spans.append(time.perf_counter() - begin)
    return statistics.median(spans)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imports", type=int, default=100_000)
    parser.add_argument("--url", help="of an empty database; without it a new SQLite file")
    parser.add_argument("--queued", action="store_true", help="all imports are in the queue")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'mailhaul.db'}"
        migrate(url)
        store = SqlStore.open(url)
        begin = time.perf_counter()
        fill(store, arguments.imports, {State.QUEUED: 1} if arguments.queued else _STATES)
        sys.stdout.write(f"{arguments.imports} imports added in {time.perf_counter() - begin:.1f} s\n")
        for name, run in lists(arguments.imports).items():
            sys.stdout.write(f"{name:<26}{1000 * measured(store, run):>8.1f} ms\n")
        store.close()


if __name__ == "__main__":
    main()
