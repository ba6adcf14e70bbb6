"""The report of an undo. Each message that the import added is counted once:

`added = removed + touched + altered + gone + unidentified + refused`, per folder and in total.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from enum import StrEnum

from importer.domain.model import ImportId
from providers.frozen import frozen


@frozen
class FolderUndo:
    """Message counts of one destination folder. `added`: copies that the import stored in it."""

    folder: str
    added: int = 0
    removed: int = 0  # by this undo or an earlier one
    touched: int = 0  # kept: its flags were changed since
    altered: int = 0  # kept: its bytes differ from those that were stored, or cannot be read
    gone: int = 0  # its owner deleted or moved it before
    unidentified: int = 0  # kept, if it still exists: it can no longer be identified
    refused: int = 0  # kept: the server did not remove it

    @property
    def adds_up(self) -> bool:
        return self.added == self.removed + self.stays + self.gone

    @property
    def stays(self) -> int:
        return self.touched + self.altered + self.unidentified + self.refused

    def __add__(self, other: FolderUndo) -> FolderUndo:
        """The sums of both, with the folder name of the first."""
        counts = (field.name for field in fields(self) if field.name != "folder")
        return FolderUndo(self.folder, *(getattr(self, name) + getattr(other, name) for name in counts))

    def as_json(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


class FolderKept(StrEnum):
    """Why a folder that an import created stays."""

    NOT_EMPTY = "not_empty"
    NOT_OURS = "not_ours"  # it may be another folder of that name


@frozen
class UndoReport:
    """The result of one undo.

    `folders_removed` were created by the import and are empty now; `folders_kept` were created by it too, as
    (name, why). `doubtful` counts the messages of unsettled appends; they are kept.
    """

    import_id: ImportId
    at: datetime
    folders: tuple[FolderUndo, ...] = ()
    folders_removed: tuple[str, ...] = ()
    folders_kept: tuple[tuple[str, FolderKept], ...] = ()
    doubtful: int = 0

    @property
    def totals(self) -> FolderUndo:
        return total(self.folders)

    @property
    def adds_up(self) -> bool:
        return all(folder.adds_up for folder in self.folders)


def total(folders: Iterable[FolderUndo]) -> FolderUndo:
    """The sums over all folders."""
    return sum(folders, FolderUndo(""))
