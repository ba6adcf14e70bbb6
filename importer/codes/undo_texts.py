"""Reasons why an undo is impossible, permanently or at present."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    TextRow(
        "undo_too_early",
        sentence="The import is still in progress. Cancel it first, then undo it.",
    ),
    TextRow(
        "undo_busy",
        sentence="This import is being processed right now. Try again in a minute.",
    ),
    TextRow(
        "undo_mailbox_busy",
        sentence="Another import is writing to this mailbox. Pause it, or wait until it is done.",
    ),
    TextRow(
        "undo_held_back",
        sentence="%(host)s cannot be contacted right now. %(reason)s",
        advice="Try again later.",
    ),
    TextRow(
        "undo_inexact",
        sentence="%(host)s cannot remove individual messages. Remove them with a mail program; the report shows what was copied.",
    ),
    TextRow(
        "undo_closed",
        sentence="%(host)s does not accept passwords, and the permission given by the owner ended with the import. Remove the messages with a mail program; the report shows what was copied.",
    ),
    TextRow(
        "undo_interrupted",
        sentence="The undo was interrupted. Start it again: it continues from there.",
    ),
    TextRow(
        "undo_failed",
        sentence="Something went wrong on our side. Start the undo again: it continues from there.",
    ),
    TextRow(
        "verify_busy",
        sentence="This import is being verified already. Wait until that is done.",
    ),
    TextRow(
        "verify_not_begun",
        sentence="No folder of this import has been copied yet, so there is nothing to compare.",
    ),
    TextRow(
        "verify_interrupted",
        sentence="The verification was interrupted. Start it again.",
    ),
    TextRow(
        "trace_busy",
        sentence="A message of this import is being searched for already. Wait until that is done.",
    ),
    TextRow(
        "trace_interrupted",
        sentence="The search was interrupted. Start it again.",
    ),
    TextRow(
        "verify_failed",
        sentence="Something went wrong on our side. Nothing was changed. Start it again.",
    ),
)
