"""Programs at the front door: who calls, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from importer.domain.model import Account
from importer.domain.people.identities import PersonId

TokenId = NewType("TokenId", str)
"""Names a token for people, in lists and logs; it opens nothing."""

MAX_NAME_CHARS: Final = 60


class TokenScope(StrEnum):
    """What a token is good for."""

    READ = "read"  # look at imports and reports
    WRITE = "write"  # start, pause, resume, cancel, run again, undo, check
    BATCH = "batch"  # leave out the passwords of new mailboxes, for the domains of the token
    ADMIN = "admin"  # all of it for everybody's imports, and with what organisations allowed


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A client's right to call. The token itself is only with the client; `digest` is its SHA-256, 64
    hexadecimal digits.

    Tokens with the same `name` are the same client: they see the same imports, so that a token can be
    replaced. `domains` are those that it may bring mail to, all when empty. `webhook_secret` is sealed.
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
        """Who owns what is started with it."""
        return client_of(self.name)

    def good(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)

    def may(self, scope: TokenScope) -> bool:
        return scope in self.scopes or TokenScope.ADMIN in self.scopes

    def why_not_into(self, account: Account) -> str:
        """Why it may not bring mail into that mailbox, as a sentence; "" when it may.

        The login counts as well as the address: it is what the host goes by.
        """
        if not self.domains:
            return ""
        local, _, domain = account.address.rpartition("@")
        if domain.lower().rstrip(".") not in self.domains:
            return f"This token is for mailboxes of {', '.join(sorted(self.domains))} only."
        if account.login.lower() not in (account.address.lower(), local.lower()):
            return "This token takes no login that is another than the address."
        return ""


def client_of(name: str) -> PersonId:
    """The owner of what that client starts. No mailbox and no console is called so."""
    return PersonId(f"client:{name}")


def webhook_context(id_: TokenId) -> str:
    """What the secret of a token's webhook is sealed for."""
    return f"token:{id_}:webhook"
