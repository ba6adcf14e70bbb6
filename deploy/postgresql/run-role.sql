-- The role of pages and workers, mailhaul_run: it reads and writes rows and owns nothing. It can neither change
-- tables nor drop the triggers that keep the audit trail append-only. Run this as the owner of the tables in their
-- database, after `mailhaul migrate`, once: later migrations grant the same on what they add.
-- Before: CREATE ROLE mailhaul_run LOGIN
DO $$ BEGIN
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO mailhaul_run', current_database());
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO mailhaul_run;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mailhaul_run;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO mailhaul_run;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM mailhaul_run;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO mailhaul_run;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO mailhaul_run;
