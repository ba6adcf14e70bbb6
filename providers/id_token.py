"""The identity in an ID token (OpenID Connect Core section 2)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError

from providers.errors import LoginRejected

_CLOCK_SKEW_S: Final = 300
_GOOGLE_MAIL: Final = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Identity:
    """The addresses that a provider vouches for, the most reliable first; `tenant` is the directory."""

    addresses: tuple[str, ...]
    tenant: str = ""

    def owns(self, mailbox: str) -> bool:
        """Whether `mailbox` is one of the addresses, in any equivalent spelling."""
        return any(_canonical(address) == _canonical(mailbox) for address in self.addresses)


def id_token_identity(
    id_token: str, client_id: str, nonce: str, issuers_of: Callable[[Mapping[str, Any]], frozenset[str]]
) -> Identity:
    """Validate an ID token that came directly from the token endpoint.

    The signature need not be checked, because TLS authenticates the issuer (OpenID Connect Core section
    3.1.3.7, 6). Everything else is checked.

    Raises LoginRejected.
    """
    claims = _claims(id_token)
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


def _claims(id_token: str) -> Mapping[str, Any]:
    try:
        claims = json.loads(jws.extract_compact(id_token.encode()).payload)
    except (JoseError, ValueError):
        claims = None
    return claims if isinstance(claims, dict) else {}


def _canonical(address: str) -> str:
    """The comparable form of an address: Google ignores dots and treats its two domains as one
    (https://support.google.com/mail/answer/7436150 and /answer/10313, 2026-11)."""
    local, _, domain = address.strip().lower().rpartition("@")  # casefold would equate "ß" and "ss"
    if domain in _GOOGLE_MAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"
