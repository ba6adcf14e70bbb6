"""The result of checking both mailboxes before a copy. It is updated while the check runs, so that a page can
show the logins first.

`exact` and `dates_exact` are False for values that are estimated from a sample.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from importer.domain.folder_mapping.label_rules import LabelRule
from importer.domain.import_options import DEFAULTS, ImportOptions
from importer.domain.mailbox_content import Quota
from importer.domain.model import Account, Alert, Phase, Problem
from importer.domain.planning.time_estimate import Amount, Estimate
from providers.errors import Side
from providers.frozen import frozen
from providers.text import Text


class CheckPhase(StrEnum):
    """The progress of the check of one mailbox."""

    CONNECTING = "connecting"
    COUNTING = "counting"  # logged in
    DONE = "done"
    FAILED = "failed"  # see `problem`


@frozen
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

    def failed(self, problem: Problem) -> SideCheck:
        return replace(self, look=CheckPhase.FAILED, problem=problem)


@frozen
class FolderCheck:
    """One source folder and the name of its destination folder; `reasons` say why it is not the same.

    `elsewhere`: messages with this label that will be copied into another label's folder. `there`: messages
    now in the destination folder, None if it does not exist yet. `known`: messages copied by earlier imports,
    which are not copied again. `recognised`: messages that another program seems to have brought there,
    judged by their headers; of a large folder an estimate. `older`: messages before the chosen date,
    estimated likewise. `too_large`: messages that exceed the destination's size limit, among those checked;
    `beyond_limit`: those that exceed Mailhaul's own.
    """

    source_folder: str
    destination_folder: str
    reasons: tuple[Text, ...]
    messages: int
    there: int | None = None
    known: int = 0
    size_bytes: int | None = None
    exact: bool = True
    too_large: int = 0
    beyond_limit: int = 0
    elsewhere: int = 0
    recognised: int = 0
    older: int = 0

    @property
    def to_copy(self) -> Amount:
        """An upper limit, except for `recognised` messages: during the copy their bytes decide."""
        left = max(0, self.messages - self.known - self.recognised - self.older)
        return Amount(left, round((self.size_bytes or 0) * left / self.messages) if self.messages else 0)


class LeftOut(NamedTuple):
    """A source folder that is not copied; `messages` is 0 if unknown."""

    folder: str
    reason: Text
    messages: int = 0


@frozen
class Check:
    """The check so far. `closed` are source folders that cannot be opened, as (name, reason); `left_out`
    those that hold no mail or do not belong to the mailbox. `labels` is the label rule by which messages were
    counted; None if the source has no labels. `options` are those of the import."""

    source: SideCheck
    destination: SideCheck
    folders: tuple[FolderCheck, ...] = ()
    closed: tuple[tuple[str, Text], ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    estimate: Estimate | None = None
    done: bool = False
    labels: LabelRule | None = None
    options: ImportOptions = DEFAULTS
    unmatched: tuple[str, ...] = ()  # folder patterns that match no folder
    max_message_bytes: int = 0  # the largest message that Mailhaul copies
    alerts: tuple[Alert, ...] = ()  # of the servers, each once
    may_be_renamed: tuple[str, ...] = ()  # source folders whose names some servers do not accept
    read: tuple[int, int] = (0, 0)  # source folders read, and of how many; 0 while that is unknown

    def side(self, side: Side) -> SideCheck:
        return self.source if side is Side.SOURCE else self.destination

    def with_side(self, side: Side, checked: SideCheck) -> Check:
        if side is Side.SOURCE:
            return replace(self, source=checked)
        return replace(self, destination=checked)

    def with_total_size(self) -> Check:
        """The same with the size of the source, once the size of each folder is known."""
        sizes = [folder.size_bytes for folder in self.folders]
        if None in sizes:
            return self
        exact = all(folder.exact for folder in self.folders)
        return replace(
            self, source=replace(self.source, size_bytes=sum(size or 0 for size in sizes), exact=exact)
        )

    @property
    def phase(self) -> tuple[Phase, int, int] | None:
        """The current work at the old mailbox, the number of folders done, and of all folders; None at the
        end."""
        if self.done or self.source.look in (CheckPhase.DONE, CheckPhase.FAILED):
            return None
        if self.source.look is CheckPhase.CONNECTING:
            return Phase.CONNECTING, 0, 0
        if not self.folders:
            return Phase.READING_FOLDERS, *self.read
        measured = sum(folder.size_bytes is not None for folder in self.folders)
        return Phase.MEASURING_FOLDERS, measured, len(self.folders)

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
