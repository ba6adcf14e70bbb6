"""API tokens: the client that a token identifies, and its permissions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from importer.domain.model import Account
from importer.domain.people.identities import PersonId
from providers.frozen import frozen
from providers.text import Text

TokenId = NewType("TokenId", str)
"""Identifies a token in lists and logs. Not a secret."""

MAX_NAME_CHARS: Final = 60


class TokenScope(StrEnum):
    """A permission of a token."""

    READ = "read"  # read imports and reports
    WRITE = "write"  # start, pause, resume, cancel, run again, undo, check
    BATCH = "batch"  # omit the passwords of new mailboxes in the token's domains
    ADMIN = "admin"  # all of the above for every owner's imports, and organisation-wide grants


@frozen
class ApiToken:
    """A client's permission to call the API. Only the client has the token itself; `digest` is its SHA-256,
    as 64 hexadecimal digits.

    Tokens with the same `name` belong to the same client and see the same imports, so that a token can be
    replaced. `domains` are the destination domains that it permits, all if empty. `webhook_secret` is sealed.
    """

    id: TokenId
    name: str
    digest: str
    scopes: frozenset[TokenScope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    domains: frozenset[str] = frozenset()
    webhook_url: str = ""
    webhook_secret: bytes = b""

    @property
    def client(self) -> PersonId:
        """The owner of imports started with this token."""
        return client_of(self.name)

    def good(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    def may(self, scope: TokenScope) -> bool:
        return scope in self.scopes or TokenScope.ADMIN in self.scopes

    def why_not_into(self, account: Account) -> Text | None:
        """Why this token does not permit imports into that mailbox; None if it does.

        The login is checked as well as the address, because the host identifies the mailbox by its login.
        """
        if not self.domains:
            return None
        local, _, domain = account.address.rpartition("@")
        if domain.lower().rstrip(".") not in self.domains:
            return Text("destination_not_allowed.domains", domains=", ".join(sorted(self.domains)))
        if account.login.lower() not in (account.address.lower(), local.lower()):
            return Text("destination_not_allowed.login")
        return None


def client_of(name: str) -> PersonId:
    """The owner of imports started by that client. Never equal to the id of a mailbox owner or the
    console."""
    return PersonId(f"client:{name}")


def webhook_context(id_: TokenId) -> str:
    """The context that the webhook secret of a token is sealed with."""
    return f"token:{id_}:webhook"
