"""The store: all parts combined in one class."""

from __future__ import annotations

from importer.adapters.store.api_clients import SqlApiClients
from importer.adapters.store.audit_trail import SqlAuditTrail
from importer.adapters.store.budgets import SqlBudgets
from importer.adapters.store.checkpoints import SqlCheckpoints
from importer.adapters.store.consents import SqlConsents
from importer.adapters.store.evidence_records import SqlEvidence
from importer.adapters.store.imports import SqlImports
from importer.adapters.store.leases import SqlLeases
from importer.adapters.store.ledger import SqlLedger
from importer.adapters.store.monitoring import SqlMonitoring
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
    SqlEvidence,
    SqlOutbox,
    SqlBudgets,
    SqlConsents,
    SqlWebSessions,
    SqlApiClients,
    SqlWebhookCalls,
    SqlAuditTrail,
    SqlMonitoring,
    SqlImports,
):
    """Implements `importer.ports.store.Store` in SQLite or PostgreSQL, for concurrent threads and processes.

    The schema must exist (`schema.migrate`). Failures of the database, such as a lost connection, raise
    DatabaseUnavailable, OwnDiskFull or sqlalchemy.exc.SQLAlchemyError. The transaction is then not committed;
    only if the connection broke during the commit itself is the outcome unknown.
    """

    @classmethod
    def open(cls, url: str, answer_within_s: float | None = None) -> SqlStore:
        """See `open_engine` for the arguments and what it raises."""
        return cls(open_engine(url, answer_within_s))
