"""What became of an undo: each message that the import added has one fate, and they add up.

`added = removed + touched + altered + gone + unidentified`, per folder and in total.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

from importer.domain.model import ImportId
from importer.domain.reporting.formatting import counted


@dataclass(frozen=True, slots=True)
class FolderUndo:
    """One destination folder. `added`: copies that the import stored there."""

    folder: str
    added: int = 0
    removed: int = 0  # by this undo or an earlier one
    touched: int = 0  # stays: its flags were changed since
    altered: int = 0  # stays: its bytes are not those that were stored, or cannot be read
    gone: int = 0  # its owner deleted or moved it before
    unidentified: int = 0  # stays, if it is there: nobody knows any more which message it is

    @property
    def adds_up(self) -> bool:
        return self.added == self.removed + self.stays + self.gone

    @property
    def stays(self) -> int:
        return self.touched + self.altered + self.unidentified

    def __add__(self, other: FolderUndo) -> FolderUndo:
        """Both together, under the name of the first."""
        numbers = (fact.name for fact in fields(self) if fact.name != "folder")
        return FolderUndo(self.folder, *(getattr(self, name) + getattr(other, name) for name in numbers))

    def as_json(self) -> dict[str, object]:
        return {fact.name: getattr(self, fact.name) for fact in fields(self)}


@dataclass(frozen=True, slots=True)
class UndoReport:
    """The account of one undo. `folders_removed` were made by the import and empty; `folders_kept` were made
    by it too: (name, why). `doubtful`: messages of appends that nobody has settled; they stay."""

    import_id: ImportId
    at: datetime
    folders: tuple[FolderUndo, ...] = ()
    folders_removed: tuple[str, ...] = ()
    folders_kept: tuple[tuple[str, str], ...] = ()
    doubtful: int = 0

    @property
    def totals(self) -> FolderUndo:
        return total(self.folders)

    @property
    def adds_up(self) -> bool:
        return all(folder.adds_up for folder in self.folders)

    @property
    def verdict(self) -> str:
        """What happened, in plain sentences."""
        totals = self.totals
        if not totals.added and not self.doubtful:
            return "The import had added nothing: there was nothing to remove."
        added = counted(totals.added, "message")
        parts = (
            (totals.touched, "left in place: read, answered or marked since."),
            (totals.altered, "left in place: other bytes than were stored."),
            (totals.unidentified, "left in place: nobody can tell any more which."),
            (totals.gone, "had been deleted or moved before."),
            (self.doubtful, "may or may not have arrived: run the import again, then undo that."),
        )
        sentences = [f"{totals.removed:,} of the {added} that the import had added are removed."]
        sentences += [f"{counted(number, 'message')} {what}" for number, what in parts if number]
        if self.folders_removed:
            empty = counted(len(self.folders_removed), "empty folder")
            sentences.append(f"{empty} that it had made went too.")
        return " ".join(sentences)

    def as_json(self) -> dict[str, object]:
        """Keys are stable; new ones may be added."""
        return {
            "id": self.import_id,
            "at": self.at.isoformat(),
            "verdict": self.verdict,
            "adds_up": self.adds_up,
            "totals": {name: value for name, value in self.totals.as_json().items() if name != "folder"},
            "folders": [folder.as_json() for folder in self.folders],
            "folders_removed": list(self.folders_removed),
            "folders_kept": [{"folder": name, "reason": why} for name, why in self.folders_kept],
            "doubtful": self.doubtful,
        }


def total(folders: Iterable[FolderUndo]) -> FolderUndo:
    """All of them together."""
    return sum(folders, FolderUndo(""))
