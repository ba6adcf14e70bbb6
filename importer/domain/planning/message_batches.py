"""Grouping of messages into batches that are fetched with one command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from importer.compact.uid_set import Uid, UidSet
from providers.frozen import frozen


@frozen
class MessageBatch:
    """Source messages to fetch together, and their total size in bytes as reported by the server (0 if
    unknown). `apart`: a message that is sent alone, with no other append under way on the connection."""

    uids: UidSet
    total_bytes: int
    apart: bool = False

    def split(self, messages: int) -> tuple[MessageBatch, MessageBatch | None]:
        """The first `messages` of the batch, at least two, and the rest. Each part is given the size of the
        whole: that of its messages is not known, and is not larger. No part is a single message, whose size
        would have to be right."""
        messages = max(2, messages)
        if len(self.uids) < messages + 2:
            return self, None
        first = UidSet.of(islice(self.uids, messages))
        return replace(self, uids=first), replace(self, uids=self.uids - first)


def batches(
    sizes: Iterable[tuple[Uid, int]], *, max_messages: int, max_bytes: int, limit_bytes: int | None = None
) -> Iterator[MessageBatch]:
    """Group (UID, size in bytes) pairs into batches of at most `max_messages` and `max_bytes`, in order.
    Lazy.

    A message larger than `max_bytes` or `limit_bytes` gets a batch of its own.
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
