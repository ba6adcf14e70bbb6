"""Reasons why a message, or the rest of a folder, was not copied. Most sentences complete a line of a
report."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    # --- Refused: the import is incomplete ---
    TextRow(
        "not_handed_out",
        sentence="the old server lists it but does not deliver it",
        as_refusal="The old server lists the message and does not deliver it.",
    ),
    TextRow(
        "not_handed_out.ends_connection",
        sentence="the connection to the old server ends each time it is requested",
    ),
    TextRow("not_handed_out.no_content", sentence="%(host)s delivered no content for it"),
    TextRow(
        "not_handed_out.empty",
        sentence="%(host)s delivered no content for it, although it states a size of %(size)s",
    ),
    TextRow(
        "not_handed_out.part",
        sentence="%(host)s delivered only %(part)s of it, although it states %(size)s",
    ),
    TextRow(
        "not_handed_out.notice",
        sentence="%(host)s cannot deliver it, and sends a notice of its own in its place",
    ),
    TextRow(
        "too_large",
        sentence="larger than the new mailbox accepts (%(size)s)",
        as_refusal="It is larger than the new mailbox accepts.",
    ),
    TextRow(
        "beyond_limit.message",
        sentence="larger than %(product)s copies (%(size)s; the limit is %(limit)s)",
    ),
    TextRow(
        "not_compared",
        sentence="it may be in the new mailbox already: the new server lists such a message but does not deliver it",
        as_refusal="It may be in the new mailbox already: the new server lists such a message and does not deliver it, or it was copied before that server numbered the folder anew and cannot be told from a message there.",
    ),
    TextRow(
        "not_compared.numbered_anew",
        sentence="it may be in the new mailbox already: it was copied before the new server numbered the folder anew, and cannot be told from a message there",
    ),
    TextRow(
        "not_taken",
        sentence="the new server refused the message",
        as_refusal="The new server refused the message; `reason` has its words.",
    ),
    TextRow(
        "not_taken.unsendable",
        sentence="its flags or its date contain characters that no IMAP command can carry",
    ),
    TextRow(
        "breaks_connection",
        sentence="the new mailbox ended the connection each time it was to be stored",
        as_refusal="The new server closed the connection each time the message was stored.",
    ),
    TextRow(
        "unlisted",
        sentence="messages that the old server counts and does not list, however it is asked: %(number)s",
        as_refusal="The old server counts messages that it does not list, however it is asked.",
    ),
    TextRow(
        "partly_shown",
        sentence="%(host)s shows at most %(number)s messages per folder, and exactly that many of this one: older messages may be missing.",
        as_refusal="The old server shows only a part of the folder; that part was copied.",
    ),
    TextRow(
        "partly_shown.gmail_limit",
        sentence="Gmail shows exactly %(number)s messages, which may be a limit in its settings: in Gmail, under Settings, “Forwarding and POP/IMAP”, “Folder size limits”, choose “Do not limit the number of messages in an IMAP folder”, and start the import again.",
    ),
    TextRow(
        "partly_shown.gmail_label",
        sentence="“%(folder)s” holds messages that “%(all_mail)s” does not show; they were not copied. Start the import again later; if this warning remains, look for them in Gmail.",
    ),
    TextRow(
        "surplus",
        sentence="more copies in the new mailbox than were made: %(number)s",
        as_refusal="The recount found more copies in the new mailbox than were made: some messages are there twice.",
    ),
    TextRow(
        "never_seen",
        sentence="copied by an earlier import, but the new mailbox has not shown it since: look for it there, or undo that import and start again",
        as_refusal="An earlier import copied it, and the new mailbox has not shown it since.",
    ),
    TextRow(
        "never_seen.lately",
        sentence="copied by an import that ended less than an hour ago, but the new mailbox has not shown it so far: it may still appear, after a virus scan for example; start the import again in an hour",
    ),
    TextRow(
        "never_seen.twice",
        sentence="copied by two imports, but the new mailbox has shown neither copy since: look for it there; it is not copied a third time",
    ),
    TextRow(
        "other",
        sentence="not copied",
        as_refusal="Another reason; `reason` has it.",
    ),
    TextRow("other.words", sentence="%(words)s"),
    TextRow(
        "folder_unusable.ends_connection",
        sentence="The connection to the old mailbox ended each time the folder “%(folder)s” was opened.",
    ),
    TextRow(
        "folder_unusable.ends_connection_there",
        sentence="The connection to the new mailbox ended each time the folder for “%(folder)s” was opened.",
    ),
    TextRow(
        "folder_unusable.numbered_anew",
        sentence="The old server numbered the messages of the folder “%(folder)s” anew each time it was opened.",
    ),
    TextRow(
        "folder_unusable.numbered_anew_there",
        sentence="The new server numbered the messages of the folder for “%(folder)s” anew each time it was opened.",
    ),
    # --- Left out: not mail to copy ---
    TextRow("vanished", sentence="removed from the old mailbox while it was being copied"),
    TextRow("before_date", sentence="dated before %(date)s (UTC)"),
    TextRow("own_notice", sentence="completion mail of an earlier import"),
    TextRow("not_retried", sentence="not among the failed messages, which alone were tried again"),
)
