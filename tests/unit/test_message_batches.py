"""Batches of messages that are fetched together."""

from __future__ import annotations

from importer.compact.uid_set import Uid, UidSet
from importer.domain.planning.message_batches import MessageBatch, batches
from importer.engine.batch_pace import BatchPace
from providers.errors import Side


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


def test_a_batch_is_split_so_that_no_part_is_a_single_message() -> None:
    (batch,) = batches(sized(*[7] * 10), max_messages=10, max_bytes=100)
    first, rest = batch.split(4)
    assert rest is not None
    assert (str(first.uids), str(rest.uids)) == ("1:4", "5:10")
    assert first.total_bytes == rest.total_bytes == 70, "an upper bound"
    assert str(batch.split(0)[0].uids) == "1:2"
    assert batch.split(9) == (batch, None)
    assert batch.split(10) == (batch, None)


def test_a_batch_has_as_many_messages_as_were_copied_in_ten_seconds() -> None:
    pace = BatchPace()
    assert pace.most_messages > 10**6
    pace.took(Side.DESTINATION, 200, 100.0)
    assert pace.most_messages == 20
    pace.took(Side.SOURCE, 20, 1.0)
    assert pace.most_messages == 20, "that of the slower side"
    pace.took(Side.DESTINATION, 20, 0.5)
    assert pace.most_messages == 200
    pace.took(Side.SOURCE, 0, 90.0)
    pace.took(Side.SOURCE, 20, 0.0)
    assert pace.most_messages == 200
