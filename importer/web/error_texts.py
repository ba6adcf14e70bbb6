"""Errors of mail hosts and rate limits in the reader's language, for pages and API."""

from __future__ import annotations

from datetime import timedelta

from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import CatalogTranslator
from importer.service.access.rate_limits import LookupsLimited, RateLimited, StartsLimited
from providers.errors import MailError
from providers.text import Text


def mail_problem(texts: CatalogTranslator, error: MailError) -> str:
    """Why the login at a mail host failed."""
    return render_with_advice(error.text, texts, error.side)


def rate_limited(texts: CatalogTranslator, error: RateLimited) -> str:
    """The rate limit is exceeded, with the time to wait."""
    return render_with_advice(rate_limit_text(error), texts)


def rate_limit_text(error: RateLimited) -> Text:
    """The same, not yet rendered."""
    if isinstance(error, StartsLimited):
        return Text("too_many_attempts.starts", number=error.most)
    code = "too_many_attempts.lookups" if isinstance(error, LookupsLimited) else "too_many_attempts"
    return Text(code, span=timedelta(seconds=error.seconds))
