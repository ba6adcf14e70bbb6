"""Owners who are asked to sign in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from importer.domain.model import ImportId
from importer.ports.leases import Lease
from providers.errors import Side


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """The owner of one side who was asked to sign in for one import, over a link that works until
    `expires_at`.

    The link's token is kept as `token_hash`, to find the consent by, and sealed, to show the link again.
    `state_hash` and `question` (sealed) belong to the sign-in that was begun last, empty before.
    """

    import_id: ImportId
    side: Side
    token_hash: str
    token: bytes
    asked_at: datetime
    expires_at: datetime
    state_hash: str = ""
    question: bytes = b""


class Consents(Protocol):
    """Owners who are asked; at most one consent for each side of an import. It ends with the import."""

    def add_consent(self, consent: ConsentRequest) -> ConsentRequest:
        """The one that stands: this one, or the one that was there."""
        ...

    def consents_of(self, import_id: ImportId) -> Mapping[Side, ConsentRequest]: ...

    def consent_by_token(self, token_hash: str) -> ConsentRequest | None: ...

    def consent_by_state(self, state_hash: str) -> ConsentRequest | None:
        """None for an empty hash."""
        ...

    def begin_consent(self, import_id: ImportId, side: Side, state_hash: str, question: bytes) -> bool:
        """Replaces the sign-in that was begun; False when there is nothing to begin any more."""
        ...

    def give_consent(self, import_id: ImportId, side: Side, state_hash: str, sealed: bytes) -> bool:
        """In one transaction: removes the consent, if that sign-in is its last one, keeps the sealed grant
        for that side, and the import waits no longer (`not_before`, `problem`). Else False, and nothing
        is written; so too when the import has ended."""
        ...

    def keep_grant(self, import_id: ImportId, side: Side, sealed: bytes, lease: Lease) -> None:
        """Replaces the grant of that side. Raises LeaseLost unless the lease still holds."""
        ...
