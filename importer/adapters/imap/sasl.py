"""SASL with access tokens: XOAUTH2 and OAUTHBEARER (RFC 7628).

XOAUTH2 was defined by Google and adopted by Microsoft and Yahoo:
https://developers.google.com/workspace/gmail/imap/xoauth2-protocol (2026-10).
"""

from __future__ import annotations

from typing import Final

from providers.endpoint import Endpoint, Secret

XOAUTH2: Final = "XOAUTH2"
OAUTHBEARER: Final = "OAUTHBEARER"

_MAX_REASON_CHARS = 1000


class TokenExchange:
    """Answers the server's challenges: first with the token, then with the response that ends a failed
    exchange.

    A server that rejects a token gives its reason in a further challenge, and sends NO only after a response
    to it (RFC 7628 section 3.2.3); `server_reason` holds that challenge. The token is never sent twice.
    """

    def __init__(self, first: bytes, after_failure: bytes) -> None:
        self._first: bytes | None = first
        self._after_failure: bytes | None = after_failure
        self.server_reason = ""

    @property
    def first(self) -> bytes:
        """The response that holds the token; b"" once it was sent."""
        return self._first or b""

    def __repr__(self) -> str:
        return "TokenExchange(•••)"

    def __call__(self, challenge: bytes) -> bytes | None:
        """Return the response; None cancels, which imaplib sends as `*`."""
        if self._first is not None:
            answer, self._first = self._first, None
            return answer
        self.server_reason = self.server_reason or challenge.decode("utf-8", "replace")[:_MAX_REASON_CHARS]
        after, self._after_failure = self._after_failure, None
        return after


def mechanism_of(mechanism: str, user: str, token: Secret, endpoint: Endpoint) -> TokenExchange:
    """Return the exchange for one login. Raises ValueError if the user or the token contains characters that
    the exchange cannot carry."""
    if any(not " " <= char <= "~" for char in token.reveal()) or any(ord(char) < 32 for char in user):
        raise ValueError("a character that cannot be sent")
    bearer = f"auth=Bearer {token.reveal()}"
    if mechanism == XOAUTH2:
        return TokenExchange(f"user={user}\1{bearer}\1\1".encode(), b"")
    identity = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 section 4
    server = f"host={endpoint.host}\1port={endpoint.port}"
    return TokenExchange(f"n,a={identity},\1{server}\1{bearer}\1\1".encode(), b"\1")
