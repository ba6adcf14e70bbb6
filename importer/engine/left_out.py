"""Leaves out the folders and messages that the options of the import exclude."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from importer.compact.uid_set import UidSet
from importer.domain.folder_mapping.left_out_folders import left_out_folders
from importer.domain.import_options import ImportOptions
from importer.domain.mailbox_content import FolderRef
from importer.domain.messages.since import Since
from importer.domain.messages.skip_reason import NOT_RETRIED, SkipReason
from importer.engine.survey import Survey
from importer.ports.mailbox import MailboxReader
from importer.ports.mailbox_errors import FolderLeftOut
from providers.errors import Side
from providers.frozen import frozen

if TYPE_CHECKING:
    from importer.domain.planning.retry_scope import RetryScope


@frozen
class LeftOutMessages:
    """Messages of one folder that are left out, all for the same reason."""

    reason: SkipReason | None = None
    uids: UidSet = UidSet()


def older_messages(
    session: MailboxReader, folder: FolderRef, uids: UidSet, since: Since, now: datetime
) -> LeftOutMessages:
    """The messages that are too old. Raises what the session raises."""
    if since.day is None or not uids:
        return LeftOutMessages()
    outlines = session.outlines(folder, uids)
    older = UidSet.of(outline.uid for outline in outlines if since.leaves_out(outline.internaldate, now))
    return LeftOutMessages(since.reason, older)


def leave_out_folders(
    source: Survey,
    options: ImportOptions,
    remembered: Collection[str] = (),
    retries: RetryScope | None = None,
) -> tuple[Survey, dict[str, SkipReason]]:
    """The survey without the folders that are left out, and the reasons of those that stay in it.

    A folder that was `remembered` stays: earlier imports may have copied a part of it, which is still there
    and has to be counted. Nothing more is copied from it. The others are `unusable` as FolderLeftOut. With
    `retries`, folders in which nothing failed are left out, too.
    """
    reasons = dict.fromkeys(_without_failures(source, remembered, retries), NOT_RETRIED)
    reasons |= left_out_folders(source.folders, source.hierarchy, options)
    listed = source.statuses.keys() | source.unusable.keys()
    left_out = {
        name: FolderLeftOut(
            reason.text,
            messages=source.statuses[name].messages if name in source.statuses else 0,
            side=Side.SOURCE,
        )
        for name, reason in reasons.items()
        if name in listed and not (name in remembered and name in source.statuses)
    }
    chosen = replace(
        source,
        statuses={name: status for name, status in source.statuses.items() if name not in left_out},
        partial={name: text for name, text in source.partial.items() if name not in reasons},
        unusable={**left_out, **{n: e for n, e in source.unusable.items() if n not in left_out}},
    )
    return chosen, {name: reason for name, reason in reasons.items() if name in chosen.statuses}


def _without_failures(
    source: Survey, remembered: Collection[str], retries: RetryScope | None
) -> Collection[str]:
    """The folders in which nothing failed. Folders of labels share their messages: one that failed may have
    another label since."""
    if retries is None:
        return ()
    labels = {name for name in remembered if name in source.statuses and source.statuses[name].contents}
    return (source.statuses.keys() | source.unusable.keys()) - retries.folders - labels
