"""Sets of UIDs as ranges: a folder of a million messages costs what its gaps cost.

Invariant: `ranges` is ascending, non-overlapping and non-adjacent, each `(first, last)` inclusive.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NewType

Uid = NewType("Uid", int)
"""Unique within one folder and one UIDVALIDITY (RFC 9051 section 2.3.1.1); never a sequence number."""

UidValidity = NewType("UidValidity", int)
"""1 to 2**32-1; a change means that all UIDs of the folder are void."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UidSet:
    """An immutable set of UIDs."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, uids: Iterable[int]) -> UidSet:
        """From UIDs in any order, repeated or not."""
        members = sorted(set(uids))
        if members and members[-1] - members[0] == len(members) - 1:  # without gaps, as mostly
            return cls(((members[0], members[-1]),))
        return cls.from_ranges(zip(members, members, strict=True))

    @classmethod
    def from_ranges(cls, ranges: Iterable[tuple[int, int]]) -> UidSet:
        """From inclusive ranges in any order, overlapping or not."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                if last > merged[-1][1]:
                    merged[-1] = (merged[-1][0], last)
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def parse(cls, text: str) -> UidSet:
        """From an IMAP uid-set such as `1:3,7` (RFC 9051 `uid-set`, without `*`). Raises ValueError."""
        return cls.from_ranges(_parsed(text))

    def __str__(self) -> str:
        return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in self.ranges)

    def __iter__(self) -> Iterator[Uid]:
        """Ascending."""
        for first, last in self.ranges:
            for uid in range(first, last + 1):
                yield Uid(uid)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        at = bisect_right(self.ranges, (uid, 2**63)) - 1
        return at >= 0 and self.ranges[at][0] <= uid <= self.ranges[at][1]

    def __or__(self, other: UidSet) -> UidSet:
        return UidSet.from_ranges((*self.ranges, *other.ranges))

    def __sub__(self, other: UidSet) -> UidSet:
        out: list[tuple[int, int]] = []
        cuts = iter(other.ranges)
        cut = next(cuts, None)
        for first, last in self.ranges:
            start = first
            while cut is not None and cut[1] < start:
                cut = next(cuts, None)
            while cut is not None and cut[0] <= last:
                if cut[0] > start:
                    out.append((start, cut[0] - 1))
                start = cut[1] + 1
                if cut[1] > last:
                    break
                cut = next(cuts, None)
            if start <= last:
                out.append((start, last))
        return UidSet(tuple(out))

    def __and__(self, other: UidSet) -> UidSet:
        return self - (self - other)

    def at_or_above(self, uid: int) -> UidSet:
        """The members that are `uid` or greater."""
        return UidSet(tuple((max(first, uid), last) for first, last in self.ranges if last >= uid))

    def chunks(self, size: int) -> Iterator[UidSet]:
        """The set in ascending pieces of at most `size` members."""
        piece: list[tuple[int, int]] = []
        room = size
        for first, last in self.ranges:
            start = first
            while start <= last:
                end = min(last, start + room - 1)
                piece.append((start, end))
                room -= end - start + 1
                start = end + 1
                if room == 0:
                    yield UidSet(tuple(piece))
                    piece, room = [], size
        if piece:
            yield UidSet(tuple(piece))


class Ascending:
    """UIDs that come one by one, each greater than the one before, kept as ranges."""

    __slots__ = ("_ranges",)

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def add(self, uid: int) -> None:
        if self._ranges and uid <= self._ranges[-1][1]:
            raise ValueError(f"{uid} after {self._ranges[-1][1]}")
        if self._ranges and uid == self._ranges[-1][1] + 1:
            self._ranges[-1] = (self._ranges[-1][0], uid)
        else:
            self._ranges.append((uid, uid))

    @property
    def uids(self) -> UidSet:
        return UidSet(tuple(self._ranges))


class UidMarks:
    """UIDs that come one by one, in any order: a bit for each, where they are dense."""

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}  # of 4096 UIDs each

    def add(self, uid: int) -> None:
        page = self._pages.setdefault(uid >> 12, bytearray(512))
        page[uid >> 3 & 511] |= 1 << (uid & 7)

    def __contains__(self, uid: int) -> bool:
        page = self._pages.get(uid >> 12)
        return page is not None and bool(page[uid >> 3 & 511] & 1 << (uid & 7))


def format_ordered(uids: Iterable[int]) -> str:
    """UIDs in the given order, runs of +1 folded: `7,3:5`. Read back by `parse_ordered`."""
    out: list[list[int]] = []
    for uid in uids:
        if out and uid == out[-1][1] + 1:
            out[-1][1] = uid
        else:
            out.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in out)


def parse_ordered(text: str) -> tuple[Uid, ...]:
    """The UIDs of `format_ordered`, or of an APPENDUID answer (RFC 4315), in order. Raises ValueError."""
    return tuple(Uid(n) for low, high in _parsed(text) for n in range(low, high + 1))


def _parsed(text: str) -> Iterator[tuple[int, int]]:
    """Each part as (low, high), in the given order; a range may stand the other way round."""
    for part in text.split(",") if text else ():
        numbers = part.split(":")
        if len(numbers) > 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
            raise ValueError(f"“{part[:40]}” is no UID and no range of UIDs")
        low, high = sorted((int(numbers[0]), int(numbers[-1])))
        yield low, high
