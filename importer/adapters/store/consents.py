"""Requests for owners to sign in, and the grants that result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, case, delete, null, select, update

from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.imports import HAS_GRANTS, IS_PAUSED
from importer.adapters.store.tables import consents, grants, imports
from importer.domain.model import ImportId
from importer.ports.consents import ConsentRequest
from importer.ports.leases import Lease
from providers.errors import Side


class SqlConsents(Database):
    """Implements `importer.ports.consents.Consents`."""

    def add_consent(self, consent: ConsentRequest) -> ConsentRequest:
        with self.writing() as connection:
            insertion = insert_into(connection, consents).values(asdict(consent))
            key = [consents.c.import_id, consents.c.side]
            connection.execute(insertion.on_conflict_do_nothing(index_elements=key))
        return self.consents_of(consent.import_id).get(consent.side, consent)

    def consents_of(self, import_id: ImportId) -> Mapping[Side, ConsentRequest]:
        return self.consents_by_import([import_id]).get(import_id, {})

    def consents_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, Mapping[Side, ConsentRequest]]:
        statement = select(consents).where(consents.c.import_id.in_(ids))
        found: dict[ImportId, dict[Side, ConsentRequest]] = defaultdict(dict)
        with self.reading() as connection:
            for consent in map(_consent, connection.execute(statement)):
                found[consent.import_id][consent.side] = consent
        return dict(found)

    def consent_by_token(self, token_hash: str) -> ConsentRequest | None:
        return self._first(consents.c.token_hash == token_hash)

    def consent_by_state(self, state_hash: str) -> ConsentRequest | None:
        return self._first(consents.c.state_hash == state_hash) if state_hash else None

    def begin_consent(self, import_id: ImportId, side: Side, state_hash: str, question: bytes) -> bool:
        begun = update(consents).where(*_is(import_id, side)).values(state_hash=state_hash, question=question)
        with self.writing() as connection:
            return connection.execute(begun).rowcount == 1

    def give_consent(self, import_id: ImportId, side: Side, state_hash: str, sealed: bytes) -> bool:
        with self.writing() as connection:
            alive = (
                update(imports)  # first: waits for a concurrent finish_import and then sees its result
                .where(
                    imports.c.id == import_id,
                    imports.c.id.in_(
                        select(consents.c.import_id).where(
                            *_is(import_id, side), consents.c.state_hash == state_hash
                        )
                    ),
                    *HAS_GRANTS,
                )
                .values(
                    not_before=case((IS_PAUSED, imports.c.not_before), else_=null()),
                    problem_code=None,
                    problem_message=None,
                    problem_side=None,
                    problem_server_text=None,
                )
            )
            if not state_hash or connection.execute(alive).rowcount == 0:
                return False
            # A concurrent sign-in that waited for the row of `imports` still sees the consent in its snapshot
            # (PostgreSQL, READ COMMITTED). Only one of them deletes it.
            used = delete(consents).where(*_is(import_id, side), consents.c.state_hash == state_hash)
            if connection.execute(used).rowcount == 0:
                return False
            granted = update(grants).where(grants.c.import_id == import_id).values({side.value: sealed})
            connection.execute(granted)
            return True

    def keep_grant(self, import_id: ImportId, side: Side, sealed: bytes, lease: Lease) -> None:
        replaced = update(grants).where(grants.c.import_id == import_id).values({side.value: sealed})
        with self.writing(lease) as connection:
            connection.execute(replaced)

    def _first(self, condition: ColumnElement[bool]) -> ConsentRequest | None:
        with self.reading() as connection:
            row = connection.execute(select(consents).where(condition)).one_or_none()
            return None if row is None else _consent(row)


def _is(import_id: ImportId, side: Side) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return consents.c.import_id == import_id, consents.c.side == side


def _consent(row: Row[Any]) -> ConsentRequest:
    return ConsentRequest(**{**row._mapping, "side": Side(row.side)})
