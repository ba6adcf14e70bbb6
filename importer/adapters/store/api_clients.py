"""API tokens, and the stored responses to requests with an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update

from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.tables import answers, tokens
from importer.domain.people.api_tokens import ApiToken, TokenId, TokenScope
from importer.ports.api_clients import KeptAnswer


class SqlApiClients(Database):
    """Implements `importer.ports.api_clients.ApiClients`."""

    def add_token(self, token: ApiToken) -> None:
        values = {name: getattr(token, name) for name in ApiToken.__dataclass_fields__}
        values |= {"scopes": sorted(token.scopes), "domains": sorted(token.domains)}
        with self.writing() as connection:
            connection.execute(insert(tokens).values(values))

    def token_by_digest(self, digest: str) -> ApiToken | None:
        with self.reading() as connection:
            row = connection.execute(select(tokens).where(tokens.c.digest == digest)).one_or_none()
            return None if row is None else _token(row)

    def tokens(self) -> Sequence[ApiToken]:
        with self.reading() as connection:
            return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.seq.desc()))]

    def revoke_token(self, token_id: TokenId, now: datetime) -> ApiToken | None:
        with self.writing() as connection:
            not_revoked = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
            connection.execute(not_revoked.values(revoked_at=now))
            row = connection.execute(select(tokens).where(tokens.c.id == token_id)).one_or_none()
            return None if row is None else _token(row)

    def begin_request(
        self, token_id: TokenId, key: str, fingerprint: str, now: datetime, until: datetime
    ) -> KeptAnswer | None:
        request = and_(answers.c.token_id == token_id, answers.c.key == key)
        begun = {"fingerprint": fingerprint, "status": None, "sealed": b"", "expires_at": until}
        with self.writing() as connection:
            insertion = insert_into(connection, answers).values(token_id=token_id, key=key, **begun)
            claimed = insertion.on_conflict_do_update(
                index_elements=[answers.c.token_id, answers.c.key],
                set_=begun,
                where=answers.c.expires_at <= now,
            ).returning(answers.c.key)
            if connection.execute(claimed).first() is not None:
                return None
            row = connection.execute(select(answers).where(request)).one()
            return KeptAnswer(row.fingerprint, row.status, row.sealed)

    def keep_answer(self, token_id: TokenId, key: str, status: int, sealed: bytes, until: datetime) -> None:
        completed = update(answers).where(answers.c.token_id == token_id, answers.c.key == key)
        with self.writing() as connection:
            connection.execute(completed.values(status=status, sealed=sealed, expires_at=until))

    def forget_request(self, token_id: TokenId, key: str) -> None:
        incomplete = and_(answers.c.token_id == token_id, answers.c.key == key, answers.c.status.is_(None))
        with self.writing() as connection:
            connection.execute(delete(answers).where(incomplete))


def _token(row: Row[Any]) -> ApiToken:
    values = row._asdict()
    del values["seq"]
    scopes, domains = frozenset(map(TokenScope, values["scopes"])), frozenset(values["domains"])
    return ApiToken(**values | {"scopes": scopes, "domains": domains})
