"""Tables that explain error texts of providers by regular expression."""

from __future__ import annotations

import re

Meanings = tuple[tuple[re.Pattern[str], str], ...]
"""(pattern, explanation and advice); the first match counts."""


def meaning(words: str, meanings: Meanings) -> str:
    """The sentence of the first matching pattern, "" if none matches."""
    return next((sentence for pattern, sentence in meanings if pattern.search(words)), "")
