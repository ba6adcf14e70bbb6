"""The contract of `importer.ports.consents.Consents`: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from importer.domain.model import ImportId, Problem, State
from importer.ports.consents import ConsentRequest
from importer.ports.leases import LeaseLost
from importer.ports.store import SealedGrants, Store
from providers.errors import Side
from providers.text import Text
from tests.contract.conftest import OpenStore
from tests.contract.test_store import NOW, SEALED, add, an_import, concurrently, hold

ONE = ImportId("one")
WAITS = Problem(Text("consent_needed"))


SIDE = Side.SOURCE


def a_request(id_: str = "one", side: Side = SIDE) -> ConsentRequest:
    token_hash = f"hash of {id_}" if side is SIDE else f"other hash of {id_}"
    return ConsentRequest(ImportId(id_), side, token_hash, b"\x00sealed\xff", NOW, NOW + timedelta(days=14))


def add_waiting_import(store: Store, **facts: object) -> None:
    """Add an import that waits for its owner, who has begun to sign in."""
    waiting = an_import("one", **{"state": State.WAITING, "problem": WAITS, "not_before": NOW} | facts)
    add(store, waiting)
    store.add_consent(a_request())
    assert store.begin_consent(ONE, SIDE, "state", b"question")


def test_a_request_is_found_unchanged_by_import_token_and_state(open_store: OpenStore) -> None:
    add(open_store(), an_import("one"), an_import("two"))
    assert open_store().add_consent(a_request()) == a_request()
    store = open_store()
    assert store.begin_consent(ONE, SIDE, "state", b"\x00question\xff")
    begun = replace(a_request(), state_hash="state", question=b"\x00question\xff")
    assert store.consents_of(ONE) == {SIDE: begun}
    assert store.consent_by_token("hash of one") == begun
    assert store.consent_by_state("state") == begun
    assert not store.consents_of(ImportId("two"))
    assert store.consent_by_token("hash of two") is None
    assert store.consent_by_state("other") is None


def test_an_empty_state_finds_no_sign_in(store: Store) -> None:
    add(store, an_import("one"))
    store.add_consent(a_request())
    assert store.consent_by_state("") is None
    assert not store.give_consent(ONE, SIDE, "", b"given")
    assert store.grants(ONE) == SEALED


def test_the_first_of_concurrent_requests_wins(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(4)]
    add(stores[0], an_import("one"))
    requests = [replace(a_request(), token_hash=f"hash {n}") for n in range(4)]
    results = concurrently(
        *(lambda s=s, r=r: s.add_consent(r) for s, r in zip(stores, requests, strict=True))
    )
    assert len({request.token_hash for request in results}) == 1
    assert stores[0].consents_of(ONE) == {SIDE: results[0]}


def test_beginning_a_sign_in_again_replaces_the_previous_one(store: Store) -> None:
    add_waiting_import(store)
    assert store.begin_consent(ONE, SIDE, "later", b"other")
    assert store.consent_by_state("state") is None
    assert not store.give_consent(ONE, SIDE, "state", b"given")
    assert store.give_consent(ONE, SIDE, "later", b"given")
    assert not store.begin_consent(ONE, SIDE, "too late", b"other")


def test_a_consent_is_stored_and_the_import_stops_waiting(store: Store) -> None:
    add_waiting_import(store)
    assert store.give_consent(ONE, SIDE, "state", b"given")
    assert store.grants(ONE) == SealedGrants(b"given", SEALED.destination)
    assert not store.consents_of(ONE)
    import_ = store.import_(ONE)
    assert import_ is not None
    assert (import_.state, import_.problem, import_.not_before) == (State.WAITING, None, None)
    assert not store.give_consent(ONE, SIDE, "state", b"again")
    assert store.grants(ONE) == SealedGrants(b"given", SEALED.destination)


def test_the_two_sides_consent_independently(store: Store) -> None:
    add_waiting_import(store)
    other = a_request(side=Side.DESTINATION)
    assert store.add_consent(other) == other
    assert store.begin_consent(ONE, Side.DESTINATION, "other state", b"other question")
    assert set(store.consents_of(ONE)) == set(Side)
    request = store.consent_by_state("other state")
    assert request is not None
    assert (request.side, request.question) == (Side.DESTINATION, b"other question")
    assert not store.give_consent(ONE, Side.SOURCE, "other state", b"given")
    assert not store.give_consent(ONE, Side.DESTINATION, "state", b"given")
    assert store.grants(ONE) == SEALED
    assert store.give_consent(ONE, Side.DESTINATION, "other state", b"given")
    assert store.grants(ONE) == SealedGrants(SEALED.source, b"given")
    assert set(store.consents_of(ONE)) == {Side.SOURCE}
    assert store.give_consent(ONE, Side.SOURCE, "state", b"read")
    assert store.grants(ONE) == SealedGrants(b"read", b"given")
    assert not store.consents_of(ONE)


def test_a_consent_does_not_resume_a_paused_import(store: Store) -> None:
    add_waiting_import(store, state=State.PAUSED, problem=None)
    assert store.give_consent(ONE, SIDE, "state", b"given")
    import_ = store.import_(ONE)
    assert import_ is not None
    assert (import_.state, import_.not_before) == (State.PAUSED, NOW)


def test_of_two_concurrent_consents_one_is_accepted(open_store: OpenStore) -> None:
    """Runs 30 rounds because few of them overlap: without the check of the deleted row, about one round in 30
    accepted both on PostgreSQL."""
    first, second = open_store(), open_store()
    add_waiting_import(first)
    for _ in range(30):
        accepted = concurrently(
            lambda: first.give_consent(ONE, SIDE, "state", b"one"),
            lambda: second.give_consent(ONE, SIDE, "state", b"two"),
        )
        assert sorted(accepted) == [False, True]
        grants = first.grants(ONE)
        assert grants is not None
        assert grants.source == (b"one" if accepted[0] else b"two")
        first.add_consent(a_request())
        assert first.begin_consent(ONE, SIDE, "state", b"question")


@pytest.mark.parametrize("end", [State.STOPPED, State.CANCELLED])
def test_the_request_ends_with_the_import(store: Store, end: State) -> None:
    add_waiting_import(store)
    ended = replace(an_import("one"), state=end, finished_at=NOW)
    store.finish_import(ended, [], hold(store))
    assert not store.consents_of(ONE)
    assert store.consent_by_token("hash of one") is None
    assert not store.give_consent(ONE, SIDE, "state", b"given")
    assert store.grants(ONE) is None


def test_a_replaced_grant_is_stored_only_under_the_lease(store: Store) -> None:
    add(store, an_import("one"), an_import("two"))
    lease = hold(store)
    store.keep_grant(ONE, Side.SOURCE, b"renewed", lease)
    assert store.grants(ONE) == SealedGrants(b"renewed", SEALED.destination)
    store.keep_grant(ONE, Side.DESTINATION, b"renewed too", lease)
    assert store.grants(ONE) == SealedGrants(b"renewed", b"renewed too")
    assert store.grants(ImportId("two")) == SEALED
    store.release(lease)
    with pytest.raises(LeaseLost):
        store.keep_grant(ONE, Side.SOURCE, b"late", lease)
    assert store.grants(ONE) == SealedGrants(b"renewed", b"renewed too")
