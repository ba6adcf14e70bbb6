"""Which folders of the old mailbox an import leaves out by choice."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from importer.domain.folder_mapping.folder_map import shown_name, special_roles
from importer.domain.import_options import ImportOptions, SpamAndTrash
from importer.domain.mailbox_content import Folder, Hierarchy
from importer.domain.messages.skip_reason import NOT_CHOSEN, SPAM_OR_TRASH, SkipReason
from providers.endpoint import FolderRole

_SPAM_OR_TRASH_ROLES: Final = frozenset({FolderRole.JUNK, FolderRole.TRASH})


def left_out_folders(
    folders: Collection[Folder], hierarchy: Hierarchy, options: ImportOptions
) -> dict[str, SkipReason]:
    """The names of the folders that are left out -> the reason for the report. Folders in the spam or trash
    folder are left out with it."""
    not_chosen = {
        folder.name: NOT_CHOSEN
        for folder in folders
        if not options.folders.select(names_of(folder, hierarchy))
    }
    if options.spam_and_trash is not SpamAndTrash.SKIP:
        return not_chosen
    roles = special_roles(folders, hierarchy)
    return {name: SPAM_OR_TRASH for name in roles if roles[name] & _SPAM_OR_TRASH_ROLES} | not_chosen


def names_of(folder: Folder, hierarchy: Hierarchy) -> tuple[str, str]:
    """The names by which patterns match a folder: the displayed one, and the one that the server lists."""
    return shown_name(folder, hierarchy), folder.name


def unmatched_patterns(
    folders: Iterable[Folder], hierarchy: Hierarchy, options: ImportOptions
) -> tuple[str, ...]:
    """The folder patterns that match no folder."""
    return options.folders.unmatched([names_of(folder, hierarchy) for folder in folders])
