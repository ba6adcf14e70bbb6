"""Sets of UIDs as ranges: a folder of a million messages costs 16 bytes per gap in its UIDs.

Invariant: ranges are ascending, non-overlapping and non-adjacent, each `(first, last)` inclusive.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NewType, cast

Uid = NewType("Uid", int)
"""Unique within one folder and one UIDVALIDITY (RFC 9051 section 2.3.1.1); never a sequence number."""

UidValidity = NewType("UidValidity", int)
"""1 to 2**32-1. A change invalidates all UIDs of the folder."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_MOST: Final = 2**63 - 1  # far above the maximum of RFC 9051; higher values are invalid


class UidSet:
    """An immutable set of UIDs."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """From ranges that satisfy the invariant; see `from_ranges` for others."""
        self._firsts = array("q")
        self._lasts = array("q")
        for first, last in ranges:
            self._firsts.append(first)
            self._lasts.append(last)

    @classmethod
    def of(cls, uids: Iterable[int]) -> UidSet:
        """From UIDs in any order, repeated or not."""
        members = sorted(set(uids))
        if members and members[-1] - members[0] == len(members) - 1 and members[-1] <= _MOST:
            return cls(((members[0], members[-1]),))  # without gaps, the usual case
        return cls.from_ranges(zip(members, members, strict=True))

    @classmethod
    def from_ranges(cls, ranges: Iterable[tuple[int, int]]) -> UidSet:
        """From inclusive ranges in any order, overlapping or not; members of 2**63 and above are left out."""
        merged = _Ascending()
        rest = iter(ranges)
        for first, last in rest:
            if not merged.add(first, last):  # out of order, which is rare and costs more
                in_order = sorted(
                    [*merged.ranges(), *((a, min(b, _MOST)) for a, b in ((first, last), *rest) if a <= _MOST)]
                )
                merged = _Ascending()
                for pair in in_order:
                    merged.add(*pair)
        return cls._of_arrays(merged.firsts, merged.lasts)

    @classmethod
    def _of_arrays(cls, firsts: array[int], lasts: array[int]) -> UidSet:
        uids = cls.__new__(cls)
        uids._firsts = firsts
        uids._lasts = lasts
        return uids

    @classmethod
    def parse(cls, text: str) -> UidSet:
        """From an IMAP uid-set such as `1:3,7` (RFC 9051 `uid-set`, without `*`). Raises ValueError."""
        return cls.from_ranges(_parsed(text))

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """All ranges as pairs. This takes ten times the memory of the set."""
        return tuple(zip(self._firsts, self._lasts, strict=True))

    @property
    def lowest(self) -> Uid | None:
        """None in an empty set."""
        return Uid(self._firsts[0]) if self._firsts else None

    @property
    def highest(self) -> Uid | None:
        """None in an empty set."""
        return Uid(self._lasts[-1]) if self._lasts else None

    def __repr__(self) -> str:
        return f"UidSet.parse({str(self)!r})"

    def __str__(self) -> str:
        pairs = zip(self._firsts, self._lasts, strict=True)
        return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in pairs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UidSet):
            return NotImplemented
        return self._firsts == other._firsts and self._lasts == other._lasts

    def __hash__(self) -> int:
        return hash((self._firsts.tobytes(), self._lasts.tobytes()))

    def __iter__(self) -> Iterator[Uid]:
        """Ascending."""
        for first, last in zip(self._firsts, self._lasts, strict=True):
            yield from cast("Iterable[Uid]", range(first, last + 1))

    def __len__(self) -> int:
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __contains__(self, uid: object) -> bool:
        if not isinstance(uid, int):
            return False
        at = bisect_right(self._firsts, uid) - 1
        return at >= 0 and uid <= self._lasts[at]

    def __or__(self, other: UidSet) -> UidSet:
        if not self or not other:
            return self or other
        low, high = (self, other) if self._firsts[0] <= other._firsts[0] else (other, self)
        # Ranges entirely below the other set are copied unchanged: sets mostly grow at their end.
        apart = bisect_left(low._lasts, high._firsts[0] - 1)
        merged = _Ascending(low._firsts[:apart], low._lasts[:apart])
        i, j, ends = apart, 0, (len(low._firsts), len(high._firsts))
        while i < ends[0] or j < ends[1]:
            if j == ends[1] or (i < ends[0] and low._firsts[i] <= high._firsts[j]):
                merged.add(low._firsts[i], low._lasts[i])
                i += 1
            else:
                merged.add(high._firsts[j], high._lasts[j])
                j += 1
        return UidSet._of_arrays(merged.firsts, merged.lasts)

    def __sub__(self, other: UidSet) -> UidSet:
        firsts, lasts = array("q"), array("q")
        cuts = zip(other._firsts, other._lasts, strict=True)
        cut = next(cuts, None)
        for first, last in zip(self._firsts, self._lasts, strict=True):
            start = first
            while cut is not None and cut[1] < start:
                cut = next(cuts, None)
            while cut is not None and cut[0] <= last:
                if cut[0] > start:
                    firsts.append(start)
                    lasts.append(cut[0] - 1)
                start = cut[1] + 1
                if cut[1] > last:
                    break
                cut = next(cuts, None)
            if start <= last:
                firsts.append(start)
                lasts.append(last)
        return UidSet._of_arrays(firsts, lasts)

    def __and__(self, other: UidSet) -> UidSet:
        return self - (self - other)

    def at_or_above(self, uid: int) -> UidSet:
        """The members that are `uid` or greater."""
        at = bisect_left(self._lasts, uid)
        above = UidSet._of_arrays(self._firsts[at:], self._lasts[at:])
        if above and above._firsts[0] < uid:
            above._firsts[0] = uid
        return above

    def chunks(self, size: int) -> Iterator[UidSet]:
        """The set in ascending pieces of at most `size` members."""
        firsts, lasts = array("q"), array("q")
        room = size
        for first, last in zip(self._firsts, self._lasts, strict=True):
            start = first
            while start <= last:
                end = min(last, start + room - 1)
                firsts.append(start)
                lasts.append(end)
                room -= end - start + 1
                start = end + 1
                if room == 0:
                    yield UidSet._of_arrays(firsts, lasts)
                    firsts, lasts, room = array("q"), array("q"), size
        if firsts:
            yield UidSet._of_arrays(firsts, lasts)


class _Ascending:
    """Accumulates ranges in ascending order of their first members and merges them."""

    __slots__ = ("firsts", "lasts")

    def __init__(self, firsts: array[int] | None = None, lasts: array[int] | None = None) -> None:
        self.firsts = array("q") if firsts is None else firsts
        self.lasts = array("q") if lasts is None else lasts

    def add(self, first: int, last: int) -> bool:
        """False, and nothing is added, if the range begins below the previous one."""
        if last > _MOST:
            if first > _MOST:
                return True
            last = _MOST
        if not self.lasts or first > self.lasts[-1] + 1:
            self.firsts.append(first)
            self.lasts.append(last)
        elif first < self.firsts[-1]:
            return False
        elif last > self.lasts[-1]:
            self.lasts[-1] = last
        return True

    def ranges(self) -> Iterator[tuple[int, int]]:
        return zip(self.firsts, self.lasts, strict=True)


class Ascending:
    """Accumulates single UIDs, each greater than the one before, as ranges."""

    __slots__ = ("_ranges",)

    def __init__(self) -> None:
        self._ranges = _Ascending()

    def add(self, uid: int) -> None:
        lasts = self._ranges.lasts
        if lasts and uid == lasts[-1] + 1 and uid <= _MOST:  # without a gap, the usual case
            lasts[-1] = uid
            return
        if lasts and uid <= lasts[-1]:
            raise ValueError(f"{uid} after {lasts[-1]}")
        self._ranges.add(uid, uid)

    @property
    def uids(self) -> UidSet:
        """A copy: more UIDs may be added afterwards."""
        return UidSet._of_arrays(self._ranges.firsts[:], self._ranges.lasts[:])


class UidBitmap:
    """A set that grows by single UIDs in any order: one bit per UID if they are dense."""

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
    """Format UIDs in the given order, with runs of +1 as ranges: `7,3:5`. `parse_ordered` reads it back."""
    ordered = list(uids)
    if ordered and ordered == list(range(ordered[0], ordered[0] + len(ordered))):  # the usual case
        return str(ordered[0]) if len(ordered) == 1 else f"{ordered[0]}:{ordered[-1]}"
    out: list[list[int]] = []
    for uid in ordered:
        if out and uid == out[-1][1] + 1:
            out[-1][1] = uid
        else:
            out.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in out)


def parse_ordered(text: str) -> tuple[Uid, ...]:
    """The UIDs of `format_ordered`, or of an APPENDUID response (RFC 4315), in order. Raises ValueError."""
    runs = (range(low, high + 1) for low, high in _parsed(text))
    return tuple(cast("Iterable[Uid]", chain.from_iterable(runs)))


def _parsed(text: str) -> Iterator[tuple[int, int]]:
    """Each part as (low, high), in the given order; a range may be written high end first."""
    at = 0
    while text and at <= len(text):
        end = text.find(",", at)
        part = text[
            at : end if end >= 0 else len(text)
        ]  # no str.split: a set with many gaps has a million parts
        at += len(part) + 1
        numbers = part.split(":")
        if len(numbers) > 2 or not all(_NUMBER.fullmatch(number) for number in numbers):
            raise ValueError(f"“{part[:40]}” is neither a UID nor a range of UIDs")
        low, high = sorted((int(numbers[0]), int(numbers[-1])))
        yield low, high
