"""The SASL exchange of logins with an access token."""

from __future__ import annotations

import pytest

from importer.adapters.imap.sasl import OAUTHBEARER, XOAUTH2, mechanism_of
from providers.endpoint import Endpoint, Secret

HOST = Endpoint("imap.old.example")
CHALLENGE = b'{"status":"401"}'


@pytest.mark.parametrize(
    ("mechanism", "first", "after"),
    [
        (XOAUTH2, b"user=ada@old.example\1auth=Bearer t0k3n\1\1", b""),
        (
            OAUTHBEARER,
            b"n,a=ada@old.example,\1host=imap.old.example\1port=993\1auth=Bearer t0k3n\1\1",
            b"\1",
        ),
    ],
)
def test_the_token_is_sent_once_and_a_refusal_is_acknowledged(
    mechanism: str, first: bytes, after: bytes
) -> None:
    exchange = mechanism_of(mechanism, "ada@old.example", Secret("t0k3n"), HOST)
    assert [exchange(b""), exchange(CHALLENGE), exchange(b"more")] == [first, after, None]
    assert exchange.server_reason == CHALLENGE.decode()
    assert "t0k3n" not in repr(exchange)


def test_a_user_name_is_escaped_for_each_mechanism() -> None:
    assert mechanism_of(XOAUTH2, "a,d=a", Secret("t"), HOST)(b"") == b"user=a,d=a\1auth=Bearer t\1\1"
    sent = mechanism_of(OAUTHBEARER, "a,d=a", Secret("t"), HOST)(b"")
    assert sent is not None
    assert sent.startswith(b"n,a=a=2Cd=3Da,\1")


@pytest.mark.parametrize(
    ("user", "token"), [("ada\1auth=x", "t"), ("ada", "t\1x"), ("ada", "tök"), ("a\n", "t")]
)
def test_unsendable_values_are_rejected(user: str, token: str) -> None:
    for mechanism in (XOAUTH2, OAUTHBEARER):
        with pytest.raises(ValueError, match="cannot be sent"):
            mechanism_of(mechanism, user, Secret(token), HOST)
