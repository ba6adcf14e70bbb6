"""What a check finds out about names and time: why a folder gets its name, what an estimate is based on."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    TextRow("folder_name", "same name"),
    TextRow("folder_name.taken", "another folder already has that name"),
    TextRow("folder_name.follows", "follows its parent folder"),
    TextRow("folder_name.earlier", "as in the earlier import"),
    TextRow("folder_name.others_refused", "the new server refuses every other name"),
    TextRow("folder_name.place_refused", "the new server refuses a folder in that place"),
    TextRow("folder_name.not_nested", "the new server has no nested folders"),
    TextRow(
        "folder_name.inbox_level",
        "on the new server, folders inside INBOX are on the same level as all others",
    ),
    TextRow(
        "folder_name.prefix", "the new server requires all folders except INBOX to be below “%(prefix)s”"
    ),
    TextRow("folder_name.path_too_long", "the path is too long for the new server"),
    TextRow("folder_name.too_long", "the name is too long for the new server"),
    TextRow("folder_name.character", "“%(character)s” is not allowed in names on the new server"),
    TextRow("folder_name.control", "control characters are not allowed in a name"),
    TextRow("folder_name.empty", "a name cannot be empty"),
    TextRow("folder_name.dots", "“%(name)s” is not allowed as a name"),
    TextRow("folder_name.tilde", "“~” is not allowed at the start of names on the new server"),
    TextRow("folder_name.plain", "the new server accepts only a plain name"),
    TextRow("folder_name.sent", "the folder for sent mail"),
    TextRow("folder_name.drafts", "the folder for drafts"),
    TextRow("folder_name.trash", "the trash"),
    TextRow("folder_name.junk", "the folder for spam"),
    TextRow("folder_name.archive", "the archive"),
    TextRow("estimate", "This is an estimate."),
    TextRow("estimate.daily_limits", "It follows from the daily limits of the hosts."),
    TextRow("estimate.nothing_new", "There is nothing new."),
    TextRow("estimate.earlier_imports", "It is based on earlier imports into that host."),
    TextRow("estimate.read_now", "It is based on reading a few messages just now."),
)
