"""ID tokens (OpenID Connect Core section 2): their signature, and the identity that they state.

Invariant: no claim of an ID token is used before its signature by the issuer is verified.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError

from providers.errors import LoginRejected

_CLOCK_SKEW_S: Final = 300
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures with a private key of the issuer: neither "none" nor HMAC with the shared client secret."""

_GOOGLE_MAIL: Final = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Identity:
    """The addresses that a provider vouches for, the most reliable first; `tenant` is the directory."""

    addresses: tuple[str, ...]
    tenant: str = ""

    def owns(self, mailbox: str) -> bool:
        """Whether `mailbox` is one of the addresses, in any equivalent spelling."""
        return any(_canonical(address) == _canonical(mailbox) for address in self.addresses)


def signed_claims(id_token: str, keys: object) -> Mapping[str, Any] | None:
    """The claims of an ID token if one of `keys`, the `keys` of a JWK set (RFC 7517), signed it, else None.

    `keys` may be anything that an issuer sent.
    """
    try:
        header = jws.extract_compact(id_token.encode()).headers()
    except (JoseError, ValueError):
        return None
    for key in keys if isinstance(keys, list) else []:
        if not isinstance(key, dict) or key.get("use", "sig") != "sig" or key.get("kty") == "oct":
            continue
        if "kid" in header and key.get("kid", header["kid"]) != header["kid"]:
            continue
        claims = _decode(id_token, key)
        if claims is not None:
            return claims
    return None


def _decode(id_token: str, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    try:
        return jwt.decode(id_token, jwk.import_key(dict(key)), algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def id_token_identity(
    id_token: str,
    keys: object,
    client_id: str,
    nonce: str,
    issuers_of: Callable[[Mapping[str, Any]], frozenset[str]],
) -> Identity:
    """Validate an ID token (OpenID Connect Core section 3.1.3.7) and return who signed in. `keys` are those
    of `signed_claims`.

    Raises LoginRejected.
    """
    claims = signed_claims(id_token, keys) or {}
    audience = claims.get("aud")
    valid = (
        audience in (client_id, [client_id])
        and claims.get("iss") in issuers_of(claims)
        and claims.get("nonce") == nonce
        and isinstance(claims.get("exp"), int | float)
        and claims["exp"] > time.time() - _CLOCK_SKEW_S
    )
    if not valid:
        raise LoginRejected(
            "The identity of the signed-in account could not be verified. Open the link again."
        )
    candidates = [claims.get("email") if claims.get("email_verified") is not False else None]
    # Microsoft vouches for the sign-in name, and sends no email_verified.
    candidates += [claims.get("preferred_username"), claims.get("upn")]
    addresses = dict.fromkeys(value for value in candidates if isinstance(value, str) and "@" in value)
    return Identity(tuple(addresses), str(claims.get("tid", "")))


def _canonical(address: str) -> str:
    """The comparable form of an address: Google ignores dots and treats its two domains as one
    (https://support.google.com/mail/answer/7436150 and /answer/10313, 2026-11)."""
    local, _, domain = address.strip().lower().rpartition("@")  # casefold would equate "ß" and "ss"
    if domain in _GOOGLE_MAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"
