"""The texts for people, in English, for assertions about sentences."""

from __future__ import annotations

from importer.domain.model import Problem
from importer.i18n.code_texts import render_with_advice
from importer.i18n.reason_texts import reason
from importer.i18n.translations import texts
from importer.service.imports.undo_import import UndoRefused
from providers.errors import MailError
from providers.text import Text


def said(what: MailError | Problem | UndoRefused | Text | None) -> str:
    """The sentence about an error, with its advice; "" for None."""
    if what is None:
        return ""
    text = what if isinstance(what, Text) else what.text
    side = what.side if isinstance(what, MailError | Problem) else None
    return render_with_advice(text, texts("en"), side)


def reason_said(why: Text) -> str:
    """The line of a report about a refusal."""
    return reason(texts("en"), why)
