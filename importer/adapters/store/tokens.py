"""Tokens of the API, and what requests with an idempotency key were answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from importer.adapters.store.database import Database, insert_into
from importer.adapters.store.rows import AnyRow
from importer.adapters.store.tables import replies, tokens
from importer.domain.access import ApiToken, Reply, Scope


class SqlTokens(Database):
    """`importer.ports.Tokens`."""

    def add_token(self, token: ApiToken) -> bool:
        with self.writing() as connection:
            added = insert_into(connection, tokens).values(
                name=token.name,
                digest=token.digest,
                scopes=sorted(token.scopes),
                created_at=token.created_at,
            )
            done = connection.execute(added.on_conflict_do_nothing().returning(tokens.c.name))
            return done.scalar() is not None

    def token(self, digest: str) -> ApiToken | None:
        with self.reading() as connection:
            row = connection.execute(select(tokens).where(tokens.c.digest == digest)).one_or_none()
            return None if row is None else _token(row)

    def tokens(self) -> Sequence[ApiToken]:
        with self.reading() as connection:
            return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.name))]

    def end_token(self, name: str) -> bool:
        with self.writing() as connection:
            return connection.execute(delete(tokens).where(tokens.c.name == name)).rowcount == 1

    def claim_reply(self, reply: Reply, now: datetime, lasts: timedelta) -> Reply | None:
        with self.writing() as connection:
            connection.execute(delete(replies).where(replies.c.key == reply.key, replies.c.expires_at <= now))
            claimed = insert_into(connection, replies).values(
                key=reply.key,
                request_digest=reply.request_digest,
                status=0,
                body="",
                expires_at=now + lasts,
            )
            done = connection.execute(claimed.on_conflict_do_nothing().returning(replies.c.key))
            if done.scalar() is not None:
                return None
            row = connection.execute(select(replies).where(replies.c.key == reply.key)).one()
            return Reply(row.key, row.request_digest, row.status, row.body)

    def keep_reply(self, key: str, status: int, body: str, until: datetime) -> None:
        answered = update(replies).where(replies.c.key == key)
        with self.writing() as connection:
            connection.execute(answered.values(status=status, body=body, expires_at=until))

    def drop_reply(self, key: str) -> None:
        with self.writing() as connection:
            connection.execute(delete(replies).where(replies.c.key == key))


def _token(row: AnyRow) -> ApiToken:
    return ApiToken(row.name, row.digest, frozenset(map(Scope, row.scopes)), row.created_at)
