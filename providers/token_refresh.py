"""Access tokens that are fresh by themselves.

Invariants
- However many threads ask, one request is under way at a time, and all of them get what it brings.
- A grant that has ended is not asked again.
- A refresh token that was replaced is kept before the access token beside it is used.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, local
from typing import Final

from providers import oauth
from providers.endpoint import Secret
from providers.errors import GrantExpired
from providers.grants import OAuthGrant
from providers.mailbox_access import AccessToken
from providers.oauth import Application, OAuthHttp

_LEEWAY_S: Final = 60.0
_LEEWAY_SHARE: Final = 0.2
"""A token is replaced before it ends: by a minute, or by a fifth of its life when that is less."""


class FreshTokens:
    """Implements `AccessTokens` over anything that fetches a token."""

    def __init__(
        self, fetch: Callable[[], AccessToken], *, initial_token: AccessToken | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._fetch = fetch
        self._now_s = now_s
        self._token = initial_token
        self._under_way: Future[AccessToken] | None = None
        self._ended: GrantExpired | None = None
        self._lock = Lock()
        self._handed_out = local()  # to this thread, last: it is that one that a host refused

    def access_token(self, *, refused: bool = False) -> Secret:
        token = self._fresh(getattr(self._handed_out, "token", None) if refused else None)
        self._handed_out.token = token
        return token.secret

    def _fresh(self, refused: AccessToken | None) -> AccessToken:
        with self._lock:
            if self._ended is not None:
                raise GrantExpired(str(self._ended), server_text=self._ended.server_text)
            if self._token is not None and self._token is not refused and self._good(self._token):
                return self._token
            waiting = self._under_way
            if waiting is None:
                mine = self._under_way = Future()
        if waiting is not None:
            return waiting.result()
        return self._fetched(mine)

    def _fetched(self, mine: Future[AccessToken]) -> AccessToken:
        try:
            token = self._fetch()
        except BaseException as error:
            with self._lock:
                self._under_way = None
                self._ended = error if isinstance(error, GrantExpired) else None
            mine.set_exception(error)
            raise
        with self._lock:
            self._under_way, self._token = None, token
        mine.set_result(token)
        return token

    def _good(self, token: AccessToken) -> bool:
        return self._now_s() < token.ends_at_s - min(_LEEWAY_S, _LEEWAY_SHARE * token.life_s)


def consent_tokens(
    web: OAuthHttp,
    application: Application,
    grant: OAuthGrant,
    keep: Callable[[OAuthGrant], object],
    *,
    initial_token: AccessToken | None = None,
) -> FreshTokens:
    """Tokens from an owner's consent. `keep` is given the grant each time its refresh token is replaced,
    before the token that came with it is used."""
    current = grant

    def fetch() -> AccessToken:  # one at a time: FreshTokens sees to it
        nonlocal current
        token, renewed = oauth.refresh_tokens(web, application, current)
        if renewed != current:
            current = renewed
            keep(renewed)
        return token

    return FreshTokens(fetch, initial_token=initial_token)
