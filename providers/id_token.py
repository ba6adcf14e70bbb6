"""Whose consent it is: the claims of an ID token (OpenID Connect Core section 2)."""

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
    """The addresses that a provider vouches for, the most telling first; `tenant` is the directory."""

    addresses: tuple[str, ...]
    tenant: str = ""

    def owns(self, mailbox: str) -> bool:
        """Whether `mailbox` is one of them, however it is written."""
        return any(_canonical(address) == _canonical(mailbox) for address in self.addresses)


def id_token_identity(
    id_token: str, client_id: str, nonce: str, issuers_of: Callable[[Mapping[str, Any]], frozenset[str]]
) -> Identity:
    """Reads an ID token that came straight from the token endpoint: its signature need not be looked at,
    TLS proves who sent it (OpenID Connect Core section 3.1.3.7, 6). Everything else is checked.

    Raises LoginRejected.
    """
    claims = _claims(id_token)
    audience = claims.get("aud")
    right = (
        audience in (client_id, [client_id])
        and claims.get("iss") in issuers_of(claims)
        and claims.get("nonce") == nonce
        and isinstance(claims.get("exp"), int | float)
        and claims["exp"] > time.time() - _CLOCK_SKEW_S
    )
    if not right:
        raise LoginRejected("The answer does not say for whom it is. Open the link again.")
    told = [claims.get("email") if claims.get("email_verified") is not False else None]
    # Microsoft vouches for the sign-in name, and sends no email_verified.
    told += [claims.get("preferred_username"), claims.get("upn")]
    addresses = dict.fromkeys(one for one in told if isinstance(one, str) and "@" in one)
    return Identity(tuple(addresses), str(claims.get("tid", "")))


def _claims(id_token: str) -> Mapping[str, Any]:
    try:
        found = json.loads(jws.extract_compact(id_token.encode()).payload)
    except (JoseError, ValueError):
        found = None
    return found if isinstance(found, dict) else {}


def _canonical(address: str) -> str:
    """Google ignores dots, and its two domains are one
    (https://support.google.com/mail/answer/7436150 and /answer/10313, 2026-11)."""
    local, _, domain = address.strip().lower().rpartition("@")  # folding would make one of "ß" and "ss"
    if domain in _GOOGLE_MAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"
