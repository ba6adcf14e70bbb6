"""Tokens of the API: made by the operator, shown once, kept as digests."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from hashlib import sha256

from importer.domain.access import ApiToken, Scope
from importer.service.deps import Deps


class NameTaken(Exception):
    """There is a token of that name."""


def create(deps: Deps, name: str, scopes: Iterable[Scope]) -> str:
    """A new token, as text: it is not shown again. Raises NameTaken."""
    text = f"mf_{secrets.token_urlsafe(32)}"
    if not deps.store.add_token(ApiToken(name, _digest(text), frozenset(scopes), deps.clock.now())):
        raise NameTaken(name)
    return text


def holder(deps: Deps, text: str) -> ApiToken | None:
    """Whose token this is; None for one that does not hold, or no longer."""
    return deps.store.token(_digest(text)) if text else None


def _digest(text: str) -> str:
    """A token has 256 bits by chance: a plain digest cannot be turned back."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
