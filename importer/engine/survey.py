"""Lists the folders of a mailbox with their status."""

from __future__ import annotations

from collections.abc import Mapping

from importer.domain.mailbox_content import Folder, FolderStatus, Hierarchy
from importer.ports.mailbox import FolderCount, MailboxReader, uncounted
from importer.ports.mailbox_errors import FolderUnusable
from providers.frozen import frozen
from providers.text import Text


@frozen
class Survey:
    """The folders in the server's order. `statuses` has the selectable folders that can be opened, `unusable`
    the error of each other selectable folder, `partial` a sentence about each folder of which the server is
    known to list only a part, for the report; all by folder name."""

    hierarchy: Hierarchy
    folders: tuple[Folder, ...]
    statuses: Mapping[str, FolderStatus]
    unusable: Mapping[str, FolderUnusable]
    partial: Mapping[str, Text]

    @property
    def messages(self) -> int:
        """The number of messages in all folders that can be opened."""
        return sum(status.messages for status in self.statuses.values())


def survey(session: MailboxReader, *, modseqs: bool = False, count: FolderCount = uncounted) -> Survey:
    """List the mailbox and read the status of each folder. With `modseqs` the statuses have modification
    sequences, which reveal changed flags. `count` hears how many folders were read. Raises what the session
    raises."""
    listing = session.listing(modseqs=modseqs, count=count)
    results = listing.statuses
    return Survey(
        listing.hierarchy,
        tuple(listing.folders),
        {name: result for name, result in results.items() if isinstance(result, FolderStatus)},
        {name: result for name, result in results.items() if isinstance(result, FolderUnusable)},
        listing.partial,
    )
