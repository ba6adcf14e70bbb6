"""The forms in which one message is appended: unchanged, without the parts that the server refuses, or with
an empty list of flags.

Refusals of a keyword, a flag or a date cannot be recognised by their text: Exchange replies "BAD Command
Argument Error. 11" to a keyword that it rejects, other servers that there are too many keywords, and some
take no date, or no flag, at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from importer.adapters.imap.connection import Connection
from importer.adapters.imap.fallbacks import Fallbacks
from importer.domain.mailbox_content import Outgoing

_MAX_REFUSALS: Final = 5
"""Refusals of a connection after which no plainer form is tried: some servers close it after ten."""

_EMPTY_LIST: Final = ("",)
"""Flags of a message that has none, for a server that takes no APPEND without a list of flags: gromox does
not (github.com/grommunio/gromox/issues/60, read 2026-11-30)."""

NOTHING: Final = (0, False)
"""The answer of `dropped` for a message that lacks nothing."""


def plainer_forms(message: Outgoing, connection: Connection) -> Iterator[tuple[Outgoing, bool]]:
    """The forms in which to send a refused message, and whether only after BAD: without keywords; with an
    empty list of flags, as long as the server has stored no message without a list; and without date or
    flags, as long as it has stored none that had any."""
    fallbacks, system, date = connection.fallbacks, _system_flags(message), message.internaldate
    if system != message.flags:
        yield message._replace(flags=system), False
    without_date = bool(date) and not fallbacks.dates_work
    without_flags = any(system) and not fallbacks.flags_work
    if connection.refusals > _MAX_REFUSALS:
        return
    if not message.flags and not fallbacks.listless_work:
        yield message._replace(flags=_EMPTY_LIST), True
    if without_date:
        yield message._replace(flags=system, internaldate=""), True
    if without_flags:
        yield message._replace(flags=()), True
    if without_date and without_flags:
        yield message._replace(flags=(), internaldate=""), True


def without_what_is_refused(message: Outgoing, fallbacks: Fallbacks) -> Outgoing:
    """The message without its keywords if the server refused others that had the same ones, and without flags
    or date if it stored none that had any."""
    flags = message.flags or (_EMPTY_LIST if fallbacks.needs_list else ())
    if fallbacks.no_flags:
        flags = ()
    elif len(system := _system_flags(message)) < len(flags) and fallbacks.refuses_keywords(flags):
        flags = system
    return message._replace(flags=flags, internaldate="" if fallbacks.no_dates else message.internaldate)


def note_stored(message: Outgoing, sent: Outgoing, fallbacks: Fallbacks) -> None:
    """Note that the server stored `message` in the form `sent`."""
    system = _system_flags(message)
    fallbacks.dates_work |= bool(sent.internaldate)
    fallbacks.flags_work |= any(_system_flags(sent))
    fallbacks.listless_work |= not sent.flags
    fallbacks.needs_list |= sent.flags == _EMPTY_LIST
    fallbacks.no_dates |= bool(message.internaldate) and not sent.internaldate
    fallbacks.no_flags |= any(system) and not sent.flags
    if sent.flags == system != message.flags:
        fallbacks.note_refused_keywords(message.flags)


def dropped(message: Outgoing, sent: Outgoing) -> tuple[int, bool]:
    """How many flags `sent` lacks, and whether it lacks the date."""
    lacks_date = bool(message.internaldate) and not sent.internaldate
    lacking = len(message.flags) - len(sent.flags) if message.flags else 0
    return (lacking, lacks_date) if lacking or lacks_date else NOTHING


def _system_flags(message: Outgoing) -> tuple[str, ...]:
    return tuple(flag for flag in message.flags if not flag or flag.startswith("\\"))
