"""Details of security events that were stored as English words or as a bare code, as codes with parameters.

No detail is written so any more, except the pseudonym that an erasure puts in its place.
"""

from __future__ import annotations

import re
from typing import Final

from importer.codes.code_lookup import is_known
from importer.domain.audit_event import AuditAction, repeated_detail
from providers.text import Text

_WORDS: Final = {
    "rate limit": Text("audit_rate_limit"),
    "no token": Text("api.token_missing"),
    "unknown, expired or revoked": Text("api.token_refused"),
    "no valid CSRF token": Text("audit_csrf_token"),
    "from another site": Text("audit_other_site"),
    "OpenID Connect": Text("audit_openid"),
    "no operator": Text("audit_no_operator"),
    "loaded again": Text("audit_loaded_again"),
    "answered before, or too late": Text("audit_sign_in_gone"),
    "copy in the foreground": Text("audit_foreground"),
    "Further refusals of this network are not recorded for up to an hour.": Text("audit_limited"),
    "too late": Text("control_ended"),
    "not possible": Text("api.not_possible"),
}
_SOON: Final = {
    AuditAction.IMPORT_PAUSE: Text("control_pauses"),
    AuditAction.IMPORT_RESUME: Text("control_resumes"),
    AuditAction.IMPORT_CANCEL: Text("control_ends"),
}
"""The effect `soon` of a request, which a worker applied after its batch."""

_PATTERNS: Final = (
    (re.compile(r"(?P<number>\d+) ended"), "audit_sessions"),
    (re.compile(r"(?P<number>\d+) rows"), "audit_rows"),
    (re.compile(r"(?P<number>\d+) values"), "audit_values"),
    (re.compile(r"lacks the scope (?P<scope>\w+)"), "audit_scope_missing"),
    (re.compile(r"from (?P<site>\S+)"), "audit_other_site.named"),
)
_REPEATED: Final = re.compile(r"(\d+) within an hour, not all recorded\.(?: (.+))?", re.DOTALL)
_CODE: Final = re.compile(r"(?P<code>[a-z_]+(?:\.[a-z_]+)*)(?: \(host=(?P<host>[^,()]+)\))?")
_ERASED: Final = "erased:"


def former_detail(action: AuditAction, target: str, stored: str) -> Text | None:
    """The detail `stored` of an event; None for none. Words of unknown meaning are quoted.

    A code without its host has that of `target`, the key of an account.
    """
    if not stored:
        return None
    if stored.startswith(_ERASED) or action is AuditAction.MAINTENANCE:
        return Text("audit_words", words=stored)
    if action in (AuditAction.TOKEN_CREATE, AuditAction.TOKEN_REVOKE):
        return _token(*stored.split(": ", 1))
    if repeated := _REPEATED.fullmatch(stored):
        return repeated_detail(int(repeated[1]), former_detail(action, target, repeated[2] or ""))
    if stored == "done":  # as the outcome says
        return None
    known = _SOON.get(action) if stored == "soon" else _WORDS.get(stored)
    return known or _matching(stored) or _coded(target, stored)


def _token(name: str, scopes: str = "") -> Text:
    return Text("audit_token.scopes", name=name, scopes=scopes) if scopes else Text("audit_token", name=name)


def _matching(stored: str) -> Text | None:
    for pattern, code in _PATTERNS:
        if match := pattern.fullmatch(stored):
            found = match.groupdict()
            params = {name: int(value) if name == "number" else value for name, value in found.items()}
            return Text(code, steps=None, **params)
    return None


def _coded(target: str, stored: str) -> Text:
    """Of an error: `host_unknown`, or `host_unknown (host=imap.old.example)`."""
    _login, _, named = target.rpartition(" ")
    match = _CODE.fullmatch(stored)
    host = (match["host"] or (_login and named)) if match else ""
    if match and host and is_known(match["code"]):
        return Text(match["code"], host=host)
    return Text("audit_words", words=stored)
