"""What to fetch together: pure decisions about batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from importer.compact.uid_set import Uid, UidSet


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Source messages to be fetched together, and how many bytes they have as the server says; 0 where it
    says nothing."""

    uids: UidSet
    total_bytes: int


def batches(
    sizes: Iterable[tuple[Uid, int]], *, max_messages: int, max_bytes: int, limit_bytes: int | None = None
) -> Iterator[MessageBatch]:
    """Groups (UID, bytes) into batches of at most `max_messages` and `max_bytes`, in the given order.

    A message larger than `max_bytes` goes alone, and so does one above `limit_bytes`. Lazy.
    """
    group: list[Uid] = []
    group_bytes = 0
    for uid, size_bytes in sizes:
        alone = limit_bytes is not None and size_bytes > limit_bytes
        if group and (alone or len(group) == max_messages or group_bytes + size_bytes > max_bytes):
            yield MessageBatch(UidSet.of(group), group_bytes)
            group, group_bytes = [], 0
        if alone:
            yield MessageBatch(UidSet.of((uid,)), size_bytes)
        else:
            group.append(uid)
            group_bytes += size_bytes
    if group:
        yield MessageBatch(UidSet.of(group), group_bytes)
