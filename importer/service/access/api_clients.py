"""API clients: their tokens, and what each token may see.

Invariants: a token is shown once and only its digest is stored; objects of another client are treated as
nonexistent.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import field
from datetime import timedelta
from hashlib import sha256
from typing import Final

from importer.domain.import_filter import ImportFilter
from importer.domain.model import Batch, BatchId, Import, ImportId
from importer.domain.people.api_tokens import ApiToken, TokenId, TokenScope, webhook_context
from importer.service.access.visibility import batch_of, import_of
from importer.service.deps import Deps
from importer.service.imports.submit import new_id
from providers.endpoint import Secret
from providers.frozen import frozen

PREFIX: Final = "mailhaul_"
"""Prefix of all tokens, so that scanners for leaked secrets recognise them."""

_FORM: Final = re.compile(r"[a-z]{1,16}_[\w-]{43}", re.ASCII)
"""Tokens that an earlier version issued begin otherwise; the digest covers the whole token."""
_ID: Final = re.compile(r"[a-z0-9]{1,32}")


@frozen
class Issued:
    """A new token and its secrets, which are shown only once.

    The client sends `secret`; `webhook_secret` signs the calls to its webhook (None without a webhook).
    """

    token: ApiToken
    secret: Secret = field(repr=False)
    webhook_secret: Secret | None = field(default=None, repr=False)


def issue_token(
    deps: Deps,
    name: str,
    scopes: Collection[TokenScope],
    *,
    domains: Collection[str] = (),
    lifetime: timedelta | None = None,
    webhook_url: str = "",
) -> Issued:
    """Create and store a token. A fast hash suffices for 32 random bytes."""
    secret = Secret(PREFIX + secrets.token_urlsafe(32))
    id_, now = TokenId(new_id()), deps.clock.now()
    webhook_secret = Secret(secrets.token_urlsafe(32)) if webhook_url else None
    token = ApiToken(
        id_,
        name,
        _digest(secret.reveal()),
        frozenset(scopes),
        now,
        expires_at=None if lifetime is None else now + lifetime,
        domains=frozenset(domains),
        webhook_url=webhook_url,
        webhook_secret=deps.vault.seal(webhook_secret, webhook_context(id_)) if webhook_secret else b"",
    )
    deps.store.add_token(token)
    return Issued(token, secret, webhook_secret)


def authenticate(deps: Deps, secret: str) -> ApiToken | None:
    """The valid token with that secret; None if it is unknown, revoked or expired."""
    if not _FORM.fullmatch(secret):
        return None
    token = deps.store.token_by_digest(_digest(secret))
    return token if token is not None and token.good(deps.clock.now()) else None


def list_tokens(deps: Deps) -> Sequence[ApiToken]:
    """All tokens, revoked and expired ones included, newest first."""
    return deps.store.tokens()


def revoke(deps: Deps, id_: str) -> ApiToken | None:
    """Revoke a token permanently; None if there is none with that id. Idempotent."""
    return deps.store.revoke_token(TokenId(id_), deps.clock.now())


# --- Visibility -----------------------------------------------------------------------------------------


def visible_import(deps: Deps, token: ApiToken, id_: str) -> Import | None:
    """None if there is no such import or the token may not see it."""
    if not _ID.fullmatch(id_):
        return None
    if TokenScope.ADMIN in token.scopes:
        return deps.store.import_(ImportId(id_))
    return import_of(deps, token.client, ImportId(id_))


def visible_batch(deps: Deps, token: ApiToken, id_: str) -> tuple[Batch, Sequence[Import]] | None:
    """None if there is no such batch or the token may not see it."""
    if not _ID.fullmatch(id_):
        return None
    if TokenScope.ADMIN not in token.scopes:
        return batch_of(deps, token.client, BatchId(id_))
    batch = deps.store.batch(BatchId(id_))
    if batch is None:
        return None
    return batch, deps.store.imports(ImportFilter(batch_id=batch.id), limit=len(batch.imports))


def owner_filter(token: ApiToken) -> str | None:
    """The owner whose batches and imports the token may list; None for all owners."""
    return None if TokenScope.ADMIN in token.scopes else token.client


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
