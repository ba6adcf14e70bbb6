"""The passes of an import that follows its mailbox until the domain has moved, or until a date.

A pass copies mail that is new since the one before. Once the mail exchangers (MX, RFC 5321 section 5.1) of
the domain are those of the destination, one last pass follows some hours later: senders may use the old
answer until its time to live is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from importer.domain.import_options import ImportOptions
from importer.domain.planning.cutover_options import under
from providers.frozen import frozen

LONGEST_FOLLOWING: Final = timedelta(days=90)
"""After this time an import without a date makes its last pass, whether or not the domain has moved: its
passwords are stored as long as it follows."""

FILTER_SERVICES: Final = (
    "barracudanetworks.com",
    "hornetsecurity.com",
    "iphmx.com",
    "mailcontrol.com",
    "messagelabs.com",
    "mimecast.com",
    "ppe-hosted.com",
    "pphosted.com",
)
"""Mail exchangers of services that filter mail before they pass it on; behind them an MX does not show where
mail ends. Public mail headers and source code name those of Mimecast and Proofpoint (2026-11-30); the others
are unconfirmed. One that is missing here counts as not moved, and the import's date ends it."""

NULL_MX: Final = "."


class MxSight(StrEnum):
    """The state of a domain by its mail exchangers; the values are ends of codes of `awaiting_cutover`."""

    MOVED = "moved"
    NOT_MOVED = "not_moved"
    PARTLY = "partly"  # some lead to the destination, and some do not
    FILTERED = "filtered"
    NO_MAIL = "no_mail"  # a null MX (RFC 7505)
    NO_RECORDS = "no_records"
    UNKNOWN = "unknown"  # they could not be looked up: neither moved nor not moved
    UNNAMED = "unnamed"  # it is not known which ones are the destination's


def sight_of(exchangers: Sequence[str] | None, expected: Sequence[str]) -> MxSight:  # noqa: PLR0911
    """The state of a domain with these `exchangers`. None: they could not be looked up. `expected` are those
    of the destination, or suffixes of them at label boundaries."""
    if not expected:
        return MxSight.UNNAMED
    if exchangers is None:
        return MxSight.UNKNOWN
    if not exchangers:
        return MxSight.NO_RECORDS
    there = [under(exchanger, expected) for exchanger in exchangers]
    if all(there):
        return MxSight.MOVED
    if any(there):
        return MxSight.PARTLY
    if set(exchangers) == {NULL_MX}:
        return MxSight.NO_MAIL
    filtered = any(under(exchanger, FILTER_SERVICES) for exchanger in exchangers)
    return MxSight.FILTERED if filtered else MxSight.NOT_MOVED


@frozen
class PassTimes:
    """The time between two passes, and from the first sight of a move to the last pass."""

    interval: timedelta = timedelta(hours=6)
    after_move: timedelta = timedelta(hours=6)


@frozen
class NextPass:
    """The next pass begins at `at`. `moved_at`: when the domain was first seen to have moved, None if it has
    not; `ends_by`: when the last pass begins at the latest."""

    at: datetime
    moved_at: datetime | None
    ends_by: datetime


def is_following(options: ImportOptions) -> bool:
    """Whether further passes follow the first one."""
    return options.until_cutover or options.follow_until.day is not None


def following_ends_by(options: ImportOptions, created_at: datetime) -> datetime:
    """The latest begin of the last pass: after the chosen day (UTC), or after the longest time."""
    day = options.follow_until.day
    if day is None:
        return created_at + LONGEST_FOLLOWING
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def next_pass(
    options: ImportOptions,
    created_at: datetime,
    moved_at: datetime | None,
    sight: MxSight,
    began_at: datetime,
    now: datetime,
    times: PassTimes,
) -> NextPass | None:
    """The pass after one that began at `began_at` and is complete; None if that one was the last.

    `moved_at`: when the domain was first seen to have moved. A domain that could not be looked up keeps it;
    one that is seen elsewhere again has not moved.
    """
    ends_by = following_ends_by(options, created_at)
    if not is_following(options) or began_at >= ends_by:
        return None
    if not options.until_cutover or sight not in (MxSight.MOVED, MxSight.UNKNOWN):
        moved_at = None
    elif sight is MxSight.MOVED:
        moved_at = moved_at or now
    if moved_at is None:
        return NextPass(min(now + times.interval, ends_by), None, ends_by)
    last = moved_at + times.after_move
    if began_at >= last:
        return None
    return NextPass(max(now, min(last, ends_by)), moved_at, ends_by)
