"""The actions of mailbox owners during a drill that the oracle needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.rehearsal.fill import INBOX, FolderPath
from tests.rehearsal.snapshot import Mailbox

EVER = float("inf")


@dataclass(frozen=True, slots=True)
class Removed:
    """The owner of a destination removed a message from `folder`.

    `settled` are the sources whose imports had recorded by then that they had copied the message or found it
    there. They must not copy it again. `to` is where the folder was renamed to, None if the message is gone.
    """

    at_s: float
    folder: FolderPath
    digest: str
    settled: frozenset[int] = frozenset()
    to: FolderPath | None = None


@dataclass(slots=True)
class DestinationHistory:
    """One destination. `renumbered` are the folders whose UIDVALIDITY changed, with the times.

    `replaced`: the INBOX was one of them, and no other folder that a source's imports knew is unchanged, so
    that the mailbox is indistinguishable from a new one. `rebuilt`: the server rebuilt the indexes of the
    mailbox after a crash. mdbox stores flags only there.
    """

    number: int
    prior: Mailbox
    removed: list[Removed] = field(default_factory=list)
    renumbered: list[tuple[float, FolderPath]] = field(default_factory=list)
    renamed: list[tuple[FolderPath, FolderPath]] = field(default_factory=list)
    replaced: bool = False
    rebuilt: bool = False

    def renumbered_since(self, removed: Removed) -> bool:
        """Whether the folder, or the whole mailbox, counts as new since then, so that every message may be
        copied again."""
        return self.replaced or any(
            at_s >= removed.at_s and path == removed.folder for at_s, path in self.renumbered
        )

    @property
    def inbox_renumbered(self) -> bool:
        return any(path == INBOX for _, path in self.renumbered)


@dataclass(slots=True)
class SourceHistory:
    """One source: for each folder and digest, when copies of the message were there (from, until)."""

    number: int
    spans: dict[FolderPath, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)

    def delivered(self, folder: FolderPath, digests: Iterable[str], at_s: float) -> None:
        for digest in digests:
            self.spans.setdefault(folder, {}).setdefault(digest, []).append((at_s, EVER))

    def expunged(self, folder: FolderPath, digest: str, at_s: float) -> None:
        spans = self.spans[folder][digest]
        index = next(i for i, (_, until) in enumerate(spans) if until == EVER)
        spans[index] = (spans[index][0], at_s)

    def ever_had(self, digest: str) -> bool:
        return any(digest in folder for folder in self.spans.values())

    def there_between(self, folder: FolderPath, start_s: float, end_s: float) -> int:
        """The number of messages that were in the folder at some moment of that time."""
        return sum(
            first <= end_s and until >= start_s
            for spans in self.spans.get(folder, {}).values()
            for first, until in spans
        )
