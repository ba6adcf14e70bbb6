"""SASL with access tokens: XOAUTH2 and OAUTHBEARER (RFC 7628).

XOAUTH2 is Google's own, taken over by Microsoft and Yahoo:
https://developers.google.com/workspace/gmail/imap/xoauth2-protocol (2026-10).
"""

from __future__ import annotations

from typing import Final

from providers.endpoint import Endpoint, Secret

XOAUTH2: Final = "XOAUTH2"
OAUTHBEARER: Final = "OAUTHBEARER"

_MAX_TOLD_CHARS = 1000


class TokenExchange:
    """Answers the server's challenges: the token once, and then what ends a failed exchange.

    A server that refuses a token says why in a challenge of its own, and its NO comes only after an answer
    to that (RFC 7628 section 3.2.3): `told` keeps it. The token is never sent a second time.
    """

    def __init__(self, first: bytes, after_failure: bytes) -> None:
        self._first: bytes | None = first
        self._after_failure: bytes | None = after_failure
        self.told = ""

    @property
    def first(self) -> bytes:
        """The answer that holds the token; b"" when it was given."""
        return self._first or b""

    def __repr__(self) -> str:
        return "TokenExchange(•••)"

    def __call__(self, challenge: bytes) -> bytes | None:
        """The answer; None gives up, which imaplib sends as `*`."""
        if self._first is not None:
            answer, self._first = self._first, None
            return answer
        self.told = self.told or challenge.decode("utf-8", "replace")[:_MAX_TOLD_CHARS]
        after, self._after_failure = self._after_failure, None
        return after


def mechanism_of(mechanism: str, user: str, token: Secret, endpoint: Endpoint) -> TokenExchange:
    """The exchange for one login. Raises ValueError for a user or a token that no exchange can carry."""
    if any(not " " <= char <= "~" for char in token.reveal()) or any(ord(char) < 32 for char in user):
        raise ValueError("a character that cannot be sent")
    bearer = f"auth=Bearer {token.reveal()}"
    if mechanism == XOAUTH2:
        return TokenExchange(f"user={user}\1{bearer}\1\1".encode(), b"")
    named = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 section 4
    where = f"host={endpoint.host}\1port={endpoint.port}"
    return TokenExchange(f"n,a={named},\1{where}\1{bearer}\1\1".encode(), b"\1")
