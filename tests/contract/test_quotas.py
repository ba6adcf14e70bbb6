"""Quotas of customers, over every store: imports at a time, and imports a day."""

from __future__ import annotations

from dataclasses import replace

import pytest

from importer.domain.model import ImportId
from importer.domain.people.identities import PersonId
from importer.domain.planning.fair_shares import may_run
from importer.ports.store import Store
from importer.service.access.rate_limits import StartsLimited, consume_starts
from importer.service.deps import Quotas
from importer.service.legs.fair_legs import FairLegs
from tests.contract.test_fair_legs import TTL, Legs, legs, submit  # noqa: F401 - a fixture
from tests.contract.test_store import NOW
from tests.unit.test_service import Office

ADA = PersonId("mailbox:ada")


def test_an_owner_runs_no_more_imports_than_permitted_and_others_go_on(
    store: Store,
    legs: Legs,  # noqa: F811
) -> None:
    office = Office()
    office.clock.time = NOW
    worker = FairLegs(replace(office.deps, store=store, quotas=Quotas(running=2)))
    ids = submit(store, "ada", 5)
    held = [store.acquire(f"import:{id_}", "other", TTL) for id_ in ids[:2]]
    worker.handle_ring(ids[2])
    assert legs.ran == []
    [console] = submit(store, "", 1)
    worker.handle_ring(ids[2])
    assert legs.ran == [console]
    assert office.queue.take(), "what was passed over is rung for after a leg that ends an import"
    assert held[0] is not None
    store.release(held[0])
    worker.handle_ring(ids[2])
    assert len(legs.ran) == 2
    assert ImportId(legs.ran[1]) in ids


def test_the_console_and_an_installation_without_quotas_have_no_limit() -> None:
    assert may_run("", 99, 1)
    assert may_run("ada", 99, None)
    assert not may_run("ada", 1, 1)


def test_a_submission_beyond_the_quota_counts_nothing(store: Store) -> None:
    office = Office()
    deps = replace(office.deps, store=store)
    consume_starts(deps, ADA, 3, most=5)
    with pytest.raises(StartsLimited) as refused:
        consume_starts(deps, ADA, 3, most=5)
    assert refused.value.most == 5
    consume_starts(deps, ADA, 2, most=5)
    consume_starts(deps, PersonId("client:panel"), 5, most=5)
    consume_starts(deps, ADA, 1000, most=None)
