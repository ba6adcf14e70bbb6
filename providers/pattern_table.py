"""What a provider's words mean, looked up in a table."""

from __future__ import annotations

import re

Meanings = tuple[tuple[re.Pattern[str], str], ...]
"""(pattern, what it means and what to do there), the first that fits counts."""


def meaning(words: str, meanings: Meanings) -> str:
    """The sentence for those words, "" when none fits."""
    return next((sentence for pattern, sentence in meanings if pattern.search(words)), "")
