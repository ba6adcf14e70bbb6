"""The sentences that version 0.1.0 stored, as codes with parameters.

This module and `former_details.py` alone recognise stored sentences. It reads rows without a code; no row is
written without one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from importer.domain.messages.skip_reason import SkipReason
from importer.domain.receipts.receipt import ReceiptReason, read_reason
from providers.text import Text

_SKIPPED: Final = {
    "removed from the old mailbox while it was being copied": "vanished",
    "completion mail of an earlier import": "own_notice",
    "calendars, contacts, notes and the like are no mail": "folder_left_out.no_mail",
    "calendars, contacts, notes and similar items are not mail": "folder_left_out.no_mail",
    "shared and public folders do not belong to this mailbox": "folder_left_out.shared",
}

_SENTENCES: Final = (
    ("the old server lists it but does not hand it out", "not_handed_out"),
    ("the old server lists it but does not deliver it", "not_handed_out"),
    ("The source server {host} does not hand out this message: {words}", "not_handed_out"),
    ("{host} delivered no content for it, although it states a size of {size}", "not_handed_out.empty"),
    ("{host} delivered no content for it", "not_handed_out.no_content"),
    ("{host} delivered only {part} of it, although it states {size}", "not_handed_out.part"),
    ("larger than the new mailbox takes ({size})", "too_large"),
    ("larger than the new mailbox accepts ({size})", "too_large"),
    ("larger than Mailhaul copies ({size}; the limit is {limit})", "beyond_limit.message"),
    (
        "it may be in the new mailbox already: the new server lists such a message but does not deliver it",
        "not_compared",
    ),
    (
        "it may be in the new mailbox already: it was copied before the new server numbered the folder anew,"
        " and cannot be told from a message there",
        "not_compared.numbered_anew",
    ),
    ("The destination server {host} refused the message: {words}", "not_taken"),
    ("the new mailbox ended the connection each time it was to be stored", "breaks_connection"),
    ("messages that the old server counts and does not list, however it is asked: {number}", "unlisted"),
    ("more copies in the new mailbox than were made: {number}", "surplus"),
    (
        "copied by an earlier import, but the new mailbox has not shown it since: look for it there, or undo"
        " that import and start again",
        "never_seen",
    ),
    (
        "{host} shows at most {number} messages of a folder, and just as many of this one: older ones may be"
        " missing.",
        "partly_shown",
    ),
    (
        "{host} shows at most {number} messages per folder, and exactly that many of this one: older messages"
        " may be missing.",
        "partly_shown",
    ),
    ("The folder “{folder}” could not be created at the new mailbox.", "folder_unusable.not_created"),
    ("The folder “{folder}” could not be created in the new mailbox.", "folder_unusable.not_created"),
    ("The folder “{folder}” at the new mailbox can only be read.", "folder_unusable.read_only"),
    ("The folder “{folder}” in the new mailbox is read-only.", "folder_unusable.read_only"),
    (
        "The new mailbox does not list {number} of the messages that it counts in “{folder}”: they may be the"
        " ones to copy.",
        "folder_unusable.unlisted",
    ),
    (
        "{number} messages in “{folder}” of the new mailbox cannot be read: they may be the ones to copy.",
        "folder_unusable.unreadable_mail",
    ),
    (
        "The connection to the old mailbox ended each time the folder “{folder}” was opened.",
        "folder_unusable.ends_connection",
    ),
    (
        "The connection to the new mailbox ended each time the folder for “{folder}” was opened.",
        "folder_unusable.ends_connection_there",
    ),
    (
        "The old server numbered the messages of the folder “{folder}” anew each time it was opened.",
        "folder_unusable.numbered_anew",
    ),
    (
        "The new server numbered the messages of the folder for “{folder}” anew each time it was opened.",
        "folder_unusable.numbered_anew_there",
    ),
    (
        "The folder “{folder}” on {host} has more messages than Mailhaul accepts (the limit is {limit}).",
        "folder_unusable.too_many_messages",
    ),
    ("The folder “{folder}” cannot be opened on {host}: {words}", "folder_unusable.opened"),
    ("The folder “{folder}” cannot be opened on {host}.", "folder_unusable.opened"),
    ("The folder “{folder}” cannot be created on {host}: {words}", "folder_unusable.created"),
    ("The folder “{folder}” cannot be created on {host}.", "folder_unusable.created"),
    ("{host} does not list its folders: {words}", "folder_unusable.list_refused"),
    ("{host} lists a folder in a way that cannot be read: {words}", "folder_unusable.list_unreadable"),
    ("{host} sends more in one answer than Mailhaul accepts (the limit is {limit}).", "beyond_limit.answer"),
    (
        "{host} sends more lines in one answer than Mailhaul accepts (the limit is {limit}).",
        "beyond_limit.answer_lines",
    ),
    (
        "{host} sends more lines before a login than Mailhaul accepts (the limit is {limit}).",
        "beyond_limit.login_lines",
    ),
    ("{host} sends a longer name than Mailhaul accepts (the limit is {limit}).", "beyond_limit.name"),
    ("{host} lists more folders than Mailhaul accepts (the limit is {limit}).", "beyond_limit.folders"),
)
"""Sentence with parameters, code. The first match counts."""


def stored_problem(code: str, sentence: str, host: str) -> Text:
    """The text of a stored problem: of its sentence, if that is known, else of its code with `host`."""
    known = _recognised(sentence)
    return known if known is not None and known.public_code == code else Text(code, host=host)


def stored_reason(code: str, reason: str) -> Text:
    """The text of a stored refusal. Words of others are quoted, also in brackets after a sentence."""
    if (known := _recognised(reason)) is not None:
        return known
    own, bracket, words = reason.partition(" (")
    while bracket:
        if words.endswith(")") and (known := _recognised(own)) is not None:
            return known.quoting(words[:-1])
        more, bracket, words = words.partition(" (")
        own = f"{own} ({more}"
    return Text("other.words", words=reason) if reason else Text(code)


def receipt_reason(stored: str) -> ReceiptReason:
    """The reason of a stored receipt."""
    return read_reason(_SKIPPED.get(stored, stored))


def skip_reasons(skipped: Mapping[str, int]) -> dict[SkipReason, int]:
    """The numbers of skipped messages by reason."""
    numbers: dict[SkipReason, int] = {}
    for stored, number in skipped.items():
        reason = SkipReason.read(_SKIPPED.get(stored, stored))
        numbers[reason] = numbers.get(reason, 0) + number
    return numbers


def _recognised(sentence: str) -> Text | None:
    for pattern, code in _patterns():
        if match := pattern.fullmatch(sentence):
            return Text(code, steps=None, **match.groupdict())
    return None


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [
        (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.{1,1000}?)", re.escape(sentence)), re.DOTALL), code)
        for sentence, code in _SENTENCES
    ]
