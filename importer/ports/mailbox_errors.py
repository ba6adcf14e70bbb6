"""Errors of a mailbox and its folders, below those of its host (providers/errors.py).

MailError                 scope      remedy
+ QuotaExceeded           account    human        [OVERQUOTA] at the destination
+ FolderUnusable          folder     skip         cannot be opened or created; reported
| + FolderLeftOut                                 contains no mail, or belongs to others
+ FolderChanged           folder     replan       UIDVALIDITY differs
"""

from __future__ import annotations

from providers.errors import ErrorScope, MailError, Remedy, Side
from providers.text import Text


class QuotaExceeded(MailError):
    """The destination is full (RFC 5530: OVERQUOTA)."""

    code = "destination_full"
    scope = ErrorScope.ACCOUNT
    remedy = Remedy.HUMAN


class FolderUnusable(MailError):
    """A folder cannot be opened or created; it is reported and the import continues."""

    code = "folder_unusable"
    scope = ErrorScope.FOLDER
    remedy = Remedy.SKIP


class FolderLeftOut(FolderUnusable):
    """A folder without mail (calendars, contacts): reported, but not a failure.

    `messages` is how many items the server counts in it.
    """

    code = "folder_left_out"

    def __init__(self, text: Text | None = None, *, messages: int, side: Side | None = None) -> None:
        super().__init__(text, side=side)
        self.messages = messages


class FolderChanged(MailError):
    """The folder's UIDVALIDITY differs from the planned one (RFC 9051 section 2.3.1.1)."""

    code = "folder_changed"
    scope = ErrorScope.FOLDER
    remedy = Remedy.REPLAN
