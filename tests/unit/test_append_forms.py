"""The forms in which a message is appended after a refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from importer.adapters.imap.append_forms import (
    NOTHING,
    dropped,
    note_stored,
    plainer_forms,
    without_what_is_refused,
)
from importer.adapters.imap.commands import part
from importer.adapters.imap.connection import Connection
from importer.adapters.imap.fallbacks import Fallbacks
from importer.compact.uid_set import Uid
from importer.domain.mailbox_content import Outgoing

DATE = "01-Jan-2020 00:00:00 +0000"
MESSAGE = Outgoing(Uid(1), ("\\Seen", "todo"), DATE, b"Subject: one\r\n\r\n")


def forms(message: Outgoing = MESSAGE, *, refusals: int = 1, **known: bool) -> list[tuple[Any, Any, bool]]:
    fallbacks = Fallbacks()
    for name, value in known.items():
        setattr(fallbacks, name, value)
    connection = cast(Connection, SimpleNamespace(fallbacks=fallbacks, refusals=refusals))
    return [
        (form.flags, form.internaldate, after_bad) for form, after_bad in plainer_forms(message, connection)
    ]


def test_a_refused_message_is_tried_without_keywords_date_and_flags_in_turn() -> None:
    assert forms() == [
        (("\\Seen",), DATE, False),
        (("\\Seen",), "", True),
        ((), DATE, True),
        ((), "", True),
    ]


def test_what_the_server_has_stored_before_is_not_left_out() -> None:
    assert forms(dates_work=True, flags_work=True) == [(("\\Seen",), DATE, False)]
    assert forms(MESSAGE._replace(flags=()), dates_work=True, listless_work=True) == []
    assert forms(flags_work=True)[1:] == [(("\\Seen",), "", True)]


def test_a_message_without_flags_is_tried_with_an_empty_list_and_so_are_later_ones() -> None:
    bare = MESSAGE._replace(flags=())
    listed = bare._replace(flags=("",))
    assert part(listed).options == b' () "' + DATE.encode() + b'"'
    assert forms(bare) == [(("",), DATE, True), ((), "", True)]
    fallbacks = Fallbacks()
    note_stored(bare, listed, fallbacks)
    assert without_what_is_refused(bare, fallbacks) == listed
    assert without_what_is_refused(MESSAGE, fallbacks) == MESSAGE
    assert dropped(bare, listed) is dropped(listed, listed) is NOTHING
    assert forms(listed, dates_work=True) == []


def test_a_connection_with_many_refusals_gets_no_more_of_them() -> None:
    assert forms(refusals=6) == [(("\\Seen",), DATE, False)]


@pytest.mark.parametrize(("flags", "date"), [((), DATE), (("\\Seen",), ""), ((), "")])
def test_later_messages_are_sent_as_the_first_one_was_stored(flags: tuple[str, ...], date: str) -> None:
    fallbacks = Fallbacks()
    message = MESSAGE._replace(flags=("\\Seen",))
    sent = message._replace(flags=flags, internaldate=date)
    note_stored(message, sent, fallbacks)
    assert without_what_is_refused(message, fallbacks) == sent
    assert dropped(message, sent) == (1 - len(flags), not date)
    assert dropped(message, message) is NOTHING
