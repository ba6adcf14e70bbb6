"""The page after a sign-in at a provider: its result, and a button for the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response

from importer.i18n.code_texts import render, render_with_advice
from importer.service.access.rate_limits import RateLimited
from importer.web.error_texts import rate_limited
from importer.web.rendering import page
from importer.web.request_context import Guest, Visitor
from providers.errors import LoginRejected, MailError

_OTHER_ACCOUNT: Final = ("login_rejected.other_account", "login_rejected.unknown_account")
_DENIED: Final = "consent_denied_"
_STATUS: Final = {
    "given": 200,
    "one_of_two": 200,
    "again": 200,
    "gone": 404,
    "elsewhere": 403,
    "expired": 403,
    "later": 503,
}


@dataclass(frozen=True, slots=True)
class Retry:
    """The form that restarts the sign-in, and the path of a page with an alternative to it, or ""."""

    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    other_way: str = ""


def result_page(
    reader: Visitor | Guest, kind: str, *, retry: Retry | None = None, onward: str = "", why: str = ""
) -> Response:
    """`onward` is the next page; `why` replaces the sentence of that kind."""
    return page(
        reader,
        "sign_in_result.html",
        _STATUS.get(kind, 409),
        kind=kind,
        retry=retry,
        onward=onward,
        why=why,
    )


def failure(reader: Visitor | Guest, error: MailError | RateLimited, *, retry: Retry) -> Response:
    """The kind of failure: declined, another account, the provider, or the mail host."""
    texts = (reader.visitor if isinstance(reader, Guest) else reader).texts
    if isinstance(error, RateLimited):
        return result_page(reader, "failed", retry=retry, why=rate_limited(texts, error))
    if not isinstance(error, LoginRejected):
        return result_page(reader, "later", retry=retry)
    if error.text.code in _OTHER_ACCOUNT:
        why = render(error.text, texts, error.side)
        return result_page(reader, "account", retry=retry, why=why)
    if error.text.steps is not None and error.text.steps.code.startswith(_DENIED):
        return result_page(reader, "refused", retry=retry)
    return result_page(reader, "failed", retry=retry, why=render_with_advice(error.text, texts, error.side))
