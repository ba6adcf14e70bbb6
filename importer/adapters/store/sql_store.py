"""The store, put together."""

from __future__ import annotations

from importer.adapters.store.api_clients import SqlApiClients
from importer.adapters.store.budgets import SqlBudgets
from importer.adapters.store.checkpoints import SqlCheckpoints
from importer.adapters.store.consents import SqlConsents
from importer.adapters.store.imports import SqlImports
from importer.adapters.store.leases import SqlLeases
from importer.adapters.store.ledger import SqlLedger
from importer.adapters.store.outbox import SqlOutbox
from importer.adapters.store.sql_engine import open_engine
from importer.adapters.store.undo_records import SqlUndoRecords
from importer.adapters.store.web_sessions import SqlWebSessions
from importer.adapters.store.webhook_calls import SqlWebhookCalls


class SqlStore(
    SqlLeases,
    SqlLedger,
    SqlUndoRecords,
    SqlCheckpoints,
    SqlOutbox,
    SqlBudgets,
    SqlConsents,
    SqlWebSessions,
    SqlApiClients,
    SqlWebhookCalls,
    SqlImports,
):
    """`importer.ports.store.Store` in SQLite or PostgreSQL, safe for threads and for many processes at once.

    The schema has to be there (`schema.migrate`). What the database itself cannot do raises
    sqlalchemy.exc.SQLAlchemyError (unreachable and the like) or OwnDiskFull, and the transaction was not
    committed; only when the connection broke during the commit itself may it have been.
    """

    @classmethod
    def open(cls, url: str) -> SqlStore:
        """See `open_engine` for the URL and what it raises."""
        return cls(open_engine(url))
