"""Who is at the front door: people, their visits, and how often something was tried."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NewType

from importer.domain.model import Account

PersonId = NewType("PersonId", str)
"""Who owns batches and imports: `mailbox:<Account.key>` for who proved a mailbox, `openid:<digest>` for who
signed in at an issuer, `client:<name>` for the API, `""` for the console."""

WebSessionId = NewType("WebSessionId", str)
"""The digest of a visit's token, 64 hexadecimal digits; the token itself is only in its owner's browser."""

NOBODY: Final = PersonId("")


def person_of(account: Account) -> PersonId:
    """The person whose own mailbox this is."""
    return PersonId(f"mailbox:{account.key}")


def person_at(issuer: str, subject: str) -> PersonId:
    """The person whom that issuer knows by that subject."""
    return PersonId(f"openid:{sha256(json.dumps([issuer, subject]).encode()).hexdigest()}")


@dataclass(frozen=True, slots=True)
class WebSession:
    """A person who is signed in, in one browser. `sealed` is what the visit remembers, passwords included,
    sealed for this visit alone."""

    id: WebSessionId
    person: PersonId
    created_at: datetime
    expires_at: datetime
    sealed: bytes


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `tries` in each span of `seconds`."""

    tries: int
    seconds: int
