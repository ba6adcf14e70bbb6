"""Folders and mailboxes that cannot be read or written to in full."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

_DESTINATION_FULL: Final = 4  # the exit code

ROWS: Final = (
    TextRow(
        "folder_unusable",
        sentence="A folder cannot be opened or created on %(host)s.",
        cause="A folder cannot be opened or created. Usually it is a line in the report and stops nothing.",
        operator_advice="If it stops an import, the server refuses something basic. See `server_text`.",
        as_refusal="Its folder cannot be opened, created or written to, on one of the sides.",
    ),
    TextRow(
        "folder_unusable.opened",
        sentence="The folder “%(folder)s” cannot be opened on %(host)s.",
    ),
    TextRow(
        "folder_unusable.read",
        sentence="The folder “%(folder)s” cannot be read on %(host)s.",
    ),
    TextRow(
        "folder_unusable.created",
        sentence="The folder “%(folder)s” cannot be created on %(host)s.",
    ),
    TextRow(
        "folder_unusable.written",
        sentence="The folder “%(folder)s” cannot be written to on %(host)s.",
    ),
    TextRow(
        "folder_unusable.named",
        sentence="The folder name “%(folder)s” cannot be sent to %(host)s.",
    ),
    TextRow(
        "folder_unusable.cleared",
        sentence="Messages cannot be removed from the folder “%(folder)s” on %(host)s.",
    ),
    TextRow(
        "folder_unusable.subscribed",
        sentence="The folder “%(folder)s” cannot be subscribed to on %(host)s.",
    ),
    TextRow(
        "folder_unusable.removed",
        sentence="The folder “%(folder)s” cannot be removed on %(host)s.",
    ),
    TextRow(
        "folder_unusable.list_refused",
        sentence="%(host)s does not list its folders.",
    ),
    TextRow(
        "folder_unusable.list_unreadable",
        sentence="%(host)s lists a folder in a way that cannot be read.",
    ),
    TextRow(
        "folder_unusable.not_created",
        sentence="The folder “%(folder)s” could not be created in the new mailbox.",
    ),
    TextRow(
        "folder_unusable.read_only",
        sentence="The folder “%(folder)s” in the new mailbox is read-only.",
    ),
    TextRow(
        "folder_unusable.unlisted",
        sentence="The new mailbox does not list %(number)s of the messages that it counts in “%(folder)s”: they may be the ones to copy.",
    ),
    TextRow(
        "folder_unusable.unreadable_mail",
        sentence="%(number)s messages in “%(folder)s” of the new mailbox cannot be read: they may be the ones to copy.",
    ),
    TextRow(
        "folder_unusable.too_many_messages",
        sentence="The folder “%(folder)s” on %(host)s has more messages than %(product)s accepts (the limit is %(limit)s).",
    ),
    TextRow("folder_unusable.beyond_limit", sentence="%(reason)s"),
    TextRow(
        "folder_left_out",
        sentence="A folder holds no mail.",
        cause="A folder holds no mail, such as a calendar at Exchange. A line in the report; it stops nothing.",
        operator_advice="Nothing.",
    ),
    TextRow(
        "folder_left_out.no_mail",
        sentence="calendars, contacts, notes and similar items are not mail",
    ),
    TextRow("folder_left_out.not_chosen", sentence="in a folder that was not chosen"),
    TextRow(
        "folder_left_out.spam_or_trash",
        sentence="in the spam or trash folder, which was left out by choice",
    ),
    TextRow(
        "folder_left_out.shared",
        sentence="shared and public folders do not belong to this mailbox",
    ),
    TextRow(
        "folder_changed",
        sentence="A folder was changed while it was being copied.",
        cause="A folder was created again during the copy. The next leg plans again.",
        operator_advice="Nothing. If it recurs, the server renumbers its folders: report it to its operator.",
    ),
    TextRow("folder_changed.recreated", sentence="The folder “%(folder)s” on %(host)s was recreated."),
    TextRow(
        "mail_hidden",
        sentence="%(host)s shows only part of the mail to other programs. The owner of the mailbox can change this in its settings.",
        cause="Gmail shows programs only a part of the mail: “All Mail” is hidden, or folders are limited to a number of messages.",
        operator_advice="The owner changes the setting that the message names; submit again.",
    ),
    TextRow(
        "mail_hidden.all_mail",
        sentence="%(host)s does not show the folder “All Mail”: archived mail would be left behind.",
        advice="In Gmail, under Settings, “Labels”, tick “Show in IMAP” beside “All Mail”, and start the import again.",
    ),
    TextRow(
        "mail_hidden.folder_limit",
        sentence="%(host)s shows only %(number)s messages of a folder over IMAP, so that older mail would be left behind.",
        advice="In Gmail, under Settings, “Forwarding and POP/IMAP”, “Folder size limits”, choose “Do not limit the number of messages in an IMAP folder”, and start the import again.",
    ),
    TextRow(
        "destination_full",
        sentence="The new mailbox is full.",
        advice="Free up space or get more, then start the import again: it resumes where it stopped.",
        counts_as_failure=False,
        exit_code=_DESTINATION_FULL,
        cause="The new mailbox is full. The import waits for room, looks after 5 minutes and at most each hour, and stops after `MAILHAUL_FULL_MAILBOX_DAYS`. Its owner gets one mail.",
        operator_advice="Nothing, or raise its quota: the import goes on by itself, with `retry` at once. After a stop, `retry` it.",
    ),
    TextRow(
        "destination_full.waits",
        advice="Free up space or get more by %(until)s: it then resumes where it stopped.",
    ),
    TextRow(
        "destination_full.folder",
        sentence=(
            "In the new mailbox the folder “%(folder)s” is full: %(num)s message is left. All other folders are copied.",
            "In the new mailbox the folder “%(folder)s” is full: %(num)s messages are left. All other folders are copied.",
        ),
    ),
    TextRow(
        "destination_full.folder.waits",
        advice="Free up space or get more by %(until)s: it then resumes where it stopped.",
    ),
)
