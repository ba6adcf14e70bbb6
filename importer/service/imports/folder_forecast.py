"""Forecasts, for a check, which source folder goes into which destination folder."""

from __future__ import annotations

from collections.abc import Mapping

from importer.domain.folder_mapping.doubtful_names import doubtful_names
from importer.domain.folder_mapping.folder_map import map_folders
from importer.domain.folder_mapping.folder_order import folder_order
from importer.domain.reporting.mailbox_check import FolderCheck
from importer.engine.survey import Survey


def forecast_folders(
    source: Survey, destination: Survey | None, stored_map: Mapping[str, str]
) -> tuple[FolderCheck, ...]:
    """Map the folders as an import would, in the order in which they are shown. `stored_map` maps the folders
    of earlier imports. Without a destination, the source folders have no destination folder."""
    if destination is None:
        folders = [FolderCheck(name, "", (), status.messages) for name, status in source.statuses.items()]
    else:
        pairs = map_folders(
            source.folders, source.hierarchy, destination.folders, destination.hierarchy, stored_map
        )
        existing = destination.statuses
        folders = [
            FolderCheck(
                pair.source.name,
                pair.destination,
                pair.reasons,
                source.statuses[pair.source.name].messages,
                existing[pair.destination].messages if pair.destination in existing else None,
                elsewhere=source.statuses[pair.source.name].elsewhere,
            )
            for pair in pairs
            if pair.source.name in source.statuses
        ]
    return tuple(sorted(folders, key=lambda folder: folder_order(folder.source_folder)))


def folders_that_may_be_renamed(
    folders: tuple[FolderCheck, ...], destination: Survey, stored_map: Mapping[str, str]
) -> tuple[str, ...]:
    """The source folders for which the destination may refuse the name that was chosen (`doubtful_names`)."""
    doubtful = doubtful_names(
        [folder.destination_folder for folder in folders],
        {*(folder.name for folder in destination.folders), *stored_map.values()},
        destination.hierarchy.delimiter,
    )
    return tuple(folder.source_folder for folder in folders if folder.destination_folder in doubtful)
