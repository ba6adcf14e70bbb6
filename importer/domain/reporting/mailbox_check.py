"""The result of checking both mailboxes before a copy. It is updated while the check runs, so that a page can
show the logins first.

`exact` and `dates_exact` are False for values that are estimated from a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from importer.domain.folder_mapping.label_rules import SENTENCES, LabelRule
from importer.domain.import_options import DEFAULTS, ImportOptions
from importer.domain.model import Account, Problem, Quota
from importer.domain.planning.time_estimate import Amount, Estimate
from importer.domain.reporting.formatting import counted, spoken_bytes, spoken_instant


class CheckPhase(StrEnum):
    """The progress of the check of one mailbox."""

    CONNECTING = "connecting"
    COUNTING = "counting"  # logged in
    DONE = "done"
    FAILED = "failed"  # see `problem`


@dataclass(frozen=True, slots=True)
class SideCheck:
    """The check of one mailbox. `size_bytes`, `oldest` and `newest` are set for the source only; None while
    unknown."""

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
            else {
                "code": self.problem.code,
                "message": self.problem.message,
                "server_text": self.problem.server_text,
            },
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
    """One source folder and the name of its destination folder; `reason` explains the name.

    `elsewhere`: messages with this label that will be copied into another label's folder. `there`: messages
    now in the destination folder, None if it does not exist yet. `known`: messages copied by earlier imports,
    which are not copied again. `recognised`: messages that another program seems to have brought there,
    judged by their headers; of a large folder an estimate. `too_large`: messages that exceed the
    destination's size limit, among those checked; `beyond_limit`: those that exceed Mailhaul's own.
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
    beyond_limit: int = 0
    elsewhere: int = 0
    recognised: int = 0

    @property
    def to_copy(self) -> Amount:
        """An upper limit, except for `recognised` messages: during the copy their bytes decide."""
        left = max(0, self.messages - self.known - self.recognised)
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
            "recognised": self.recognised,
            "too_large": self.too_large,
            "beyond_limit": self.beyond_limit,
            "elsewhere": self.elsewhere,
        }


class LeftOut(NamedTuple):
    """A source folder that is not copied; `messages` is 0 if unknown."""

    folder: str
    reason: str
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """The check so far. `closed` are source folders that cannot be opened, as (name, reason); `left_out`
    those that hold no mail or do not belong to the mailbox. `labels` is the label rule by which messages were
    counted; None if the source has no labels. `options` are those of the import."""

    source: SideCheck
    destination: SideCheck
    folders: tuple[FolderCheck, ...] = ()
    closed: tuple[tuple[str, str], ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    estimate: Estimate | None = None
    done: bool = False
    labels: LabelRule | None = None
    options: ImportOptions = DEFAULTS
    max_message_bytes: int = 0  # the largest message that Mailhaul copies

    @property
    def recognised(self) -> int:
        """Messages that another program seems to have brought to the destination."""
        return sum(folder.recognised for folder in self.folders)

    @property
    def to_copy(self) -> Amount:
        """The maximum that an import would copy, if `recognised` messages prove to be there."""
        amounts = [folder.to_copy for folder in self.folders]
        return Amount(
            sum(amount.messages for amount in amounts), sum(amount.size_bytes for amount in amounts)
        )

    @property
    def free_bytes(self) -> int | None:
        """The free space at the destination; None if its server reports no limit."""
        quota = self.destination.quota
        return (
            None
            if quota is None or quota.limit_bytes is None
            else max(0, quota.limit_bytes - quota.used_bytes)
        )

    @property
    def free_messages(self) -> int | None:
        """The number of messages that still fit, at hosts that limit it; otherwise None."""
        quota = self.destination.quota
        return (
            None
            if quota is None or quota.limit_messages is None
            else max(0, quota.limit_messages - quota.used_messages)
        )

    @property
    def fits(self) -> bool | None:
        """Whether everything to copy fits into the destination; None while unknown."""
        free_bytes, free_messages, to_copy = self.free_bytes, self.free_messages, self.to_copy
        if not self.done or (free_bytes is None and free_messages is None):
            return None
        enough_bytes = free_bytes is None or to_copy.size_bytes <= free_bytes
        return enough_bytes and (free_messages is None or to_copy.messages <= free_messages)

    @property
    def ready(self) -> bool:
        """Whether both logins succeeded."""
        return {self.source.look, self.destination.look} <= {CheckPhase.COUNTING, CheckPhase.DONE}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the user before the start, in English sentences that may quote foreign text."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        if self.fits is False:
            to_copy = self.to_copy
            room = f"has room for {counted(self.free_messages or 0, 'more message')}"
            if self.free_bytes is not None and to_copy.size_bytes > self.free_bytes:
                room = f"has {spoken_bytes(self.free_bytes)} free"
            amount = f"{counted(to_copy.messages, 'message')} (about {spoken_bytes(to_copy.size_bytes)})"
            yield f"It does not fit: up to {amount} are to be copied, but the new mailbox {room}."
        too_large = sum(folder.too_large for folder in self.folders)
        if too_large:
            limit = spoken_bytes(self.destination.max_message_bytes or 0)
            at_least = "" if all(folder.exact for folder in self.folders) else "At least "
            yield (
                f"{at_least}{counted(too_large, 'message')} will be left out: larger than the new mailbox"
                f" accepts ({limit})."
            )
        beyond_limit = sum(folder.beyond_limit for folder in self.folders)
        if beyond_limit:
            limit = spoken_bytes(self.max_message_bytes)
            at_least = "" if all(folder.exact for folder in self.folders) else "At least "
            yield (
                f"{at_least}{counted(beyond_limit, 'message')} will be left out: larger than Mailhaul copies;"
                f" the limit of {limit} is its own."
            )
        for name, reason in self.closed:
            yield f"The folder “{name}” cannot be opened, and nothing in it would be copied: {reason}"
        for name, reason, messages in self.left_out:
            count = f" ({counted(messages, 'message')})" if messages else ""
            yield f"The folder “{name}”{count} is left out: {reason}."
        if self.estimate is not None and self.estimate.capped_until is not None:
            end = spoken_instant(self.estimate.capped_until)
            yield f"One of the hosts limits the amount of data per day; the copy will take until about {end}."

    def as_json(self) -> dict[str, object]:
        """Keys are stable; new ones may be added. Sizes are bytes, durations seconds, times ISO 8601 in
        UTC."""
        estimate, to_copy = self.estimate, self.to_copy
        return {
            "done": self.done,
            "ready": self.ready,
            "labels": None
            if self.labels is None
            else {"rule": self.labels.value, "sentence": SENTENCES[self.labels]},
            "options": self.options.as_json(),
            "source": self.source.as_json(),
            "destination": self.destination.as_json(),
            "folders": [folder.as_json() for folder in self.folders],
            "closed": [{"folder": name, "reason": reason} for name, reason in self.closed],
            "left_out": [left_out._asdict() for left_out in self.left_out],
            "recognised": self.recognised,
            "to_copy": {"messages": to_copy.messages, "size_bytes": to_copy.size_bytes},
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
