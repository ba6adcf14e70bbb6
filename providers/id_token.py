"""ID tokens (OpenID Connect Core section 2): their signature and their claims, for owners and for people.

Invariant: no claim of an ID token is used before its signature by the issuer is verified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jws, jwt
from joserfc.errors import ClaimError, JoseError

_CLOCK_SKEW_S: Final = 300
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures with a private key of the issuer: neither "none" nor HMAC with the shared client secret."""


class InvalidIdToken(Exception):
    """An ID token proves nothing. The text names the claim and quotes nothing of the token."""


def verified_claims(
    id_token: str,
    keys: object,
    *,
    client_id: str,
    nonce: str,
    issuers_of: Callable[[Mapping[str, Any]], frozenset[str]],
) -> Mapping[str, Any]:
    """Validate an ID token (OpenID Connect Core section 3.1.3.7) and return its claims.

    `keys` are the `keys` of a JWK set (RFC 7517), or anything else that an issuer sent. The issuer is one of
    `issuers_of` the claims. Raises InvalidIdToken.
    """
    token = _signed_token(id_token, keys)
    if token is None:
        raise InvalidIdToken("ID token without a signature of the issuer")
    issuers = issuers_of(token.claims)
    if not issuers:
        raise InvalidIdToken("ID token of an unknown issuer")  # Authlib would accept any
    claims = CodeIDToken(
        token.claims,
        token.header,
        options={
            "iss": {"essential": True, "values": sorted(issuers)},
            "sub": {"essential": True},
            "aud": {"essential": True, "value": client_id},
            "nonce": {"essential": True, "value": nonce},
        },
        params={"client_id": client_id, "nonce": nonce},
    )
    try:
        claims.validate(leeway=_CLOCK_SKEW_S)
    except ClaimError as error:
        raise InvalidIdToken(f"ID token with a wrong {error.claim}") from None
    return token.claims


def _signed_token(id_token: str, keys: object) -> jwt.Token | None:
    """The token if one of `keys` signed it."""
    try:
        header = jws.extract_compact(id_token.encode()).headers()
    except (JoseError, ValueError):
        return None
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, dict) or key.get("use", "sig") != "sig" or key.get("kty") == "oct":
            continue
        if "kid" in header and key.get("kid", header["kid"]) != header["kid"]:
            continue
        token = _decode(id_token, key)
        if token is not None:
            return token
    return None


def _decode(id_token: str, key: Mapping[str, Any]) -> jwt.Token | None:
    try:
        return jwt.decode(id_token, jwk.import_key(dict(key)), algorithms=_ALGORITHMS)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
