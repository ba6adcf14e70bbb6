"""Every code renders in every language, whatever its parameters are."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from importer.codes.code_lookup import lineage, public_row
from importer.codes.code_table import ROWS, all_rows
from importer.i18n.code_texts import advice, render, render_with_advice
from importer.i18n.translations import LANGUAGES, texts
from providers.endpoint import Secret
from providers.errors import Side
from providers.text import ByteSize, Param, Text, TextRow

AWKWARD: tuple[str, ...] = (
    "imap.old.example",
    "דואר.example",
    "بريد “القديم”",
    "x" * 200,
    "100 %",
    "%(host)s %s %d",
    "{host} {0}",
    "<b onload=alert(1)>&amp;",
)
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def templates(row: TextRow) -> list[str]:
    sentence = row.sentence if isinstance(row.sentence, tuple) else (row.sentence,)
    return [
        text
        for text in (*sentence, row.advice, row.sentence_at_destination, row.advice_at_destination)
        if text
    ]


def names(row: TextRow) -> set[str]:
    """The parameters that the sentences and the advice of a code contain, apart from `number`; `product` is
    none."""
    rows = (row, *lineage(row.code))
    found = {name for one in rows for text in templates(one) for name in PLACEHOLDER.findall(text)}
    return found - {"num", "number", "product"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("row", all_rows(), ids=lambda row: row.code)
def test_every_code_renders_in_every_language_with_any_foreign_text(row: TextRow, language: str) -> None:
    say, texts_of = texts(language), names(row)
    marks = {name: f"⟦{name}⟧" for name in texts_of}
    for side in (None, *Side):
        plain = render_with_advice(Text(row.code, steps=None, number=3, **marks), say, side)
        assert render(Text(row.code, steps=None, number=3, **marks), say, side)
        assert not set("%…") & set(plain), plain
        for value in AWKWARD:
            shown = plain
            for mark in marks.values():
                shown = shown.replace(mark, value)
            params = dict.fromkeys(texts_of, value)
            assert render_with_advice(Text(row.code, steps=None, number=3, **params), say, side) == shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_quantities_have_the_form_of_the_language(language: str) -> None:
    say = texts(language)
    values: dict[str, Param] = {
        "number": 12_345,
        "instant": datetime(2026, 3, 2, 12, tzinfo=UTC),
        "span": timedelta(hours=3),
        "size": ByteSize(25_000_000),
        "inner": Text("host_unknown", host="a.example"),
    }
    for name, shown in (
        ("number", say.number(12_345)),
        ("instant", say.instant(datetime(2026, 3, 2, 12, tzinfo=UTC))),
        ("span", say.span(timedelta(hours=3))),
        ("size", say.size(25_000_000)),
        ("inner", render(Text("host_unknown", host="a.example"), say)),
    ):
        assert render(Text("throttled", host=values[name]), say).count(shown) == 1


def test_a_pair_of_sentences_follows_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ("%(num)s message in %(folder)s", "%(num)s messages in %(folder)s")
    monkeypatch.setitem(ROWS, "counted", TextRow("counted", sentence=pair))
    for number, shown in ((1, "1 message in A%"), (2000, "2,000 messages in A%")):
        text = Text("counted", number=number, folder="A%")
        assert render(text, texts("en")) == shown


def test_a_code_without_a_row_of_its_own_is_that_of_its_parent() -> None:
    known, unknown = Text("throttled", host="a.example"), Text("throttled.new.kind", host="a.example")
    assert render(unknown, texts("en")) == render(known, texts("en"))
    assert public_row("throttled.new") is ROWS["throttled"]
    assert render(Text("of_a_later_version"), texts("en")) == render(Text("mail_error"), texts("en"))


def test_a_missing_parameter_is_an_ellipsis() -> None:
    assert render(Text("throttled"), texts("en")).startswith("…")


def test_the_steps_of_a_provider_replace_the_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    row = TextRow("refused", sentence="No.", advice="Ask %(host)s.", advice_at_destination="Pay %(host)s.")
    monkeypatch.setitem(ROWS, "refused", row)
    monkeypatch.setitem(ROWS, "steps", TextRow("steps", sentence="Open the settings of %(host)s."))
    text = Text("refused", host="a.example")
    assert advice(text, texts("en")) == "Ask a.example."
    assert advice(text, texts("en"), Side.DESTINATION) == "Pay a.example."
    stepped = Text("refused", steps=Text("steps", host="b.example"), host="a.example")
    assert render_with_advice(stepped, texts("en")) == "No. Open the settings of b.example."


@pytest.mark.parametrize(
    "text",
    [
        Text("login_rejected"),
        Text("login_rejected.expired", host="“x” %", steps=Text("google.app_password", url="https://x")),
        Text("a", number=3, at=datetime(2026, 3, 2, 12, tzinfo=UTC), span=timedelta(seconds=1.5)),
        Text("a", size=ByteSize(5), inner=Text("b", name="c")),
    ],
)
def test_a_text_survives_storage(text: Text) -> None:
    assert Text.from_json(json.loads(json.dumps(text.as_json()))) == text
    assert hash(Text.from_json(text.as_json())) == hash(text)


@pytest.mark.parametrize("stored", [{"code": "a", "params": {"b": None}}, {"code": "a", "params": {"b": {}}}])
def test_only_parameters_are_read_from_storage(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no parameter"):
        Text.from_json(stored)


@pytest.mark.parametrize("value", [Secret("hunter2"), b"hunter2", None, 1.5, ["hunter2"]])
def test_no_secret_can_be_a_parameter(value: Any) -> None:
    with pytest.raises(TypeError, match="no text can contain") as caught:
        Text("login_rejected", word=value)
    assert "hunter2" not in str(caught.value)
