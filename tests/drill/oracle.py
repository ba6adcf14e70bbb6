"""Finds the messages that a drill lost, duplicated, altered or brought back, from both sides, read with plain
IMAP.

It shares no code with the importer. Each content belongs to one folder: a drill never puts the same message
into two folders of a mailbox, so a content is counted over the whole destination, wherever its folder was
renamed to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tests.drill.history import DestinationHistory, Removed, SourceHistory
from tests.rehearsal.fill import INBOX, FolderPath
from tests.rehearsal.snapshot import Mailbox, Seen

BALLAST: Final[FolderPath] = ("Ballast",)
"""The folder with which an owner fills the mailbox."""

Fault = Literal["lost", "doubled", "altered", "undead", "misplaced", "forgotten"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault. `forgotten`: the destination server itself lost the flags of a message."""

    fault: Fault
    destination: int
    folder: FolderPath
    digest: str
    text: str

    def __str__(self) -> str:
        where = "/".join(self.folder)
        return f"{self.fault}: destination {self.destination}, {where}: {self.text} {self.digest[:12]}"


def judge(
    history: DestinationHistory,
    sources: Mapping[int, Mailbox],
    source_histories: Mapping[int, SourceHistory],
    destination: Mailbox,
) -> list[Finding]:
    """All faults at one destination. `sources` are the current sources of its routes."""
    wanted: dict[str, tuple[FolderPath, Seen]] = {
        seen.digest: (folder, seen)
        for mailbox in sources.values()
        for folder, messages in mailbox.folders.items()
        for seen in messages
    }
    prior: dict[str, list[FolderPath]] = {}
    for folder, messages in history.prior.folders.items():
        for seen in messages:
            prior.setdefault(seen.digest, []).append(folder)
    there: dict[str, list[tuple[FolderPath, Seen]]] = {}
    for folder, messages in destination.folders.items():
        for seen in messages if folder != BALLAST else ():
            there.setdefault(seen.digest, []).append((folder, seen))

    findings = []
    for digest in {**prior, **wanted, **there}:
        judged = _judge_one(
            history,
            source_histories,
            digest,
            wanted.get(digest),
            prior.get(digest, []),
            there.get(digest, []),
        )
        findings += [
            Finding(fault, history.number, folder, digest, f"{text}: {_show(wanted, there, digest)}")
            for fault, folder, text in judged
        ]
    return findings


def excused(
    history: DestinationHistory,
    source_histories: Mapping[int, SourceHistory],
    destination: Mailbox,
    findings: Sequence[Finding],
) -> Counter[str]:
    """The number of messages that are there twice, or again, without a finding, by reason: the imports could
    not detect it."""
    counts = Counter(
        seen.digest
        for folder, messages in destination.folders.items()
        if folder != BALLAST
        for seen in messages
    )
    removed: dict[str, list[Removed]] = {}
    for one in history.removed:
        removed.setdefault(one.digest, []).append(one)
    found = {finding.digest for finding in findings}
    reasons: Counter[str] = Counter()
    for digest, number in counts.items():
        taken = removed.get(digest, [])
        if digest in found or (number == 1 and all(one.to is not None for one in taken)):
            continue
        ever = {number for number, source in source_histories.items() if source.ever_had(digest)}
        if history.replaced:
            reasons["the mailbox looks new"] += 1
        elif any(history.renumbered_since(one) for one in taken):
            reasons["the folder was renumbered"] += 1
        elif any(not one.settled for one in taken):
            reasons["no import had recorded it"] += 1
        elif any(not ever <= one.settled for one in taken):
            reasons["another source has it too"] += 1
        else:
            reasons["removed and delivered again"] += 1
    return reasons


def _judge_one(
    history: DestinationHistory,
    source_histories: Mapping[int, SourceHistory],
    digest: str,
    wanted: tuple[FolderPath, Seen] | None,
    prior: list[FolderPath],
    there: list[tuple[FolderPath, Seen]],
) -> list[tuple[Fault, FolderPath, str]]:
    """The allowed number of copies: one, or as many as before, minus those that the owner removed, plus one
    for each copy that the owner removed before every import knew it, because it may then come again."""
    ever = {number for number, source in source_histories.items() if source.ever_had(digest)}
    if not ever and not prior:
        return [("altered", folder, "content that was never sent") for folder, _ in there]
    taken = [one for one in history.removed if one.digest == digest]
    gone = [one for one in taken if one.to is None]
    known = [one for one in taken if ever <= one.settled and not history.renumbered_since(one)]
    copies = max(1, len(prior))
    least = max(0, copies - len(gone)) if wanted or prior else 0
    most = max(0, copies + len(taken) - len(known) - len(gone))
    home = wanted[0] if wanted else [*prior, *(folder for folder, _ in there)][0] if prior or there else INBOX
    if len(there) < least:
        return [("lost", home, "not there")]
    if len(there) > most:
        folders = ", ".join("/".join(folder) for folder, _ in there)
        if back := [one for one in gone if one in known]:
            return [("undead", home, f"removed by its owner at {back[-1].at_s:.1f} s, and in {folders}")]
        return [("doubled", home, f"{len(there)} times, in {folders}")]
    found: list[tuple[Fault, FolderPath, str]] = []
    places = {home, *prior, *(new for old, new in history.renamed if old == home)}
    for folder, seen in there:
        if folder not in places:
            found.append(("misplaced", folder, f"belongs into {'/'.join(home)}"))
        if wanted and not prior and (seen.flags, seen.date) != (wanted[1].flags, wanted[1].date):
            forgotten = history.rebuilt and not seen.flags and seen.date == wanted[1].date
            fault: Fault = "forgotten" if forgotten else "altered"
            found.append((fault, folder, f"{_labels(wanted[1])} became {_labels(seen)}"))
    return found


def _labels(seen: Seen) -> str:
    return f"({' '.join(sorted(seen.flags))}) {seen.date}"


def _show(
    wanted: Mapping[str, tuple[FolderPath, Seen]],
    there: Mapping[str, list[tuple[FolderPath, Seen]]],
    digest: str,
) -> str:
    if digest in wanted:
        return str(wanted[digest][1])
    return str(there[digest][0][1]) if digest in there else ""
