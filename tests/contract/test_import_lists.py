"""Lists and numbers of imports by a filter: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from importer.domain.import_filter import EVERY_IMPORT, ImportFilter
from importer.domain.model import Batch, BatchId, Import, ImportId, Problem, State
from importer.domain.reporting.batch_overview import Standing, standing
from importer.ports.monitoring import ImportCount
from importer.ports.store import Store
from providers.text import Text
from tests.contract.test_store import NOW, an_import, mailbox

DAY = timedelta(days=1)
OWNER = "mailbox:ada@new.example imap.new.example"


def imports_of(store: Store) -> list[Import]:
    """Five imports of two owners, one a day."""
    made = [
        an_import("kea1", state=State.COMPLETE),
        an_import("kea2", state=State.WAITING, problem=Problem(Text("consent_needed"))),
        an_import("kea3", state=State.WAITING, problem=Problem(Text("server_unavailable"))),
        an_import("owl1", state=State.STOPPED, problem=Problem(Text("login_rejected.expired"))),
        an_import("owl2", state=State.QUEUED),
    ]
    for day, each in enumerate(made):
        source, host = (
            ("@Old_1.example", "IMAP.old_1.example") if day % 2 else ("@old.example", "old.example")
        )
        import_ = replace(
            each,
            batch_id=BatchId(f"b{each.id}"),
            created_at=NOW + day * DAY,
            source=mailbox(f"{each.id}{source}", host),
            destination=mailbox(f"{each.id}@new.example", "imap.new.example"),
        )
        owner, name = (OWNER, "People.csv") if each.id.startswith("kea") else ("client:panel_1", "")
        store.add_batch(Batch(BatchId(f"b{each.id}"), NOW, name, "", (import_.id,), owner), [(import_, None)])
        made[day] = import_
    return made


@pytest.mark.parametrize(
    ("submitted_by", "expected"),
    [("console", "ours sol"), ("Console", "ours sol"), ("sol", "sol"), ("consoles", "")],
)
def test_the_imports_of_the_console_are_found_under_its_name(
    store: Store, submitted_by: str, expected: str
) -> None:
    """Their batches have no owner. It is no part of a name: a bulk action for “sol” must not reach them."""
    imports_of(store)
    for name, owner in (("ours", ""), ("sol", "client:console_of_sol")):
        import_ = replace(an_import(name), batch_id=BatchId(f"b{name}"))
        store.add_batch(Batch(BatchId(f"b{name}"), NOW, "", "", (import_.id,), owner), [(import_, None)])
    found = store.imports(ImportFilter(submitted_by=submitted_by))
    assert sorted(import_.id for import_ in found) == expected.split()
    assert not store.imports(ImportFilter(owner=OWNER, submitted_by="console"))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, "owl2 owl1 kea3 kea2 kea1"),
        ({"host": "imap.OLD_1.example"}, "owl1 kea2"),
        ({"host": "imap.new.example"}, "owl2 owl1 kea3 kea2 kea1"),
        ({"host": "old_1.example"}, ""),
        ({"domain": "old_1.EXAMPLE"}, "owl1 kea2"),
        ({"domain": "@old.example"}, "owl2 kea3 kea1"),
        ({"domain": "example"}, ""),
        ({"reason": "login_rejected"}, "owl1"),
        ({"reason": "server_unavailable", "states": (State.WAITING,)}, "kea3"),
        ({"standing": Standing.OWNER}, "kea2"),
        ({"standing": Standing.WAITING}, "owl2 kea3"),
        ({"standing": Standing.NEEDS_YOU}, "owl1"),
        ({"standing": Standing.RUNNING}, ""),
        ({"created_before": NOW + DAY}, "kea1"),
        ({"created_after": NOW + DAY}, "owl2 owl1 kea3"),
        ({"created_after": NOW, "created_before": NOW + 2 * DAY}, "kea2"),
        ({"words": "KEA"}, "kea3 kea2 kea1"),
        ({"words": "people"}, "kea3 kea2 kea1"),
        ({"words": "panel_1"}, "owl2 owl1"),
        ({"words": "imap.old_1"}, "owl1 kea2"),
        ({"words": "imap%old"}, ""),
        ({"words": "ada@new"}, "kea3 kea2 kea1"),
        ({"owner": OWNER, "words": "panel_1"}, ""),
        ({"owner": OWNER, "host": "old.example", "standing": Standing.COMPLETE}, "kea1"),
    ],
)
def test_each_part_of_a_filter_selects_alone_and_with_others(
    store: Store, chosen: dict[str, Any], expected: str
) -> None:
    imports_of(store)
    filter_ = ImportFilter(**chosen)
    assert [import_.id for import_ in store.imports(filter_)] == expected.split()
    assert sum(count.imports for count in store.import_counts(filter_)) == len(expected.split())
    pages: list[ImportId] = []
    while page := store.imports(filter_, after=pages[-1] if pages else None, limit=1):
        pages += [import_.id for import_ in page]
    assert pages == expected.split()


def test_numbers_are_by_state_and_reason(store: Store) -> None:
    imports_of(store)
    assert [*store.import_counts(ImportFilter(owner=OWNER))] == [
        ImportCount(State.COMPLETE, "", 1),
        ImportCount(State.WAITING, "consent_needed", 1),
        ImportCount(State.WAITING, "server_unavailable", 1),
    ]
    assert store.import_counts() == store.import_counts(EVERY_IMPORT)


def test_every_import_has_the_standing_that_the_filter_finds_it_by(store: Store) -> None:
    made = imports_of(store)
    found = {i.id: each for each in Standing for i in store.imports(ImportFilter(standing=each))}
    assert found == {import_.id: standing(import_) for import_ in made}


def test_an_import_that_waits_for_room_needs_somebody_and_one_that_was_run_again_does_not(
    store: Store,
) -> None:
    full = an_import("full", state=State.WAITING, problem=Problem(Text("destination_full")))
    old = an_import("old", state=State.STOPPED, batch_id=BatchId("b1"))
    new = replace(old, id=ImportId("new"), state=State.QUEUED, batch_id=BatchId("b2"), created_at=NOW + DAY)
    store.add_batch(Batch(BatchId("b1"), NOW, owner=OWNER), [(full, None), (old, None)])
    store.add_batch(Batch(BatchId("b2"), NOW + DAY, owner=OWNER), [(new, None)])
    found = {i.id: each for each in Standing for i in store.imports(ImportFilter(standing=each))}
    assert found == {"full": Standing.NEEDS_YOU, "old": Standing.REPEATED, "new": Standing.WAITING}
    assert found == {import_.id: standing(import_) for import_ in store.imports()}


def test_batches_are_found_by_their_ids(store: Store) -> None:
    imports_of(store)
    found = store.batches(owner=OWNER, ids=[BatchId("bkea2"), BatchId("bowl1"), BatchId("none")])
    assert [batch.id for batch in found] == ["bkea2"]
    assert [*store.batches(ids=[])] == []
