"""What a mailbox holds, read from its server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from importer.domain.model import Folder, FolderStatus, Hierarchy
from importer.ports.mailbox import MailboxSession
from providers.errors import FolderUnusable


@dataclass(frozen=True, slots=True)
class Survey:
    """Folders in the server's order; `statuses` for each selectable one that can be opened, `unusable`
    for the others: folder name -> why, for the report."""

    hierarchy: Hierarchy
    folders: tuple[Folder, ...]
    statuses: Mapping[str, FolderStatus]
    unusable: Mapping[str, FolderUnusable]

    @property
    def messages(self) -> int:
        """Over all folders."""
        return sum(status.messages for status in self.statuses.values())


def survey(session: MailboxSession, *, modseqs: bool = False) -> Survey:
    """Lists the mailbox and asks for the status of each folder, with `modseqs` so that changes of flags show
    too. Raises what the session raises."""
    listed, answers = session.folders_and_statuses(modseqs=modseqs)
    folders = tuple(listed)
    return Survey(
        session.hierarchy(),
        folders,
        {name: answer for name, answer in answers.items() if isinstance(answer, FolderStatus)},
        {name: answer for name, answer in answers.items() if isinstance(answer, FolderUnusable)},
    )
