"""English sentences that version 0.1.0 stored are shown in every language."""

from __future__ import annotations

import re

import pytest

from importer.adapters.store.former_texts import (
    _SENTENCES,
    receipt_reason,
    skip_reasons,
    stored_problem,
    stored_reason,
)
from importer.codes.code_table import ROWS
from importer.domain.messages.skip_reason import OWN_NOTICE, SkipReason
from importer.domain.receipts.receipt import CopyNote
from importer.i18n.reason_texts import reason
from importer.i18n.translations import LANGUAGES, texts
from providers.text import Text

VALUES = {
    "host": "imap.old.example",
    "folder": "A (b) %",
    "words": "NO [LIMIT] (later)",
    "size": "25.0 MB",
    "part": "5 bytes",
    "limit": "268 MB",
    "number": "4,211",
}


@pytest.mark.parametrize(("sentence", "code"), _SENTENCES)
def test_a_stored_sentence_becomes_its_code(sentence: str, code: str) -> None:
    names = set(re.findall(r"\{(\w+)\}", sentence))
    stored = sentence.format(**VALUES)
    text = stored_reason("other", stored)
    assert text == Text(code, steps=None, **{name: VALUES[name] for name in names})
    assert code in ROWS
    shown = {reason(texts(language), text) for language in LANGUAGES}
    assert len(shown) == len(LANGUAGES)
    told = {name for name in names if name == "words" or f"%({name})s" in str(ROWS[code].sentence)}
    assert all(VALUES[name] in line for line in shown for name in told)


def test_words_of_a_server_stay_as_they_are() -> None:
    assert (
        reason(texts("de"), stored_reason("not_taken", "NO [LIMIT] try (later)")) == "NO [LIMIT] try (later)"
    )
    closed = "the new mailbox ended the connection each time it was to be stored (BYE too long)"
    assert stored_reason("breaks_connection", closed) == Text("breaks_connection", words="BYE too long")
    assert stored_reason("too_large", "") == Text("too_large")


def test_a_stored_problem_reads_by_its_code_and_host() -> None:
    assert stored_problem("throttled", "It asks for a pause.", "a.example") == Text(
        "throttled", host="a.example"
    )
    lines = "a.example sends more lines in one answer than Mailhaul accepts (the limit is 7)."
    assert stored_problem("beyond_limit", lines, "") == Text(
        "beyond_limit.answer_lines", host="a.example", limit="7"
    )


def test_skipped_messages_of_two_wordings_are_counted_together() -> None:
    endings = ("the like are no mail", "similar items are not mail")
    former = {f"calendars, contacts, notes and {ending}": 2 for ending in endings}
    no_mail = SkipReason("folder_left_out.no_mail")
    assert skip_reasons({**former, "own_notice": 1}) == {no_mail: 4, OWN_NOTICE: 1}
    assert [receipt_reason(sentence) for sentence in former] == [no_mail, no_mail]


def test_the_notes_of_receipts_are_read() -> None:
    assert [receipt_reason(note.value) for note in CopyNote] == list(CopyNote)
    assert receipt_reason("") is None
    assert str(receipt_reason("words of another version")) == "words of another version"
