"""The addresses of pages that our own texts name, such as the page for app passwords of a host."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from importer.codes.code_table import all_rows
from providers.catalog import Catalog

ADDRESS: Final = re.compile(r"https://\S*[^\s.,:;)“”„«»]")
"""An address in a text, without the signs after it."""


@cache
def advised_pages() -> frozenset[str]:
    """All of them. Other addresses in a text for people may come from strangers."""
    texts = (
        text for row in all_rows() for text in (row.advice, row.advice_at_destination, row.sentence) if text
    )
    named = (
        page
        for text in texts
        for page in ADDRESS.findall(" ".join((text,) if isinstance(text, str) else text))
    )
    steps = (step for provider in Catalog.load() for step in provider.steps if step.page)
    return frozenset(named) | {page for step in steps for page in (step.page, *step.other_pages.values())}
