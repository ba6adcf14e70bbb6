"""Triggers that make a table append-only: no row changes, and none of the last day is deleted.

An installation that is broken into cannot rewrite its audit trail through the application's own statements;
the sweep by age still works. (The owner of the tables can drop a trigger: give the application a role of its
own, deploy/INSTALL.md.) Migration 0004 uses these statements: change them in a later migration.
"""

from __future__ import annotations

from typing import Final

AUDIT_TRIGGERS: Final = {
    "sqlite": (
        """CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
        BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END""",
        """CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
        WHEN OLD.at > datetime('now', '-1 day')
        BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'audit_events is append-only'; END $$""",
        """CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
        FOR EACH ROW EXECUTE FUNCTION audit_events_refuse()""",
        """CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
        FOR EACH ROW WHEN (OLD.at > now() - interval '1 day') EXECUTE FUNCTION audit_events_refuse()""",
    ),
}
"""The statements by SQLAlchemy's name of the dialect."""
