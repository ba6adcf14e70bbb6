"""What a look at both mailboxes found before anything is copied. It grows while the look goes on, so that a
page can show the logins first.

What cannot be known exactly says so: `exact` and `dates_exact` are False where a sample was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from importer.domain.folder_mapping.label_rules import SENTENCES, LabelRule
from importer.domain.model import Account, Problem, Quota
from importer.domain.planning.time_estimate import Amount, Estimate
from importer.domain.reporting.formatting import counted, spoken_bytes, spoken_instant


class CheckPhase(StrEnum):
    """How far the look at one mailbox has come."""

    CONNECTING = "connecting"
    COUNTING = "counting"  # logged in
    DONE = "done"
    FAILED = "failed"  # `problem` says why


@dataclass(frozen=True, slots=True)
class SideCheck:
    """One mailbox. `size_bytes`, `oldest` and `newest` are those of the source; None while unknown."""

    account: Account
    look: CheckPhase = CheckPhase.CONNECTING
    problem: Problem | None = None
    folders: int = 0
    messages: int = 0
    size_bytes: int | None = None
    exact: bool = True
    oldest: datetime | None = None
    newest: datetime | None = None
    dates_exact: bool = True
    quota: Quota | None = None
    max_message_bytes: int | None = None
    round_trip: timedelta | None = None

    def as_json(self) -> dict[str, object]:
        quota = self.quota
        return {
            "address": self.account.address,
            "server": str(self.account.endpoint),
            "look": self.look.value,
            "problem": None
            if self.problem is None
            else {"code": self.problem.code, "message": self.problem.message},
            "folders": self.folders,
            "messages": self.messages,
            "size_bytes": self.size_bytes,
            "exact": self.exact,
            "oldest": None if self.oldest is None else self.oldest.isoformat(),
            "newest": None if self.newest is None else self.newest.isoformat(),
            "dates_exact": self.dates_exact,
            "quota": None
            if quota is None
            else {
                "used_bytes": quota.used_bytes,
                "limit_bytes": quota.limit_bytes,
                "used_messages": quota.used_messages,
                "limit_messages": quota.limit_messages,
            },
            "max_message_bytes": self.max_message_bytes,
            "round_trip_s": None if self.round_trip is None else self.round_trip.total_seconds(),
        }


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """One source folder and where it will go; `reason` says why it is called so there.

    `elsewhere`: messages with this label that are to be copied into another label's folder. `there`:
    messages in the destination folder now, None when it has yet to be made. `known`: messages that earlier
    imports brought, which are not copied again. `too_large`: messages that the destination will not take, of
    those that were looked at.
    """

    source_folder: str
    destination_folder: str
    reason: str
    messages: int
    there: int | None = None
    known: int = 0
    size_bytes: int | None = None
    exact: bool = True
    too_large: int = 0
    elsewhere: int = 0

    @property
    def to_copy(self) -> Amount:
        """At most; what is there from elsewhere is recognised when it is copied."""
        left = max(0, self.messages - self.known)
        return Amount(left, round((self.size_bytes or 0) * left / self.messages) if self.messages else 0)

    def as_json(self) -> dict[str, object]:
        return {
            "source_folder": self.source_folder,
            "destination_folder": self.destination_folder,
            "reason": self.reason,
            "messages": self.messages,
            "size_bytes": self.size_bytes,
            "exact": self.exact,
            "there": self.there,
            "known": self.known,
            "too_large": self.too_large,
            "elsewhere": self.elsewhere,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """All that is known so far. `closed` are source folders that cannot be opened, `left_out` those that hold
    no mail: (name, why). `labels` is
    the rule by which the folders of labels were counted; None where the source has no labels."""

    source: SideCheck
    destination: SideCheck
    folders: tuple[FolderCheck, ...] = ()
    closed: tuple[tuple[str, str], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    estimate: Estimate | None = None
    done: bool = False
    labels: LabelRule | None = None

    @property
    def to_copy(self) -> Amount:
        """What an import would copy at most."""
        amounts = [folder.to_copy for folder in self.folders]
        return Amount(sum(one.messages for one in amounts), sum(one.size_bytes for one in amounts))

    @property
    def free_bytes(self) -> int | None:
        """At the destination; None where its server tells no limit."""
        quota = self.destination.quota
        return (
            None
            if quota is None or quota.limit_bytes is None
            else max(0, quota.limit_bytes - quota.used_bytes)
        )

    @property
    def free_messages(self) -> int | None:
        """The same for hosts that count messages."""
        quota = self.destination.quota
        return (
            None
            if quota is None or quota.limit_messages is None
            else max(0, quota.limit_messages - quota.used_messages)
        )

    @property
    def fits(self) -> bool | None:
        """None while nobody knows."""
        free_bytes, free_messages, wanted = self.free_bytes, self.free_messages, self.to_copy
        if not self.done or (free_bytes is None and free_messages is None):
            return None
        enough_bytes = free_bytes is None or wanted.size_bytes <= free_bytes
        return enough_bytes and (free_messages is None or wanted.messages <= free_messages)

    @property
    def ready(self) -> bool:
        """Both mailboxes let us in."""
        return {self.source.look, self.destination.look} <= {CheckPhase.COUNTING, CheckPhase.DONE}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the start, in sentences that may quote foreign text."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        if self.fits is False:
            wanted, room = self.to_copy, f"takes {counted(self.free_messages or 0, 'more message')}"
            if self.free_bytes is not None and wanted.size_bytes > self.free_bytes:
                room = f"has {spoken_bytes(self.free_bytes)} free"
            amount = f"{counted(wanted.messages, 'message')} (about {spoken_bytes(wanted.size_bytes)})"
            yield f"It does not fit: up to {amount} are to be copied, and the new mailbox {room}."
        too_large = sum(folder.too_large for folder in self.folders)
        if too_large:
            limit = spoken_bytes(self.destination.max_message_bytes or 0)
            least = "" if all(folder.exact for folder in self.folders) else "At least "
            yield (
                f"{least}{counted(too_large, 'message')} will be left out: larger than the new mailbox"
                f" accepts ({limit})."
            )
        for name, why in self.closed:
            yield f"The folder “{name}” cannot be opened, and nothing in it would be copied: {why}"
        for name, why in self.left_out:
            yield f"The folder “{name}” is left out: {why}."
        if self.estimate is not None and self.estimate.capped_until is not None:
            end = spoken_instant(self.estimate.capped_until)
            yield f"One of the hosts lets only so much through in a day; it will take until about {end}."

    def as_json(self) -> dict[str, object]:
        """Keys are stable; new ones may be added. Sizes are bytes, spans seconds, times ISO 8601 in UTC."""
        estimate, wanted = self.estimate, self.to_copy
        return {
            "done": self.done,
            "ready": self.ready,
            "labels": None
            if self.labels is None
            else {"rule": self.labels.value, "sentence": SENTENCES[self.labels]},
            "source": self.source.as_json(),
            "destination": self.destination.as_json(),
            "folders": [folder.as_json() for folder in self.folders],
            "closed": [{"folder": name, "reason": why} for name, why in self.closed],
            "left_out": [{"folder": name, "reason": why} for name, why in self.left_out],
            "to_copy": {"messages": wanted.messages, "size_bytes": wanted.size_bytes},
            "free_bytes": self.free_bytes,
            "free_messages": self.free_messages,
            "fits": self.fits,
            "estimate": None
            if estimate is None
            else {
                "low_s": round(estimate.low.total_seconds()),
                "high_s": round(estimate.high.total_seconds()),
                "basis": estimate.basis,
                "capped_until": None if estimate.capped_until is None else estimate.capped_until.isoformat(),
            },
            "warnings": list(self.warnings),
        }
