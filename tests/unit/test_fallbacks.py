"""Conclusions from failed commands, for the rest of the run."""

from __future__ import annotations

from importer.adapters.imap.fallbacks import Fallbacks


def test_a_message_that_ends_every_connection_does_not_end_sending_ahead() -> None:
    fallbacks = Fallbacks()
    for _ in range(2):
        fallbacks.note_loss_ahead(silent=False)
    assert fallbacks.one_at_a_time
    fallbacks.note_loss_otherwise()  # the message alone
    assert "LITERAL+" in fallbacks.usable(frozenset({"LITERAL+"}))


def test_a_server_that_forgets_commands_sent_ahead_is_sent_none() -> None:
    fallbacks = Fallbacks()
    fallbacks.note_loss_ahead(silent=True)
    fallbacks.note_loss_otherwise()
    assert fallbacks.one_at_a_time


def test_sending_ahead_is_not_resumed_for_ever() -> None:
    fallbacks = Fallbacks()
    for _ in range(4):
        for _ in range(2):
            fallbacks.note_loss_ahead(silent=False)
        fallbacks.note_loss_otherwise()
    assert fallbacks.one_at_a_time


def test_keywords_that_were_refused_twice_are_not_sent_again() -> None:
    fallbacks = Fallbacks()
    fallbacks.note_refused_keywords(("\\Seen", "old.example"))
    assert not fallbacks.refuses_keywords(("old.example",))
    fallbacks.note_refused_keywords(("old.example",))
    assert fallbacks.refuses_keywords(("\\Flagged", "old.example"))
    assert not fallbacks.refuses_keywords(("\\Flagged", "old.example", "work"))
