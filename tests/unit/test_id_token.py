"""ID tokens of owners and of people: what is refused, and why."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from providers.id_token import InvalidIdToken, verified_claims

ISSUER, CLIENT_ID, NONCE = "https://sign-in.example", "mailhaul", "n0nce"
KEYS: dict[str, RSAKey | ECKey] = {
    "RS256": RSAKey.generate_key(2048, {"use": "sig", "kid": "rsa"}),
    "ES256": ECKey.generate_key("P-256", {"use": "sig", "kid": "ec"}),
}
PUBLISHED = [key.as_dict(private=False) for key in KEYS.values()]


def token(algorithm: str = "RS256", **changed: Any) -> str:
    """An ID token with these claims in place of good ones; None leaves one out. A timedelta counts from
    now."""
    now = int(time.time())
    for name, value in changed.items():
        if isinstance(value, timedelta):
            changed[name] = now + value.total_seconds()
    claims = {"iss": ISSUER, "aud": CLIENT_ID, "sub": "1", "nonce": NONCE, "iat": now, "exp": now + 600}
    kept = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": KEYS[algorithm].kid}, kept, KEYS[algorithm])


def verified(id_token: str, nonce: str = NONCE, keys: object = PUBLISHED) -> Any:
    return verified_claims(
        id_token,
        keys,
        client_id=CLIENT_ID,
        nonce=nonce,
        issuers_of=lambda _claims: frozenset({ISSUER}),
    )


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": [CLIENT_ID]},
        {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID},
        {"exp": timedelta(seconds=-240)},  # another clock
        {"iat": timedelta(seconds=240), "nbf": timedelta(seconds=240)},
    ],
)
def test_a_good_token_proves_its_claims(algorithm: str, changed: dict[str, Any]) -> None:
    assert verified(token(algorithm, **changed))["sub"] == "1"


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("iss", [None, "", "https://sign-in.example/", [ISSUER], {}]),
        ("aud", [None, "", "another", ["another"], 1]),
        ("azp", ["another"]),
        ("sub", [None, "", 1]),
        ("nonce", [None, "", "another", [NONCE], 1]),
        ("exp", [None, timedelta(seconds=-600), "tomorrow", float("nan"), float("inf"), True]),
        ("nbf", [timedelta(seconds=600), "yesterday"]),
        ("iat", [None, timedelta(seconds=600)]),
    ],
)
def test_a_wrong_claim_is_refused_and_named(claim: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InvalidIdToken, match=f"^ID token with a wrong {claim}$"):
            verified(token(**{claim: value}))


def test_a_token_for_several_says_that_it_is_for_us() -> None:
    with pytest.raises(InvalidIdToken, match=r"wrong azp$"):
        verified(token(aud=[CLIENT_ID, "another"]))


def test_a_question_without_nonce_and_an_unknown_issuer_prove_nothing() -> None:
    for nonce in (None, ""):
        with pytest.raises(InvalidIdToken, match="nonce"):
            verified(token(nonce=nonce), nonce="")
    with pytest.raises(InvalidIdToken, match="unknown issuer"):
        verified_claims(
            token(), PUBLISHED, client_id=CLIENT_ID, nonce=NONCE, issuers_of=lambda _claims: frozenset()
        )


def test_only_a_published_key_of_the_issuer_signs() -> None:
    other = RSAKey.generate_key(2048, {"use": "sig", "kid": "rsa"})
    secret = OctKey.generate_key(256, {"kid": "rsa"})
    unusable: list[object] = [
        [other.as_dict(private=False)],
        [PUBLISHED[0] | {"use": "enc"}],
        [PUBLISHED[0] | {"kid": "another"}],
        [secret.as_dict(private=True)],
        [{}, None, "key"],
        {},
        None,
    ]
    for keys in unusable:
        with pytest.raises(InvalidIdToken, match="without a signature"):
            verified(token(), keys=keys)
    for text in ("", "a.b", "é", token()[:-4], token() + "A"):
        with pytest.raises(InvalidIdToken, match="without a signature"):
            verified(text)
