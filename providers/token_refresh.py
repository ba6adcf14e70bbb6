"""Automatic refresh of access tokens.

Invariants
- At most one refresh runs at a time; all waiting threads get its result.
- An expired grant is not used again.
- A replaced refresh token is stored before the access token that came with it is used.
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
from providers.oauth import Application
from providers.oauth_http import OAuthHttp

_LEEWAY_S: Final = 60.0
_LEEWAY_SHARE: Final = 0.2
"""A token is replaced before its expiry: by a minute, or by a fifth of its lifetime if that is less."""


class FreshTokens:
    """Implements `AccessTokens` with a function that fetches a token."""

    def __init__(
        self, fetch: Callable[[], AccessToken], *, initial_token: AccessToken | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._fetch = fetch
        self._now_s = now_s
        self._token = initial_token
        self._pending: Future[AccessToken] | None = None
        self._expired: GrantExpired | None = None
        self._lock = Lock()
        self._last_returned = local()  # by thread: a refusal concerns the token that the thread used

    def access_token(self, *, refused: bool = False) -> Secret:
        token = self._get(getattr(self._last_returned, "token", None) if refused else None)
        self._last_returned.token = token
        return token.secret

    def _get(self, refused: AccessToken | None) -> AccessToken:
        with self._lock:
            if self._expired is not None:
                raise GrantExpired(self._expired.text, server_text=self._expired.server_text)
            if self._token is not None and self._token is not refused and self._is_fresh(self._token):
                return self._token
            pending = self._pending
            if pending is None:
                own = self._pending = Future()
        if pending is not None:
            return pending.result()
        return self._fetch_into(own)

    def _fetch_into(self, future: Future[AccessToken]) -> AccessToken:
        try:
            token = self._fetch()
        except BaseException as error:
            with self._lock:
                self._pending = None
                self._expired = error if isinstance(error, GrantExpired) else None
            future.set_exception(error)
            raise
        with self._lock:
            self._pending, self._token = None, token
        future.set_result(token)
        return token

    def _is_fresh(self, token: AccessToken) -> bool:
        return self._now_s() < token.ends_at_s - min(_LEEWAY_S, _LEEWAY_SHARE * token.life_s)


def consent_tokens(
    web: OAuthHttp,
    application: Application,
    grant: OAuthGrant,
    save_grant: Callable[[OAuthGrant], object],
    *,
    initial_token: AccessToken | None = None,
) -> FreshTokens:
    """Tokens from an owner's consent.

    `save_grant` is called with the grant whenever its refresh token was replaced, before the access token
    that came with it is used.
    """
    current = grant

    def fetch() -> AccessToken:  # FreshTokens serialises the calls
        nonlocal current
        token, renewed = oauth.refresh_tokens(web, application, current)
        if renewed != current:
            current = renewed
            save_grant(renewed)
        return token

    return FreshTokens(fetch, initial_token=initial_token)
