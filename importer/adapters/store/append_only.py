"""Triggers that make a table append-only: no row changes, and none of the last day is deleted.

An installation that is broken into cannot rewrite its audit trail through the application's own statements;
the sweep by age still works. (The owner of the tables can drop a trigger: give the application a role of its
own, deploy/INSTALL.md.) Migrations 0004 and 0015 use these statements: change them in a later migration.

Since 0015 one change is possible, when a person's data is erased: a field of an event becomes a pseudonym
(`erased:<digest>`), and its network address empty. Time, action, outcome and operators stay as they are.
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

_CHANGES_MORE: Final = """NOT (NEW.seq = OLD.seq AND NEW.at = OLD.at
        AND NEW.action = OLD.action AND NEW.outcome = OLD.outcome
        AND (NEW.actor = OLD.actor
            OR (substr(NEW.actor, 1, 7) = 'erased:' AND substr(OLD.actor, 1, 9) <> 'operator:'))
        AND (NEW.client = OLD.client OR NEW.client = '')
        AND (NEW.target = OLD.target OR substr(NEW.target, 1, 7) = 'erased:')
        AND (NEW.concerns = OLD.concerns OR substr(NEW.concerns, 1, 7) = 'erased:')
        AND (NEW.detail = OLD.detail OR substr(NEW.detail, 1, 7) = 'erased:'))"""

PSEUDONYM_TRIGGERS: Final = {
    "sqlite": (
        "DROP TRIGGER audit_events_no_update",
        f"""CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events WHEN {_CHANGES_MORE}
        BEGIN SELECT RAISE(ABORT, 'audit_events is append-only'); END""",
    ),
    "postgresql": (
        "DROP TRIGGER audit_events_no_update ON audit_events",
        f"""CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
        FOR EACH ROW WHEN ({_CHANGES_MORE}) EXECUTE FUNCTION audit_events_refuse()""",
    ),
}
"""To be executed after AUDIT_TRIGGERS."""
