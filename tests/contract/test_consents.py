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
from tests.contract.conftest import OpenStore
from tests.contract.test_store import NOW, SEALED, add, an_import, at_once, hold

ONE = ImportId("one")
WAITS = Problem("consent_needed", "The owner has to sign in.")


SIDE = Side.SOURCE


def a_request(id_: str = "one", side: Side = SIDE) -> ConsentRequest:
    token_hash = f"hash of {id_}" if side is SIDE else f"other hash of {id_}"
    return ConsentRequest(ImportId(id_), side, token_hash, b"\x00sealed\xff", NOW, NOW + timedelta(days=14))


def asked(store: Store, **facts: object) -> None:
    """One import that waits for its owner, who has begun to sign in."""
    waiting = an_import("one", **{"state": State.WAITING, "problem": WAITS, "not_before": NOW} | facts)
    add(store, waiting)
    store.add_consent(a_request())
    assert store.begin_consent(ONE, SIDE, "state", b"question")


def test_a_request_comes_back_whole_by_each_of_its_names(open_store: OpenStore) -> None:
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


def test_a_sign_in_that_was_never_begun_is_not_found_by_nothing(store: Store) -> None:
    add(store, an_import("one"))
    store.add_consent(a_request())
    assert store.consent_by_state("") is None
    assert not store.give_consent(ONE, SIDE, "", b"given")
    assert store.grants(ONE) == SEALED


def test_the_first_request_of_an_import_stands(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(4)]
    add(stores[0], an_import("one"))
    requests = [replace(a_request(), token_hash=f"hash {n}") for n in range(4)]
    stood = at_once(*(lambda s=s, r=r: s.add_consent(r) for s, r in zip(stores, requests, strict=True)))
    assert len({one.token_hash for one in stood}) == 1
    assert stores[0].consents_of(ONE) == {SIDE: stood[0]}


def test_beginning_again_replaces_what_was_begun(store: Store) -> None:
    asked(store)
    assert store.begin_consent(ONE, SIDE, "later", b"other")
    assert store.consent_by_state("state") is None
    assert not store.give_consent(ONE, SIDE, "state", b"given")
    assert store.give_consent(ONE, SIDE, "later", b"given")
    assert not store.begin_consent(ONE, SIDE, "too late", b"other")


def test_what_is_given_is_kept_and_the_import_waits_no_longer(store: Store) -> None:
    asked(store)
    assert store.give_consent(ONE, SIDE, "state", b"given")
    assert store.grants(ONE) == SealedGrants(b"given", SEALED.destination)
    assert not store.consents_of(ONE)
    import_ = store.import_(ONE)
    assert import_ is not None
    assert (import_.state, import_.problem, import_.not_before) == (State.WAITING, None, None)
    assert not store.give_consent(ONE, SIDE, "state", b"again")
    assert store.grants(ONE) == SealedGrants(b"given", SEALED.destination)


def test_each_side_is_asked_begun_and_given_by_itself(store: Store) -> None:
    asked(store)
    other = a_request(side=Side.DESTINATION)
    assert store.add_consent(other) == other
    assert store.begin_consent(ONE, Side.DESTINATION, "other state", b"other question")
    assert set(store.consents_of(ONE)) == set(Side)
    found = store.consent_by_state("other state")
    assert found is not None
    assert (found.side, found.question) == (Side.DESTINATION, b"other question")
    assert not store.give_consent(ONE, Side.SOURCE, "other state", b"given")
    assert not store.give_consent(ONE, Side.DESTINATION, "state", b"given")
    assert store.grants(ONE) == SEALED
    assert store.give_consent(ONE, Side.DESTINATION, "other state", b"given")
    assert store.grants(ONE) == SealedGrants(SEALED.source, b"given")
    assert set(store.consents_of(ONE)) == {Side.SOURCE}
    assert store.give_consent(ONE, Side.SOURCE, "state", b"read")
    assert store.grants(ONE) == SealedGrants(b"read", b"given")
    assert not store.consents_of(ONE)


def test_what_is_given_to_a_paused_import_does_not_wake_it(store: Store) -> None:
    asked(store, state=State.PAUSED, problem=None)
    assert store.give_consent(ONE, SIDE, "state", b"given")
    import_ = store.import_(ONE)
    assert import_ is not None
    assert (import_.state, import_.not_before) == (State.PAUSED, NOW)


def test_of_two_who_give_at_once_one_is_heard(open_store: OpenStore) -> None:
    """Thirty rounds, because only some of them meet: without the check of the deleted row, every 30th or so
    on PostgreSQL let both in."""
    one, two = open_store(), open_store()
    asked(one)
    for _ in range(30):
        given = at_once(
            lambda: one.give_consent(ONE, SIDE, "state", b"one"),
            lambda: two.give_consent(ONE, SIDE, "state", b"two"),
        )
        assert sorted(given) == [False, True]
        kept = one.grants(ONE)
        assert kept is not None
        assert kept.source == (b"one" if given[0] else b"two")
        one.add_consent(a_request())
        assert one.begin_consent(ONE, SIDE, "state", b"question")


@pytest.mark.parametrize("end", [State.STOPPED, State.CANCELLED])
def test_the_request_ends_with_the_import(store: Store, end: State) -> None:
    asked(store)
    ended = replace(an_import("one"), state=end, finished_at=NOW)
    store.finish_import(ended, [], hold(store))
    assert not store.consents_of(ONE)
    assert store.consent_by_token("hash of one") is None
    assert not store.give_consent(ONE, SIDE, "state", b"given")
    assert store.grants(ONE) is None


def test_a_replaced_grant_is_kept_under_the_lease_only(store: Store) -> None:
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
