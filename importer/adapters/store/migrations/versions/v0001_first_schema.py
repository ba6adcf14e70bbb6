"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("submitter", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("imports", sa.JSON(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="batches_pk"),
        sa.UniqueConstraint("id", name="batches_id_key"),
    )
    op.create_index("batches_created_at_ix", "batches", ["created_at"])
    op.create_index("batches_owner_created_at_ix", "batches", ["owner", "created_at"])
    op.create_table(
        "counts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="counts_pk"),
    )
    op.create_index("counts_expires_at_ix", "counts", ["expires_at"])
    op.create_table(
        "tokens",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("domains", sa.JSON(), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=False),
        sa.Column("webhook_secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="tokens_pk"),
        sa.UniqueConstraint("id", name="tokens_id_key"),
        sa.UniqueConstraint("digest", name="tokens_digest_key"),
    )
    op.create_table(
        "answers",
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "key", name="answers_pk"),
    )
    op.create_index("answers_expires_at_ix", "answers", ["expires_at"])
    op.create_table(
        "calls",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hook", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="calls_pk"),
        sa.UniqueConstraint("key", name="calls_key_key"),
    )
    op.create_index("calls_created_at_ix", "calls", ["created_at"])
    op.create_index("calls_state_not_before_ix", "calls", ["state", "not_before"])
    op.create_table(
        "visits",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="visits_pk"),
    )
    op.create_index("visits_expires_at_ix", "visits", ["expires_at"])
    op.create_table(
        "created_folders",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("folder_key", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="created_folders_pk"),
        sa.UniqueConstraint("import_id", "folder_key", name="created_folders_import_id_folder_key_key"),
    )
    op.create_table(
        "undos",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("folders", sa.JSON(), nullable=False),
        sa.Column("folders_removed", sa.JSON(), nullable=False),
        sa.Column("folders_kept", sa.JSON(), nullable=False),
        sa.Column("doubtful", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", name="undos_pk"),
    )
    op.create_table(
        "folder_maps",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_folder", sa.Text(), nullable=False),
        sa.Column("destination_folder", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("route", "source_key", name="folder_maps_pk"),
    )
    op.create_table(
        "marks",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_folder", sa.Text(), nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uidnext", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("contents", sa.BigInteger(), nullable=False),
        sa.Column("highest_modseq", sa.BigInteger(), nullable=False),
        sa.Column("destination_folder", sa.Text(), nullable=False),
        sa.Column("destination_uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("highest_uid", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("route", "source_key", name="marks_pk"),
    )
    op.create_table(
        "intents",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("destination_key", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("destination_folder", sa.Text(), nullable=False),
        sa.Column("destination_uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uidnext", sa.BigInteger(), nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("source_folder", sa.Text(), nullable=False),
        sa.Column("source_uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("source_uids", sa.Text(), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.Column("sizes_bytes", sa.JSON(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("route", "destination_key", "slot", name="intents_pk"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="leases_pk"),
    )
    op.create_table(
        "notices",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="notices_pk"),
        sa.UniqueConstraint("key", name="notices_key_key"),
    )
    op.create_index("notices_state_created_at_ix", "notices", ["state", "created_at"])
    op.create_table(
        "receipts",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("destination_key", sa.Text(), nullable=False),
        sa.Column("destination_folder", sa.Text(), nullable=False),
        sa.Column("destination_uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("destination_uids", sa.Text(), nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("source_folder", sa.Text(), nullable=False),
        sa.Column("source_uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("source_uids", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("keywords_dropped", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("undoing", sa.Text(), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="receipts_pk"),
    )
    op.create_index("receipts_route_destination_key_seq_ix", "receipts", ["route", "destination_key", "seq"])
    op.create_table(
        "refusals",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("date", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("partly", sa.Boolean(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="refusals_pk"),
    )
    op.create_index("refusals_import_id_seq_ix", "refusals", ["import_id", "seq"])
    op.create_table(
        "routes",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("mailbox_epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", name="routes_pk"),
    )
    op.create_table(
        "imports",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("submission", SERIAL, nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=True),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("source_address", sa.Text(), nullable=False),
        sa.Column("source_login", sa.Text(), nullable=False),
        sa.Column("source_host", sa.Text(), nullable=False),
        sa.Column("source_port", sa.Integer(), nullable=False),
        sa.Column("source_security", sa.Text(), nullable=False),
        sa.Column("source_guarded", sa.Boolean(), nullable=False),
        sa.Column("destination_address", sa.Text(), nullable=False),
        sa.Column("destination_login", sa.Text(), nullable=False),
        sa.Column("destination_host", sa.Text(), nullable=False),
        sa.Column("destination_port", sa.Integer(), nullable=False),
        sa.Column("destination_security", sa.Text(), nullable=False),
        sa.Column("destination_guarded", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitter", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem_code", sa.Text(), nullable=True),
        sa.Column("problem_message", sa.Text(), nullable=True),
        sa.Column("problem_side", sa.Text(), nullable=True),
        sa.Column("problem_server_text", sa.Text(), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("has_labels", sa.Boolean(), nullable=False),
        sa.Column("sync_flags", sa.Boolean(), nullable=False),
        sa.Column("password_mark", sa.Text(), nullable=False),
        sa.Column("wish", sa.Text(), nullable=True),
        sa.Column("held_up_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["submission"], ["batches.seq"], name="imports_submission_fk"),
        sa.PrimaryKeyConstraint("seq", name="imports_pk"),
        sa.UniqueConstraint("id", name="imports_id_key"),
    )
    op.create_index("imports_batch_id_ix", "imports", ["batch_id"])
    op.create_index("imports_created_at_ix", "imports", ["created_at"])
    op.create_index("imports_route_created_at_ix", "imports", ["route", "created_at"])
    op.create_index("imports_state_created_at_ix", "imports", ["state", "created_at"])
    op.create_table(
        "accounts",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_folder", sa.Text(), nullable=False),
        sa.Column("destination_folder", sa.Text(), nullable=False),
        sa.Column("found", sa.BigInteger(), nullable=False),
        sa.Column("copied", sa.BigInteger(), nullable=False),
        sa.Column("present", sa.BigInteger(), nullable=False),
        sa.Column("duplicate", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.JSON(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("copied_bytes", sa.BigInteger(), nullable=False),
        sa.Column("keywords_dropped", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.BigInteger(), nullable=True),
        sa.Column("source_recount", sa.BigInteger(), nullable=True),
        sa.Column("elsewhere", sa.BigInteger(), nullable=False),
        sa.Column("flags_updated", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name="accounts_import_id_fk"),
        sa.PrimaryKeyConstraint("seq", name="accounts_pk"),
        sa.UniqueConstraint("import_id", "source_key", name="accounts_import_id_source_key_key"),
    )
    op.create_table(
        "grants",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("destination", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name="grants_import_id_fk"),
        sa.PrimaryKeyConstraint("import_id", name="grants_pk"),
    )
    op.create_table(
        "slots",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", "number", name="slots_pk"),
    )
    op.create_index("slots_holder_ix", "slots", ["holder"])
    op.create_table(
        "meters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "hour", name="meters_pk"),
    )
    op.create_table(
        "backoffs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("server_text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="backoffs_pk"),
    )
    op.create_table(
        "consents",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_hash", sa.Text(), nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name="consents_import_id_fk"),
        sa.PrimaryKeyConstraint("import_id", "side", name="consents_pk"),
        sa.UniqueConstraint("token_hash", name="consents_token_hash_key"),
    )
    op.create_index("consents_state_hash_ix", "consents", ["state_hash"])
