"""Why messages and folders were left out or refused, in the reader's language.

The ledger stores reasons as English sentences, Mailhaul's own next to those of servers. Mailhaul's own are
recognised by their wording. If one of them changes, its former wording goes into `_FORMER`, so that reports
from earlier versions remain translated.
"""

from __future__ import annotations

import re
from typing import Final

from importer.domain.reporting.formatting import printable
from importer.i18n.translations import N_, CatalogTranslator

_OWN_REASONS: Final = (
    N_("removed from the old mailbox while it was being copied"),
    N_("the old server lists it but does not deliver it"),
    N_("it may be in the new mailbox already: the new server lists such a message but does not deliver it"),
    N_(
        "it may be in the new mailbox already: it was copied before the new server numbered the folder anew,"
        " and cannot be told from a message there"
    ),
    N_("completion mail of an earlier import"),
    N_("in a folder that was not chosen"),
    N_("dated before %(date)s (UTC)"),
    N_("in the spam or trash folder, which was left out by choice"),
    N_("%(host)s delivered no content for it"),
    N_("%(host)s delivered no content for it, although it states a size of %(size)s"),
    N_("%(host)s delivered only %(part)s of it, although it states %(size)s"),
    N_("larger than Mailhaul copies (%(size)s; the limit is %(limit)s)"),
    N_("messages that the old server counts and does not list, however it is asked: %(number)s"),
    N_(
        "The new mailbox does not list %(number)s of the messages that it counts in “%(folder)s”: they may be"
        " the ones to copy."
    ),
    N_(
        "%(number)s messages in “%(folder)s” of the new mailbox cannot be read: they may be the ones to copy."
    ),
    N_("calendars, contacts, notes and similar items are not mail"),
    N_("larger than the new mailbox accepts (%(size)s)"),
    N_("more copies in the new mailbox than were made: %(number)s"),
    N_(
        "copied by an earlier import, but the new mailbox has not shown it since: look for it there, or undo"
        " that import and start again"
    ),
    N_("The folder “%(folder)s” could not be created in the new mailbox."),
    N_("The folder “%(folder)s” in the new mailbox is read-only."),
    N_("the new mailbox ended the connection each time it was to be stored"),
    N_("The connection to the old mailbox ended each time the folder “%(folder)s” was opened."),
    N_("The connection to the new mailbox ended each time the folder for “%(folder)s” was opened."),
    N_("%(host)s sends more in one answer than Mailhaul accepts (the limit is %(limit)s)."),
    N_("%(host)s sends more lines in one answer than Mailhaul accepts (the limit is %(limit)s)."),
    N_("%(host)s sends more lines before a login than Mailhaul accepts (the limit is %(limit)s)."),
    N_("%(host)s sends a longer name than Mailhaul accepts (the limit is %(limit)s)."),
    N_("%(host)s lists more folders than Mailhaul accepts (the limit is %(limit)s)."),
    N_(
        "The folder “%(folder)s” on %(host)s has more messages than Mailhaul accepts (the limit is"
        " %(limit)s)."
    ),
    N_("The old server numbered the messages of the folder “%(folder)s” anew each time it was opened."),
    N_("The new server numbered the messages of the folder for “%(folder)s” anew each time it was opened."),
    N_("shared and public folders do not belong to this mailbox"),
    N_("The folder “%(folder)s” cannot be opened on %(host)s: %(words)s"),
    N_("The folder “%(folder)s” cannot be created on %(host)s: %(words)s"),
    N_("The folder “%(folder)s” cannot be opened on %(host)s."),
    N_("The folder “%(folder)s” cannot be created on %(host)s."),
    N_("%(host)s lists a folder in a way that cannot be read: %(words)s"),
    N_("%(host)s does not list its folders: %(words)s"),
    N_(
        "%(host)s shows at most %(number)s messages per folder, and exactly that many of this one:"
        " older messages may be missing."
    ),
)

_FORMER: Final = {
    "the old server lists it but does not hand it out": "the old server lists it but does not deliver it",
    "calendars, contacts, notes and the like are no mail": (
        "calendars, contacts, notes and similar items are not mail"
    ),
    "larger than the new mailbox takes (%(size)s)": "larger than the new mailbox accepts (%(size)s)",
    "The folder “%(folder)s” could not be created at the new mailbox.": (
        "The folder “%(folder)s” could not be created in the new mailbox."
    ),
    "The folder “%(folder)s” at the new mailbox can only be read.": (
        "The folder “%(folder)s” in the new mailbox is read-only."
    ),
    "%(host)s shows at most %(number)s messages of a folder, and just as many of this one: older ones may be"
    " missing.": (
        "%(host)s shows at most %(number)s messages per folder, and exactly that many of this one: older"
        " messages may be missing."
    ),
}
"""Wordings of version 0.1.0, with the current ones."""


def reason(texts: CatalogTranslator, stored: str) -> str:
    """A stored reason, translated if it is one of Mailhaul's own; a server's text stays as it is, also in
    brackets after one of our own.

    The result may contain foreign text.
    """
    if (translated := _translated(texts, stored)) is not None:
        return translated
    own, bracket, words = stored.partition(" (")
    while bracket:
        if words.endswith(")") and (translated := _translated(texts, own)) is not None:
            return f"{translated} ({printable(words[:-1], 400)})"
        more, bracket, words = words.partition(" (")
        own = f"{own} ({more}"
    return printable(stored, 400)


def _translated(texts: CatalogTranslator, stored: str) -> str | None:
    for message, pattern in _PATTERNS:
        if match := pattern.fullmatch(stored):
            values = match.groupdict()
            return texts.gettext(message, **values) if values else texts.gettext(message)
    return None


def _pattern(message: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"%\\\((\w+)\\\)s|%\((\w+)\)s", _group, re.escape(message)), re.DOTALL)


def _group(placeholder: re.Match[str]) -> str:
    return f"(?P<{placeholder[1] or placeholder[2]}>.{{1,1000}}?)"


_PATTERNS: Final = (
    *((message, _pattern(message)) for message in _OWN_REASONS),
    *((current, _pattern(former)) for former, current in _FORMER.items()),
)
