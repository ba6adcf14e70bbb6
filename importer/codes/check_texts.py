"""Findings of a check: the reason for a folder's name, the basis of an estimate, and warnings."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

_GET_SPACE: Final = "Get more space there first, otherwise only what fits is copied."

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
    TextRow("check_warning", "Something about these mailboxes needs your attention."),
    TextRow("check_warning.at_least", "at least %(number)s"),
    TextRow(
        "check_warning.space",
        (
            "It does not fit: up to %(num)s message (about %(size)s) is to be copied, but the new mailbox has"
            " %(free)s free.",
            "It does not fit: up to %(num)s messages (about %(size)s) are to be copied, but the new mailbox"
            " has %(free)s free.",
        ),
        _GET_SPACE,
    ),
    TextRow(
        "check_warning.room",
        (
            "It does not fit: up to %(messages)s messages (about %(size)s) are to be copied, but the new mailbox"
            " has room for %(num)s more message.",
            "It does not fit: up to %(messages)s messages (about %(size)s) are to be copied, but the new mailbox"
            " has room for %(num)s more messages.",
        ),
        _GET_SPACE,
    ),
    TextRow(
        "check_warning.too_large",
        (
            "Will be left out: %(amount)s message that is larger than the new mailbox accepts (%(limit)s).",
            "Will be left out: %(amount)s messages that are larger than the new mailbox accepts (%(limit)s).",
        ),
    ),
    TextRow(
        "check_warning.beyond_limit",
        (
            "Will be left out: %(amount)s message that is larger than %(product)s copies; the limit of %(limit)s is"
            " its own.",
            "Will be left out: %(amount)s messages that are larger than %(product)s copies; the limit of %(limit)s"
            " is its own.",
        ),
    ),
    TextRow(
        "check_warning.older",
        (
            "%(num)s message is older than the chosen date and will be left out.",
            "%(num)s messages are older than the chosen date and will be left out.",
        ),
    ),
    TextRow("check_warning.unmatched", "No folder matches “%(pattern)s”.", "Check how it is spelled."),
    TextRow(
        "check_warning.closed",
        "The folder “%(folder)s” cannot be opened, and nothing in it would be copied: %(reason)s",
    ),
    TextRow("check_warning.left_out", "Left out: %(folders)s (%(reason)s)."),
    TextRow(
        "check_warning.left_out_counted",
        (
            "Left out: %(folders)s (%(num)s message; %(reason)s).",
            "Left out: %(folders)s (%(num)s messages; %(reason)s).",
        ),
    ),
    TextRow(
        "check_warning.renamed",
        "Some servers refuse dots in folder names and names that differ only in case. If the new one does,"
        " similar names replace these: %(folders)s",
    ),
    TextRow("server_alert", "%(host)s has a message for its users: “%(words)s”"),
    TextRow(
        "check_warning.daily_limit",
        "One of the hosts limits the amount of data per day; the copy will take until about %(instant)s.",
    ),
)
