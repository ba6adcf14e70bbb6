"""Which folders of the old mailbox an import leaves out by choice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from importer.domain.folder_mapping.folder_map import shown_name
from importer.domain.import_options import ImportOptions
from importer.domain.model import Folder, Hierarchy

NOT_CHOSEN: Final = "in a folder that was not chosen"


def left_out_folders(
    folders: Iterable[Folder], hierarchy: Hierarchy, options: ImportOptions
) -> dict[str, str]:
    """The names of the folders that are left out -> the reason for the report."""
    return {
        folder.name: NOT_CHOSEN
        for folder in folders
        if not options.folders.select(names_of(folder, hierarchy))
    }


def names_of(folder: Folder, hierarchy: Hierarchy) -> tuple[str, str]:
    """The names by which patterns find a folder: as people see it, and as the server lists it."""
    return shown_name(folder, hierarchy), folder.name


def unmatched_patterns(
    folders: Iterable[Folder], hierarchy: Hierarchy, options: ImportOptions
) -> tuple[str, ...]:
    """The folder patterns that match no folder."""
    return options.folders.unmatched([names_of(folder, hierarchy) for folder in folders])
