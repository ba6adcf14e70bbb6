"""Batches of messages that are fetched together."""

from __future__ import annotations

from importer.compact.uid_set import Uid, UidSet
from importer.domain.planning.message_batches import MessageBatch, batches


def sized(*sizes: int) -> list[tuple[Uid, int]]:
    return [(Uid(uid), size) for uid, size in enumerate(sizes, 1)]


def planned(*sizes: int, max_messages: int = 3, max_bytes: int = 100, limit: int | None = None) -> list[str]:
    planned_batches = batches(
        sized(*sizes), max_messages=max_messages, max_bytes=max_bytes, limit_bytes=limit
    )
    return [f"{batch.uids} {batch.total_bytes}" for batch in planned_batches]


def test_batches_are_limited_by_messages_and_bytes() -> None:
    assert planned(10, 10, 10, 10) == ["1:3 30", "4 10"]
    assert planned(60, 50, 50, 1) == ["1 60", "2:3 100", "4 1"]
    assert planned() == []


def test_a_message_larger_than_a_batch_is_a_batch_of_its_own() -> None:
    assert planned(10, 500, 10) == ["1 10", "2 500", "3 10"]


def test_a_message_over_the_destination_limit_is_a_batch_of_its_own() -> None:
    assert planned(10, 51, 10, limit=50) == ["1 10", "2 51", "3 10"]


def test_batches_store_uid_ranges() -> None:
    (batch,) = batches(sized(*[1] * 1000), max_messages=1000, max_bytes=10_000)
    assert batch == MessageBatch(UidSet(((1, 1000),)), 1000)
