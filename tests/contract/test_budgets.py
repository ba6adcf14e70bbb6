"""The contract of `importer.ports.budgets.Budgets`: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

from importer.domain.planning.host_allowance import Backoff, HourlyBytes
from importer.ports.store import Store
from providers.text import Text
from tests.contract.conftest import OpenStore

NOW = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
TTL = timedelta(minutes=1)


# --- Slots ----------------------------------------------------------------------------------------


def test_slots_never_exceed_the_limit(store: Store) -> None:
    assert store.acquire_slots("one", [("ada", 2)], NOW, TTL)
    assert store.acquire_slots("one", [("ada", 2)], NOW, TTL)
    assert not store.acquire_slots("two", [("ada", 2)], NOW, TTL)
    assert store.acquire_slots("two", [("grace", 2)], NOW, TTL)


def test_several_slots_are_acquired_atomically(store: Store) -> None:
    assert store.acquire_slots("one", [("host", 1)], NOW, TTL)
    assert not store.acquire_slots("two", [("ada", 1), ("host", 1), ("zoe", 1)], NOW, TTL)
    assert store.acquire_slots("three", [("ada", 1), ("zoe", 1)], NOW, TTL)


def test_two_slots_with_the_same_name_count_as_two(store: Store) -> None:
    assert not store.acquire_slots("one", [("host", 1), ("host", 1)], NOW, TTL)
    assert store.acquire_slots("one", [("host", 2), ("host", 2)], NOW, TTL)
    assert not store.acquire_slots("two", [("host", 2)], NOW, TTL)


def test_slots_that_are_not_renewed_expire(store: Store) -> None:
    assert store.acquire_slots("one", [("ada", 1)], NOW, TTL)
    assert not store.acquire_slots("two", [("ada", 1)], NOW + TTL - SECOND, TTL)
    assert store.acquire_slots("two", [("ada", 1)], NOW + TTL, TTL)


def test_renewal_extends_slots_and_release_frees_them_immediately(store: Store) -> None:
    assert store.acquire_slots("one", [("ada", 1), ("host", 2)], NOW, TTL)
    assert store.acquire_slots("two", [("host", 2)], NOW, TTL)
    store.renew_slots("one", NOW + SECOND, TTL)
    assert not store.acquire_slots("three", [("ada", 1)], NOW + TTL, TTL)
    store.release_slots("one")
    assert store.acquire_slots("three", [("ada", 1), ("host", 2)], NOW + SECOND, TTL)
    assert not store.acquire_slots("four", [("host", 2)], NOW + SECOND, TTL)


def test_an_expired_slot_taken_by_another_holder_is_not_renewed_by_the_first(store: Store) -> None:
    assert store.acquire_slots("one", [("ada", 1)], NOW, TTL)
    assert store.acquire_slots("two", [("ada", 1)], NOW + TTL, TTL)
    store.renew_slots("one", NOW + TTL, 10 * TTL)
    store.release_slots("one")
    assert not store.acquire_slots("three", [("ada", 1)], NOW + TTL + SECOND, TTL)
    assert store.acquire_slots("three", [("ada", 1)], NOW + 2 * TTL, TTL)


def test_concurrent_acquirers_get_exactly_the_available_slots(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(6)]

    def take(round_: int, start: threading.Barrier, number: int) -> bool:
        start.wait()
        # The names come in opposite orders: the acquirers must not deadlock.
        slots = [(f"host {round_}", 3), (f"account {number % 2}{round_}", 9)]
        return stores[number].acquire_slots(str(number), slots[:: 1 - 2 * (number % 2)], NOW, TTL)

    with ThreadPoolExecutor(len(stores)) as pool:
        for round_ in range(5):
            acquire = partial(take, round_, threading.Barrier(len(stores)))
            assert sum(pool.map(acquire, range(len(stores)))) == 3


# --- Bytes ----------------------------------------------------------------------------------------


def test_bytes_are_summed_per_hour_and_name(store: Store) -> None:
    store.count_bytes("down ada", NOW, 2**40)
    store.count_bytes("down ada", NOW - 10 * SECOND, 1)
    store.count_bytes("down ada", (NOW + SECOND).astimezone(timezone(timedelta(hours=2))), 7)
    store.count_bytes("up ada", NOW, 5)
    assert store.counted_bytes("down ada", NOW + SECOND) == [
        HourlyBytes(datetime(2026, 3, 29, 0, tzinfo=UTC), 2**40 + 1),
        HourlyBytes(datetime(2026, 3, 29, 1, tzinfo=UTC), 7),
    ]
    assert [hour.size_bytes for hour in store.counted_bytes("up ada", NOW)] == [5]
    assert store.counted_bytes("down grace", NOW) == []


def test_an_hour_counts_until_its_last_minute_is_a_day_old(store: Store) -> None:
    store.count_bytes("down ada", NOW, 7)
    ended = datetime(2026, 3, 30, 1, tzinfo=UTC)
    assert [hour.size_bytes for hour in store.counted_bytes("down ada", ended - SECOND)] == [7]
    assert store.counted_bytes("down ada", ended) == []
    store.count_bytes("down ada", ended, 1)
    assert [hour.size_bytes for hour in store.counted_bytes("down ada", ended)] == [1]


def test_bytes_counted_concurrently_are_all_counted(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(4)]

    def count(store: Store) -> None:
        for _ in range(10):
            store.count_bytes("down ada", NOW, 1)

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(count, stores))
    assert [hour.size_bytes for hour in stores[0].counted_bytes("down ada", NOW)] == [40]


# --- Backoffs -------------------------------------------------------------------------------------


def test_a_backoff_is_returned_unchanged_until_it_ends(open_store: OpenStore) -> None:
    backoff = Backoff("ada", NOW + TTL, Text("throttled", host="old.example"), "Backoff 60000 \x00")
    open_store().back_off(backoff)
    store = open_store()
    assert store.backoff(["grace", "ada"], NOW + TTL - SECOND) == backoff
    assert store.backoff(["ada"], NOW + TTL) is None
    assert store.backoff(["grace"], NOW) is None
    assert store.backoff([], NOW) is None


def test_the_longer_backoff_applies_regardless_of_order(store: Store) -> None:
    long, short = (
        Backoff("ada", NOW + HOUR, Text("throttled", host="long")),
        Backoff("ada", NOW + TTL, Text("x")),
    )
    store.back_off(long)
    store.back_off(short)
    assert store.backoff(["ada"], NOW) == long
    longer = Backoff("ada", NOW + 2 * HOUR, Text("throttled", host="longer"))
    store.back_off(longer)
    assert store.backoff(["ada"], NOW) == longer
    host = Backoff("host", NOW + 3 * HOUR, Text("throttled", host="host"))
    store.back_off(host)
    assert store.backoff(["ada", "host"], NOW) == host


def test_slots_and_backoffs_in_force_are_listed(store: Store) -> None:
    assert store.acquire_slots("one", [("ada", 2), ("host", 3)], NOW, TTL)
    assert store.acquire_slots("two", [("host", 3)], NOW + SECOND, TTL)
    assert store.used_slots(NOW + SECOND) == {"ada": 1, "host": 2}
    assert store.used_slots(NOW + TTL) == {"host": 1}
    for name, seconds in (("zoe", 5), ("ada", 1)):
        store.back_off(Backoff(name, NOW + seconds * SECOND, Text("throttled", host="old.example")))
    assert [backoff.name for backoff in store.backoffs(NOW)] == ["ada", "zoe"]
    assert [backoff.name for backoff in store.backoffs(NOW + SECOND)] == ["zoe"]
