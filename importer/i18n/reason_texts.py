"""Why messages and folders were left out or refused, in the reader's language."""

from __future__ import annotations

from typing import Final

from importer.codes.code_table import is_known
from importer.domain.reporting.formatting import printable
from importer.i18n.code_texts import render
from importer.i18n.translations import CatalogTranslator
from providers.text import Text

_MAX_WORDS_CHARS: Final = 400


def reason(texts: CatalogTranslator, why: Text | str) -> str:
    """The text of a refusal, or of the code for skipped messages (`before_date:2024-02-29`); an unknown code
    stays as it is. A server's words follow in brackets.

    The result may contain foreign text.
    """
    if isinstance(why, str):
        code, _, date = why.partition(":")
        why = Text(code, date=date) if is_known(code) else Text("other.words", words=why)
    sentence, words = render(why, texts), why.params.get("words", "")
    quoted = printable(words, _MAX_WORDS_CHARS) if isinstance(words, str) else ""
    return f"{sentence} ({quoted})" if quoted and quoted not in sentence else sentence
