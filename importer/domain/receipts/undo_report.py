"""The report of an undo. Each message that the import added is counted once:

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
    """Message counts of one destination folder. `added`: copies that the import stored in it."""

    folder: str
    added: int = 0
    removed: int = 0  # by this undo or an earlier one
    touched: int = 0  # kept: its flags were changed since
    altered: int = 0  # kept: its bytes differ from those that were stored, or cannot be read
    gone: int = 0  # its owner deleted or moved it before
    unidentified: int = 0  # kept, if it still exists: it can no longer be identified

    @property
    def adds_up(self) -> bool:
        return self.added == self.removed + self.stays + self.gone

    @property
    def stays(self) -> int:
        return self.touched + self.altered + self.unidentified

    def __add__(self, other: FolderUndo) -> FolderUndo:
        """The sums of both, with the folder name of the first."""
        counts = (field.name for field in fields(self) if field.name != "folder")
        return FolderUndo(self.folder, *(getattr(self, name) + getattr(other, name) for name in counts))

    def as_json(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class UndoReport:
    """The result of one undo.

    `folders_removed` were created by the import and are empty now; `folders_kept` were created by it too, as
    (name, reason for keeping it). `doubtful` counts the messages of unsettled appends; they are kept.
    """

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
        """The result in plain English sentences."""
        totals = self.totals
        if not totals.added and not self.doubtful:
            return "The import had added nothing: there was nothing to remove."
        added = counted(totals.added, "message")
        parts = (
            (totals.touched, "left in place: read, answered or marked since."),
            (totals.altered, "left in place: the content differs from what was stored."),
            (totals.unidentified, "left in place: can no longer be identified."),
            (totals.gone, "had been deleted or moved before."),
            (self.doubtful, "may or may not have been stored: run the import again, then undo that import."),
        )
        sentences = [f"{totals.removed:,} of the {added} that the import had added were removed."]
        sentences += [f"{counted(number, 'message')} {result}" for number, result in parts if number]
        if self.folders_removed:
            empty = counted(len(self.folders_removed), "empty folder")
            sentences.append(f"Also removed: {empty} created by the import.")
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
    """The sums over all folders."""
    return sum(folders, FolderUndo(""))
