"""Errors that ended the passes over one pair of folders in this leg, and when the folder is given up.

A folder that cannot be used is given up when a second pass ends in the same way, one that was recreated after
`MAX_CHANGES`, and one that ends connections after `PATIENCE_WITH_FOLDER` legs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from importer.domain.planning.retry_limits import PATIENCE_WITH_FOLDER
from importer.ports.mailbox_errors import FolderChanged, FolderUnusable, QuotaExceeded
from providers.errors import MailError, Side
from providers.text import Text

MAX_CHANGES: Final = 3
"""Changes of UIDVALIDITY in a leg after which a folder is given up. Some servers assign another one each time
the folder is opened."""


def folder_reason(error: MailError, folder: str) -> Text:
    """Why nothing (more) of `folder` could be copied, with the server's own words."""
    there = "_there" if error.side is Side.DESTINATION else ""
    match error:
        case FolderUnusable():
            text = error.text
        case FolderChanged():
            text = Text(f"folder_unusable.numbered_anew{there}", folder=folder)
        case _:
            text = Text(f"folder_unusable.ends_connection{there}", folder=folder)
    return text.quoting(error.server_text)


class FolderTrouble:
    """The trouble with one pair. Callers hold the lock of its `FolderState`."""

    def __init__(self, folder: str) -> None:
        """`folder` is the name of the source folder."""
        self._folder = folder
        self._ended = 0  # passes, for another reason than a change
        self._changes = 0  # passes that ended because a UIDVALIDITY changed
        self.pass_over = False
        self.unusable: Text | None = None  # why the folder was given up
        self.full: QuotaExceeded | None = None  # the destination has no room for messages in this folder
        self.changed: Side | None = None  # of which folder the next pass has to read the status again
        self.renew: Side | None = None  # which connection the next pass has to replace

    def note(self, error: MailError, attempts: int, may_renew: Callable[[], bool]) -> None:
        """End the pass because of `error`; raises it if the leg has to end. A full folder waits for room.
        `attempts`: legs without progress before this one. `may_renew`: whether a connection may be opened to
        rule out that the old one is the reason."""
        if self.pass_over:
            return  # another lane has reported the same
        self.pass_over = True
        if isinstance(error, QuotaExceeded):
            self.full = error
            return
        if isinstance(error, FolderChanged):
            self._changes += 1
            self.changed = error.side
            given_up = self._changes >= MAX_CHANGES
        else:
            given_up = self._ends_again(error, attempts, may_renew)
        if given_up:
            self.unusable = folder_reason(error, self._folder)

    def _ends_again(self, error: MailError, attempts: int, may_renew: Callable[[], bool]) -> bool:
        unusable = isinstance(error, FolderUnusable)
        self._ended += 1
        if self._ended == 1:
            if unusable and may_renew():
                self.renew = error.side
                return False
            return unusable
        if not unusable and attempts < PATIENCE_WITH_FOLDER:
            raise error
        return True
