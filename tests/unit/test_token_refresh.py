"""Access tokens that are refreshed automatically, tested without a network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from providers.endpoint import Secret
from providers.errors import GrantExpired, MailError, ServerUnavailable
from providers.mailbox_access import AccessToken
from providers.token_refresh import FreshTokens
from tests.rehearsal.ports import wait_until


class Source:
    """Fetches numbered tokens with a lifetime of `life_s` on a manual clock."""

    def __init__(self, trouble: MailError | None = None, life_s: float = 60.0) -> None:
        self.now_s = 1000.0
        self.fetched = 0
        self.trouble = trouble
        self.life_s = life_s
        self.on_fetch: Callable[[], object] = lambda: None

    def fetch(self) -> AccessToken:
        self.fetched += 1
        self.on_fetch()
        if self.trouble is not None:
            raise self.trouble
        return AccessToken(Secret(f"token {self.fetched}"), self.now_s + self.life_s, self.life_s)

    def tokens(self) -> FreshTokens:
        return FreshTokens(self.fetch, now_s=lambda: self.now_s)


@pytest.mark.parametrize(
    ("life_s", "still_good_s", "over_s"), [(60.0, 47, 49), (3600.0, 3539, 3541), (5.0, 3.9, 4.1)]
)
def test_a_token_is_refreshed_before_it_expires(life_s: float, still_good_s: float, over_s: float) -> None:
    source = Source(life_s=life_s)
    tokens = source.tokens()
    first, began_s = tokens.access_token(), source.now_s
    source.now_s = began_s + still_good_s
    assert tokens.access_token() == first
    source.now_s = began_s + over_s
    assert tokens.access_token() != first


def test_a_refusal_applies_to_the_refused_token_only() -> None:
    source = Source()
    tokens = source.tokens()
    with ThreadPoolExecutor(1) as other_thread:
        other_thread.submit(tokens.access_token).result()
        assert tokens.access_token() == Secret("token 1")
        assert tokens.access_token(refused=True) == Secret("token 2")
        # The other thread used the refused first token; there is already a second one.
        assert other_thread.submit(lambda: tokens.access_token(refused=True)).result() == Secret("token 2")
        assert other_thread.submit(lambda: tokens.access_token(refused=True)).result() == Secret("token 3")


def test_threads_that_wait_for_a_token_share_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(ServerUnavailable())
    tokens = source.tokens()
    waiting: list[int] = []

    class Awaited(Future[AccessToken]):
        def result(self, timeout: float | None = None) -> AccessToken:
            waiting.append(threading.get_ident())
            return super().result(timeout)

    monkeypatch.setattr("providers.token_refresh.Future", Awaited)
    source.on_fetch = lambda: wait_until(lambda: len(waiting) == 7)

    def request_token() -> str:
        with pytest.raises(ServerUnavailable) as caught:
            tokens.access_token()
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _n: request_token(), range(8))) == {"server_unavailable"}
    assert source.fetched == 1
    source.trouble = None
    assert tokens.access_token() == Secret("token 2")


def test_an_expired_grant_is_not_used_again() -> None:
    source = Source(GrantExpired())
    tokens = source.tokens()
    for _ in range(3):
        with pytest.raises(GrantExpired, match="grant_expired"):
            tokens.access_token(refused=True)
    assert source.fetched == 1


def test_no_repr_contains_a_token() -> None:
    source = Source()
    token = source.fetch()
    assert "token 1" not in repr(token) + str(token)
