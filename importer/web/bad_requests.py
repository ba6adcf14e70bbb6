"""Malformed requests: each gets status 400 with the rule that it violates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class BadRequest(Exception):
    """The request is malformed. `rule` is a stable code; the text `api.refused.<rule>` describes a valid
    request."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def unreadable_form() -> BadRequest:
    """The body of a form is malformed, or its charset is unknown or not meant for text."""
    return BadRequest("form_unreadable")


def not_unicode() -> BadRequest:
    """A text contains half a surrogate pair, which no encoding can represent (Unicode 16, section 3.8)."""
    return BadRequest("text_not_unicode")


def require_unicode(fields: Mapping[Any, Any]) -> None:
    """Raises BadRequest if a name or a text of these fields contains half a surrogate pair."""
    for text in (*fields.keys(), *fields.values()):
        if isinstance(text, str):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise not_unicode() from None
