"""Effects of requests to pause, resume or cancel an import."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    TextRow("control_pauses", "It pauses within five seconds; copied messages stay."),
    TextRow("control_paused", "Paused. Copied messages stay; copying continues when you resume it."),
    TextRow("control_resumes", "It resumes in a moment."),
    TextRow("control_resumed", "Resumed."),
    TextRow("control_taken_back", "The pause is taken back: it keeps copying."),
    TextRow("control_ends", "It ends within five seconds; copied messages stay."),
    TextRow("control_cancelled", "Cancelled. Copied messages stay; undo removes them."),
    TextRow("control_ended", "The import has already ended."),
    TextRow("control_ended.run_again", advice="Run it again instead."),
    TextRow("control_reopened", "It starts again with the stored passwords."),
    TextRow("control_passwords_erased", "Its passwords are erased."),
    TextRow("control_other_under_way", "Another import of these mailboxes is in progress."),
    TextRow(
        "maintenance",
        "Maintenance since %(since)s: imports are accepted, and go on when it is over.",
    ),
    TextRow(
        "control_held",
        "This import is being processed right now. Try again in a minute.",
    ),
    TextRow("control_cancelling", "It is already being cancelled, which is final."),
    TextRow("control_follows", "It fetches new mail every few hours until its end."),
    TextRow(
        "control_follows_without_end",
        "No end is set for fetching new mail.",
        "Choose the move of its domain, a date, or both.",
    ),
    TextRow(
        "control_mx_unknown",
        "The mail exchangers (MX) of %(host)s are not known.",
        "Name them, or choose a date.",
    ),
    TextRow(
        "control_retry_ends",
        "It only tries failed messages of an earlier import again, and then ends.",
        "Run it again to fetch new mail.",
    ),
    TextRow(
        "retry_under_way",
        "The import has not ended.",
    ),
    TextRow("retry_undone", "The import was undone.", "Run it again to copy everything."),
    TextRow(
        "retry_unfinished",
        "The import ended before it had come to all messages.",
        "Run it again: it continues there, and tries failed messages again.",
    ),
    TextRow(
        "retry_none_failed",
        "No message of the import failed, so there is nothing to try again.",
        "Run it again to fetch new mail.",
    ),
    TextRow("retry_started", "Its failed messages are tried again."),
    TextRow("retry_done_before", "It was run again before, as %(import_id)s."),
    TextRow(
        "retry_needs_passwords",
        "The passwords of both mailboxes are needed: they were erased at its end.",
        "Name it in a retry, with the passwords.",
    ),
    TextRow(
        "retry_needs_passwords.source",
        "The password of the old mailbox is needed: it was erased at its end.",
        "Name it in a retry, with the password.",
    ),
    TextRow(
        "retry_needs_passwords.destination",
        "The password of the new mailbox is needed: it was erased at its end.",
        "Name it in a retry, with the password.",
    ),
    TextRow(
        "control_foreground",
        "It is a `mailhaul copy` in the foreground.",
        "Stop it there with Ctrl-C; running it again resumes it.",
    ),
)
