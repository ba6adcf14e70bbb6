"""Reasons why messages and folders were left out or refused, in the reader's language."""

from __future__ import annotations

from typing import Final

from importer.domain.messages.skip_reason import SkipReason
from importer.domain.reporting.formatting import printable
from importer.i18n.code_texts import render
from importer.i18n.translations import CatalogTranslator
from providers.text import Text

_MAX_WORDS_CHARS: Final = 400


def reason(texts: CatalogTranslator, why: Text | SkipReason) -> str:
    """The text of a refusal, or of a skip reason. A server's words follow in brackets.

    The result may contain foreign text.
    """
    if isinstance(why, SkipReason):
        why = why.text
    sentence, words = render(why, texts), why.params.get("words", "")
    quoted = printable(words, _MAX_WORDS_CHARS) if isinstance(words, str) else ""
    return f"{sentence} ({quoted})" if quoted and quoted not in sentence else sentence
