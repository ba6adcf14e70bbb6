"""The result of an independent comparison of both mailboxes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

MOST_LISTED: Final = 1000
"""Findings that are listed one by one; more are counted only."""


class ComparedAs(StrEnum):
    """A finding about one message of the old mailbox. A message that is the same but for its flags and its
    date has two findings."""

    SAME = "same"
    KNOWN_FORM = "known_form"  # the same, but for changes that programs and servers are known to make
    CONTENT = "content"  # a message with the same header is there, with other content
    FLAGS = "flags"
    DATE = "date"
    MOVED = "moved"  # the same, in another folder
    REMOVED = "removed"  # it was there
    LEFT_OUT = "left_out"  # skipped by the import
    FAILED = "failed"  # refused during the import
    NOT_COPIED = "not_copied"  # the import has not reached it, or was undone
    NEW = "new"  # at the source, since the import
    UNREADABLE = "unreadable"  # one of the two servers does not deliver it


FAULTS: Final = frozenset(
    {
        ComparedAs.CONTENT,
        ComparedAs.FLAGS,
        ComparedAs.DATE,
        ComparedAs.REMOVED,
        ComparedAs.FAILED,
        ComparedAs.NOT_COPIED,
        ComparedAs.UNREADABLE,
    }
)
"""Findings after which the two mailboxes do not agree."""


class Compared(NamedTuple):
    """One message and a finding about it. UIDs are 0 and folders "" where there is none."""

    finding: ComparedAs
    source_folder: str
    source_uid: int
    destination_folder: str = ""
    destination_uid: int = 0


@dataclass(slots=True)
class Verification:
    """The result. `compared` of `listed` messages were read; `source_gone` are no longer in the old mailbox,
    although the import copied them: nothing is left to compare. `unread_folders` of the old mailbox could not
    be opened."""

    listed: int = 0
    compared: int = 0
    source_gone: int = 0
    unread_folders: int = 0
    counts: Counter[ComparedAs] = field(default_factory=Counter)
    differences: list[Compared] = field(default_factory=list)

    def add(self, one: Compared) -> None:
        """Count the finding, and list it unless the message is the same."""
        self.counts[one.finding] += 1
        same = one.finding in (ComparedAs.SAME, ComparedAs.KNOWN_FORM)
        if not same and len(self.differences) < MOST_LISTED:
            self.differences.append(one)

    @property
    def agrees(self) -> bool:
        """Whether every message that was to be compared is there as it was."""
        return not self.unread_folders and not any(self.counts[finding] for finding in FAULTS)
