"""Consent requests in a dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import RLock

from importer.domain.model import Import, ImportId, State
from importer.ports.consents import ConsentRequest
from importer.ports.leases import Lease
from importer.ports.store import SealedGrants
from providers.errors import Side


class MemoryConsents:
    """`importer.ports.consents.Consents`, a base class of the in-memory store."""

    _lock: RLock
    _imports: dict[ImportId, Import]
    _grants: dict[ImportId, SealedGrants]

    def __init__(self) -> None:
        super().__init__()
        self._consents: dict[tuple[ImportId, Side], ConsentRequest] = {}

    def add_consent(self, consent: ConsentRequest) -> ConsentRequest:
        with self._lock:
            return self._consents.setdefault((consent.import_id, consent.side), consent)

    def consents_of(self, import_id: ImportId) -> Mapping[Side, ConsentRequest]:
        with self._lock:
            return {c.side: c for c in self._consents.values() if c.import_id == import_id}

    def consents_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, Mapping[Side, ConsentRequest]]:
        return {id_: consents for id_ in ids if (consents := self.consents_of(id_))}

    def consent_by_token(self, token_hash: str) -> ConsentRequest | None:
        with self._lock:
            return next((c for c in self._consents.values() if c.token_hash == token_hash), None)

    def consent_by_state(self, state_hash: str) -> ConsentRequest | None:
        with self._lock:
            found = (c for c in self._consents.values() if c.state_hash == state_hash)
            return next(found, None) if state_hash else None

    def begin_consent(self, import_id: ImportId, side: Side, state_hash: str, question: bytes) -> bool:
        with self._lock:
            consent = self._consents.get((import_id, side))
            if consent is None:
                return False
            self._consents[import_id, side] = replace(consent, state_hash=state_hash, question=question)
            return True

    def give_consent(self, import_id: ImportId, side: Side, state_hash: str, sealed: bytes) -> bool:
        with self._lock:
            consent, import_ = self._consents.get((import_id, side)), self._imports.get(import_id)
            if consent is None or consent.state_hash != state_hash or not state_hash:
                return False
            if import_ is None or not self._has_grants(import_):
                return False
            del self._consents[import_id, side]
            self._grants[import_id] = replace(self._grants[import_id], **{side.value: sealed})
            not_before = import_.not_before if import_.state is State.PAUSED else None
            self._imports[import_id] = replace(import_, not_before=not_before, problem=None)
            return True

    def keep_grant(self, import_id: ImportId, side: Side, sealed: bytes, lease: Lease) -> None:
        with self._lock:
            self._demand(lease)
            if import_id in self._grants:
                self._grants[import_id] = replace(self._grants[import_id], **{side.value: sealed})

    def _has_grants(self, import_: Import) -> bool:
        raise NotImplementedError

    def _demand(self, lease: Lease) -> None:
        raise NotImplementedError
