"""Consents: requests to mailbox owners to sign in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from importer.domain.model import ImportId
from importer.ports.leases import Lease
from providers.errors import Side
from providers.frozen import frozen


@frozen
class ConsentRequest:
    """A request to the owner of one side to sign in for one import, over a link that is valid until
    `expires_at`.

    The token in the link is kept as `token_hash`, to look the consent up, and sealed, to show the link again.
    `state_hash` and `question` (sealed) belong to the latest sign-in attempt; both are empty before the
    first.
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
    """Open consent requests, at most one for each side of an import. They are removed when the import
    ends."""

    def add_consent(self, consent: ConsentRequest) -> ConsentRequest:
        """Return the stored request: this one, or the one that existed already."""
        ...

    def consents_of(self, import_id: ImportId) -> Mapping[Side, ConsentRequest]: ...

    def consents_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, Mapping[Side, ConsentRequest]]:
        """The requests of several imports, in one query; imports without any are left out."""
        ...

    def consent_by_token(self, token_hash: str) -> ConsentRequest | None: ...

    def consent_by_state(self, state_hash: str) -> ConsentRequest | None:
        """None for an empty hash."""
        ...

    def begin_consent(self, import_id: ImportId, side: Side, state_hash: str, question: bytes) -> bool:
        """Replace the current sign-in attempt. False if there is no open request."""
        ...

    def give_consent(self, import_id: ImportId, side: Side, state_hash: str, sealed: bytes) -> bool:
        """Accept the sign-in of `state_hash`, in one transaction: remove the request, store the sealed grant
        for that side, and end the import's wait (`not_before`, `problem`).

        Return False, and write nothing, if that sign-in is not the latest one of the request or the import
        has ended.
        """
        ...

    def keep_grant(self, import_id: ImportId, side: Side, sealed: bytes, lease: Lease) -> None:
        """Replace the grant of that side. Raises LeaseLost unless the lease still holds."""
        ...
