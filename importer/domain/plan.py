"""What to fetch together: pure decisions about batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from importer.domain.uidset import Uid, UidSet


def batches(sizes: Iterable[tuple[Uid, int]], *, max_messages: int, max_bytes: int) -> Iterator[UidSet]:
    """Groups (UID, bytes) into sets of at most `max_messages` and `max_bytes`, in the given order.

    A message larger than `max_bytes` goes alone. Lazy.
    """
    group: list[Uid] = []
    group_bytes = 0
    for uid, size_bytes in sizes:
        if group and (len(group) == max_messages or group_bytes + size_bytes > max_bytes):
            yield UidSet.of(group)
            group, group_bytes = [], 0
        group.append(uid)
        group_bytes += size_bytes
    if group:
        yield UidSet.of(group)
