"""Identities of people, their web sessions, and rate limits."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Final, NewType

from importer.domain.model import Account
from providers.frozen import frozen

PersonId = NewType("PersonId", str)
"""The owner of batches and imports: `mailbox:<Account.key>` for a person who logged in to that mailbox,
`openid:<digest>` for a person who signed in at an issuer, `client:<name>` for an API client, `""` for the
console."""

WebSessionId = NewType("WebSessionId", str)
"""The digest of a session token, as 64 hexadecimal digits. Only the browser has the token itself."""

NO_PERSON: Final = PersonId("")


def person_of(account: Account) -> PersonId:
    """The person who owns that mailbox."""
    return PersonId(f"mailbox:{account.key}")


def person_at(issuer: str, subject: str) -> PersonId:
    """The person that `issuer` identifies as `subject`."""
    return PersonId(f"openid:{sha256(json.dumps([issuer, subject]).encode()).hexdigest()}")


@frozen
class WebSession:
    """A signed-in person in one browser. `sealed` holds the session data, passwords included, sealed for this
    session only. `client` is the network address that it began from; `used_at` is within a minute of the last
    page that the person opened."""

    id: WebSessionId
    person: PersonId
    created_at: datetime
    expires_at: datetime
    sealed: bytes
    client: str
    used_at: datetime


@frozen
class RateLimit:
    """At most `tries` attempts in any `seconds` seconds."""

    tries: int
    seconds: int
