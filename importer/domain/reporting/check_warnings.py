"""Warnings of the check of two mailboxes, the same on the console, in the API and on the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from importer.domain.reporting.mailbox_check import Check
from providers.errors import Side
from providers.text import ByteSize, Param, Text


class CheckWarning(NamedTuple):
    """A warning for the user before the start. May quote foreign text."""

    text: Text
    serious: bool = True  # False for what was chosen, or is likely to be intended


def check_warnings(check: Check) -> Iterator[CheckWarning]:
    """The serious ones may leave mail behind, or take long."""
    if check.fits is False:
        yield CheckWarning(_does_not_fit(check))
    exact = all(folder.exact for folder in check.folders)
    for case, messages, limit_bytes in (
        ("too_large", sum(f.too_large for f in check.folders), check.destination.max_message_bytes or 0),
        ("beyond_limit", sum(f.beyond_limit for f in check.folders), check.max_message_bytes),
    ):
        if messages:
            amount: Param = messages if exact else Text("check_warning.at_least", number=messages)
            limit = ByteSize(limit_bytes)
            yield CheckWarning(Text(f"check_warning.{case}", number=messages, amount=amount, limit=limit))
    if older := sum(folder.older for folder in check.folders):
        yield CheckWarning(Text("check_warning.older", number=older), serious=False)
    for pattern in check.unmatched:
        yield CheckWarning(Text("check_warning.unmatched", pattern=pattern))
    for name, why in check.closed:
        yield CheckWarning(Text("check_warning.closed", folder=name, reason=why))
    yield from _left_out(check)
    if check.may_be_renamed:
        folders = ", ".join(check.may_be_renamed)
        yield CheckWarning(Text("check_warning.renamed", folders=folders), serious=False)
    for alert in check.alerts:
        side = check.source if alert.side is Side.SOURCE else check.destination
        text = Text("server_alert", host=side.account.endpoint.host, words=alert.text)
        yield CheckWarning(text, serious=False)
    if check.estimate is not None and check.estimate.capped_until is not None:
        yield CheckWarning(Text("check_warning.daily_limit", instant=check.estimate.capped_until))


def _does_not_fit(check: Check) -> Text:
    to_copy, free_bytes = check.to_copy, check.free_bytes
    size = ByteSize(to_copy.size_bytes)
    if free_bytes is not None and to_copy.size_bytes > free_bytes:
        return Text("check_warning.space", number=to_copy.messages, size=size, free=ByteSize(free_bytes))
    return Text("check_warning.room", number=check.free_messages or 0, messages=to_copy.messages, size=size)


def _left_out(check: Check) -> Iterator[CheckWarning]:
    """One for each reason, with its folders."""
    for reason in dict.fromkeys(left.reason for left in check.left_out):
        parts = [left for left in check.left_out if left.reason == reason]
        folders = ", ".join(left.folder for left in parts)
        messages = sum(left.messages for left in parts)
        text = (
            Text("check_warning.left_out_counted", number=messages, folders=folders, reason=reason)
            if messages
            else Text("check_warning.left_out", folders=folders, reason=reason)
        )
        yield CheckWarning(text, serious=False)
