"""Reads the importer's tables with plain SQL: its records so far, and its posted mails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.rehearsal.fill import FolderPath

_DIGEST_CHARACTERS = 32  # of the first half of SHA-256
_ANY_UIDVALIDITY = 0

_RECEIPTS = """
SELECT DISTINCT i.source_login, r.digests FROM receipts r JOIN imports i ON i.route = r.route
WHERE i.destination_login = %s AND r.destination_folder = %s AND r.destination_uidvalidity = ANY(%s)
    AND NOT r.undone
"""
_INTENTS = """
SELECT DISTINCT i.source_login, n.digests FROM intents n JOIN imports i ON i.route = n.route
WHERE i.destination_login = %s AND n.destination_folder = %s
"""
_LAST = """
SELECT i.source_login, r.destination_folder, r.destination_uidvalidity
FROM receipts r JOIN imports i ON i.id = r.import_id
WHERE i.destination_login = %s AND NOT r.undone ORDER BY r.seq
"""
_NOTICES = "SELECT message_id, recipient, state, key, error FROM notices"


class LedgerReader:
    """Answers from one database. `sources` and `destinations` are logins; their index is the number."""

    def __init__(self, url: str, sources: Sequence[str], destinations: Sequence[str]) -> None:
        parts = make_url(url)
        self._where = {
            "dbname": parts.database,
            "user": parts.username,
            "host": str(parts.query.get("host", "")),
            "port": parts.port,
        }
        self._numbers = {login: number for number, login in enumerate(sources)}
        self._destinations = destinations

    def settled(self, destination: int, folder: FolderPath, uidvalidity: int) -> dict[str, frozenset[int]]:
        """By the first half of each content's digest: the sources that have a receipt for it in that folder
        and no open intent."""
        login, name = self._destinations[destination], "/".join(folder)
        doubtful = {
            (source, one) for source, some in self._query(_INTENTS, login, name) for one in _each(some)
        }
        settled: dict[str, set[int]] = {}
        for source, some in self._query(_RECEIPTS, login, name, [uidvalidity, _ANY_UIDVALIDITY]):
            for one in _each(some):
                if (source, one) not in doubtful:
                    settled.setdefault(one, set()).add(self._numbers[source])
        return {one: frozenset(numbers) for one, numbers in settled.items()}

    def last_uidvalidities(self, destination: int) -> dict[int, dict[str, int]]:
        """For each source the UIDVALIDITY that its last receipt into each folder names."""
        last: dict[int, dict[str, int]] = {}
        for source, folder, value in self._query(_LAST, self._destinations[destination]):
            last.setdefault(self._numbers[source], {})[folder] = value
        return last

    def states(self) -> dict[str, str]:
        """The state of each import, in the order of submission."""
        return dict(self._query("SELECT id, state FROM imports ORDER BY seq"))

    def routes(self) -> dict[str, tuple[int, int]]:
        """The numbers of source and destination of each import."""
        rows = self._query("SELECT id, source_login, destination_login FROM imports")
        return {id_: (self._numbers[old], self._destinations.index(new)) for id_, old, new in rows}

    def hurry_mails(self) -> None:
        """Make mails that wait for their next attempt due now. The only write."""
        self._execute("UPDATE notices SET not_before = NULL WHERE state = 'pending'")

    def notices(self) -> list[tuple[str, str, str, str, str]]:
        """Message-ID, recipient, state, key and error of each mail that was posted."""
        return self._query(_NOTICES)

    def history_of(self, digest: str) -> list[tuple[Any, ...]]:
        """All receipts and intents that mention a content, for a person."""
        half = bytes.fromhex(digest[:_DIGEST_CHARACTERS])
        return self._query(
            "SELECT 'receipt', i.source_login, r.import_id, r.destination_folder, r.destination_uidvalidity,"
            " r.source_uidvalidity, r.outcome, r.destination_uids FROM receipts r"
            " LEFT JOIN imports i ON i.id = r.import_id WHERE position(%s::bytea in r.digests) > 0"
            " ORDER BY r.seq",
            half,
        )

    def _execute(self, statement: str) -> None:
        with psycopg.connect(**self._where, autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute(statement)

    def _query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(**self._where, autocommit=True) as connection:  # type: ignore[arg-type]
            return connection.execute(statement, values).fetchall()


def _each(digests: bytes) -> set[str]:
    text = bytes(digests).hex()
    return {text[at : at + _DIGEST_CHARACTERS] for at in range(0, len(text), _DIGEST_CHARACTERS)}
