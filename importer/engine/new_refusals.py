"""Builds the refusals of messages and of whole folders for the report."""

from __future__ import annotations

from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.date_and_subject import date_and_subject
from importer.domain.messages.message_decision import Refuse
from importer.domain.messages.message_key import MessageKey
from importer.domain.model import ImportId
from importer.domain.receipts.folder_tally import Refusal, RefusalCode
from providers.text import Text


def message_refusal(import_id: ImportId, folder: FolderRef, key: MessageKey, refuse: Refuse) -> Refusal:
    """The refusal of one message of the source folder, with date and subject from its header."""
    date, subject = date_and_subject(key.header)
    return Refusal(
        import_id,
        folder.name,
        folder.uidvalidity,
        key.uid,
        refuse.reason,
        date,
        subject,
        key.size_bytes,
        code=refuse.code,
    )


def folder_refusal(
    import_id: ImportId, folder: FolderRef, reason: Text, *, count: int, code: RefusalCode = RefusalCode.OTHER
) -> Refusal:
    """The refusal of a source folder, or of `count` messages of it that cannot be named; 0 if unknown."""
    return Refusal(
        import_id, folder.name, folder.uidvalidity, uid=None, reason=reason, count=count, code=code
    )
