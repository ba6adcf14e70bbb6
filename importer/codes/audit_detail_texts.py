"""Details of security events, besides the codes of errors, refused requests and changed imports."""

from __future__ import annotations

from typing import Final

from providers.text import TextRow

ROWS: Final = (
    TextRow("audit_words", "“%(words)s”"),
    TextRow("audit_foreground", "It is a `mailhaul copy` in the foreground."),
    TextRow("audit_rate_limit", "Too many attempts."),
    TextRow("audit_limited", "Further refusals of this network are not recorded for up to an hour."),
    TextRow("audit_repeated", "%(number)s within an hour, not all recorded."),
    TextRow("audit_repeated.detail", "%(number)s within an hour, not all recorded. %(detail)s"),
    TextRow("audit_scope_missing", "The token lacks the scope “%(scope)s”."),
    TextRow("audit_csrf_token", "The form had no valid CSRF token."),
    TextRow("audit_other_site", "The form came from another site."),
    TextRow("audit_other_site.named", "The form came from %(site)s."),
    TextRow("audit_openid", "With OpenID Connect."),
    TextRow("audit_no_operator", "This person is not an operator."),
    TextRow("audit_loaded_again", "The page after the sign-in was loaded again."),
    TextRow("audit_sign_in_gone", "The sign-in was already complete, or it took too long."),
    TextRow("audit_sessions", ("Ended %(num)s session.", "Ended %(num)s sessions.")),
    TextRow("audit_rows", ("Erased: %(num)s database row.", "Erased: %(num)s database rows.")),
    TextRow("audit_values", ("Sealed anew: %(num)s value.", "Sealed anew: %(num)s values.")),
    TextRow("audit_token", "For %(name)s."),
    TextRow("audit_token.scopes", "For %(name)s, with the scopes: %(scopes)s."),
)
