"""Checks an APPENDUID (RFC 4315 section 3) that contradicts the folder's UIDVALIDITY."""

from __future__ import annotations

from collections.abc import Callable

from importer.adapters.imap.reconnecting import ReconnectingConnection
from importer.domain.mailbox_content import FolderRef, FolderStatus
from importer.ports.mailbox_errors import FolderUnusable


def confirm_uidvalidity(
    link: ReconnectingConnection, folder: FolderRef, status: Callable[[str], FolderStatus]
) -> None:
    """An APPENDUID contradicts the UIDVALIDITY of the folder: ask for it once more, in another way.

    Raises FolderChanged if the messages went into another folder of that name; else the server's
    APPENDUIDs are invalid, and are not trusted any more.
    """
    try:
        answer = status(folder.name)
    except FolderUnusable:
        return  # not known yet
    link.cursor.check_uidvalidity(folder, answer.uidvalidity)
    link.trusts_append_uids = False
