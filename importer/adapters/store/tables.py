"""The tables. Each change here needs a migration (`migrations/versions`).

Receipts, intents, refusals, folder maps and routes have no foreign key to imports: they belong to a route and
outlive the import that wrote them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
)

from importer.adapters.store.append_only import AUDIT_TRIGGERS, PSEUDONYM_TRIGGERS
from importer.adapters.store.columns import CodedText, EventDetail, ExactText, Instant

# SQLite numbers rows automatically only in INTEGER columns, which hold 64 bits there.
_SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")

metadata: Final = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    }
)

leases: Final = Table(
    "leases",
    metadata,
    Column("name", ExactText, primary_key=True),
    Column("owner", ExactText),  # NULL: released
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

batches: Final = Table(
    "batches",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False, index=True),
    Column("name", ExactText, nullable=False),
    Column("submitter", ExactText, nullable=False),
    Column("language", Text, nullable=False),
    Column("imports", JSON, nullable=False),  # ids in order
    Column("owner", ExactText, nullable=False),
    Column("is_trusted", Boolean, nullable=False, server_default="1"),
    Index(None, "owner", "created_at"),
)

imports: Final = Table(
    "imports",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("submission", ForeignKey("batches.seq"), nullable=False),  # batch of the same `add_batch`
    Column("batch_id", Text),
    Column("row", Integer, nullable=False),
    Column("route", Text, nullable=False),
    Column("source_address", ExactText, nullable=False),
    Column("source_login", ExactText, nullable=False),
    Column("source_host", ExactText, nullable=False),
    Column("source_port", Integer, nullable=False),
    Column("source_security", Text, nullable=False),
    Column("source_guarded", Boolean, nullable=False),
    Column("destination_address", ExactText, nullable=False),
    Column("destination_login", ExactText, nullable=False),
    Column("destination_host", ExactText, nullable=False),
    Column("destination_port", Integer, nullable=False),
    Column("destination_security", Text, nullable=False),
    Column("destination_guarded", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
    Column("submitter", ExactText, nullable=False),
    Column("language", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("problem_code", Text),  # NULL: no problem
    Column("problem_message", ExactText),  # of 0.1.0, as is `reason` of refusals and `message` of backoffs
    Column("problem_text", CodedText),
    Column("problem_side", Text),
    Column("problem_server_text", ExactText),
    Column("not_before", Instant),
    Column("attempts", Integer, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("has_labels", Boolean, nullable=False),
    Column("alerts", JSON, nullable=False, server_default="[]"),  # [side, text] of each
    Column("password_mark", Text, nullable=False),
    Column("wish", Text),  # ControlRequest; NULL: resume
    Column("held_up_since", Instant),
    Column("proven", Boolean, nullable=False, server_default=false()),
    Column("grants_kept_until", Instant, index=True),
    Column("reopened", Integer, nullable=False, server_default="0"),
    Column("successor", Text),
    Column("options", JSON, nullable=False, server_default="{}"),
    Column("moved_at", Instant),
    Column("retry_of", Text, index=True),
    Index(None, "submission"),
    Index(None, "batch_id"),
    Index(None, "route", "created_at"),
    Index(None, "state", "created_at"),
)

grants: Final = Table(
    "grants",
    metadata,
    Column("import_id", ForeignKey("imports.id"), primary_key=True),
    Column("source", LargeBinary, nullable=False),
    Column("destination", LargeBinary, nullable=False),
)

consents: Final = Table(
    "consents",
    metadata,
    Column("import_id", ForeignKey("imports.id"), primary_key=True),
    Column("side", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("token", LargeBinary, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("state_hash", Text, nullable=False, index=True),
    Column("question", LargeBinary, nullable=False),
)

folder_tallies: Final = Table(
    "accounts",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("import_id", ForeignKey("imports.id"), nullable=False),
    Column("source_key", Text, nullable=False),
    Column("source_folder", ExactText, nullable=False),
    Column("destination_folder", ExactText, nullable=False),
    Column("found", BigInteger, nullable=False),
    Column("copied", BigInteger, nullable=False),
    Column("present", BigInteger, nullable=False),
    Column("duplicate", BigInteger, nullable=False),
    Column("skipped", JSON, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("copied_bytes", BigInteger, nullable=False),
    Column("keywords_dropped", BigInteger, nullable=False),
    Column("confirmed", BigInteger),
    Column("source_recount", BigInteger),
    Column("elsewhere", BigInteger, nullable=False),
    Column("flags_updated", BigInteger, nullable=False),
    Column("recognised", BigInteger, nullable=False, server_default="0"),
    Column("changes", JSON, nullable=False, server_default="{}"),
    Column("gone", BigInteger, nullable=False, server_default="0"),
    Column("unchecked", BigInteger, nullable=False, server_default="0"),
    Column("listing", JSON(none_as_null=True)),  # `FolderListing.as_json`
    UniqueConstraint("import_id", "source_key"),
)

routes: Final = Table(
    "routes",
    metadata,
    Column("route", Text, primary_key=True),
    Column("mailbox_epoch", BigInteger, nullable=False),
)

kept_routes: Final = Table(
    "kept_routes",  # whose imports were removed, all or some
    metadata,
    Column("route", Text, primary_key=True),
    Column("used_at", Instant, nullable=False, index=True),
    Column("destination", Text, nullable=False, index=True),  # `personal_digest` of the account's key
    Column("addresses", JSON, nullable=False),  # `personal_digest` of each address and login
)

folder_maps: Final = Table(
    "folder_maps",
    metadata,
    Column("route", Text, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("source_folder", ExactText, nullable=False),
    Column("destination_folder", ExactText, nullable=False),
)

folder_checkpoints: Final = Table(
    "marks",
    metadata,
    Column("route", Text, primary_key=True),
    Column("source_key", Text, primary_key=True),
    Column("source_folder", ExactText, nullable=False),
    Column("import_id", Text, nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uidnext", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("contents", BigInteger, nullable=False),
    Column("highest_modseq", BigInteger, nullable=False),
    Column("destination_folder", ExactText, nullable=False),
    Column("destination_uidvalidity", BigInteger, nullable=False),
    Column("highest_uid", BigInteger, nullable=False),
    Column("account", JSON, nullable=False),
    Column("destination_uidnext", BigInteger),
    Column("destination_messages", BigInteger),
)

receipts: Final = Table(
    "receipts",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("route", Text, nullable=False),
    Column("destination_key", Text, nullable=False),
    Column("destination_folder", ExactText, nullable=False),
    Column("destination_uidvalidity", BigInteger, nullable=False),
    Column("destination_uids", Text, nullable=False),  # written by `uid_set.format_ordered`
    Column("import_id", Text, nullable=False),
    Column("source_folder", ExactText, nullable=False),
    Column("source_uidvalidity", BigInteger, nullable=False),
    Column("source_uids", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("digests", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("reason", ExactText, nullable=False),
    Column("keywords_dropped", BigInteger, nullable=False),
    Column("flags", ExactText, nullable=False),  # written by `flags.fold_flags`
    Column("marks", Text, nullable=False, server_default=""),  # in hexadecimal digits
    Column("facts", LargeBinary),  # of `compact/message_facts.py`
    Column("undoing", Text, nullable=False, default=""),  # destination UIDs that undo is about to remove
    Column("undone", Boolean, nullable=False, default=False),  # no longer counts as copied
    Index(None, "route", "destination_key", "seq"),
)

created_folders: Final = Table(
    "created_folders",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("import_id", Text, nullable=False),
    Column("folder_key", Text, nullable=False),
    Column("folder", ExactText, nullable=False),
    UniqueConstraint("import_id", "folder_key"),
)

undos: Final = Table(
    "undos",
    metadata,
    Column("import_id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("folders", JSON, nullable=False),
    Column("folders_removed", JSON, nullable=False),
    Column("folders_kept", JSON, nullable=False),
    Column("doubtful", BigInteger, nullable=False),
)

evidence_seals: Final = Table(
    "evidence_seals",
    metadata,
    Column("import_id", Text, primary_key=True),
    Column("content", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("signature", Text, nullable=False),
)

intents: Final = Table(
    "intents",
    metadata,
    Column("route", Text, primary_key=True),
    Column("destination_key", Text, primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("destination_folder", ExactText, nullable=False),
    Column("destination_uidvalidity", BigInteger, nullable=False),
    Column("uidnext", BigInteger, nullable=False),
    Column("import_id", Text, nullable=False),
    Column("source_folder", ExactText, nullable=False),
    Column("source_uidvalidity", BigInteger, nullable=False),
    Column("source_uids", Text, nullable=False),
    Column("digests", LargeBinary, nullable=False),
    Column("sizes_bytes", JSON, nullable=False),
    Column("flags", ExactText, nullable=False),
    Column("marks", Text, nullable=False, server_default=""),
    Column("dates", LargeBinary),  # of `compact/message_facts.py`
    Column("sent_at", Instant, nullable=False),
)

refusals: Final = Table(
    "refusals",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("import_id", Text, nullable=False),
    Column("folder", ExactText, nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", BigInteger),
    Column("reason", ExactText, nullable=False),
    Column("text", CodedText),
    Column("date", ExactText, nullable=False),
    Column("subject", ExactText, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("partly", Boolean, nullable=False),
    Column("code", Text, nullable=False),
    Index(None, "import_id", "seq"),
)

notices: Final = Table(
    "notices",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("key", ExactText, nullable=False, unique=True),
    Column("recipient", ExactText, nullable=False),
    Column("subject", ExactText, nullable=False),
    Column("text", ExactText, nullable=False),
    Column("html", ExactText, nullable=False),
    Column("message_id", ExactText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Instant),
    Column("error", ExactText, nullable=False),
    Index(None, "state", "created_at"),
)

slots: Final = Table(
    "slots",
    metadata,
    Column("name", ExactText, primary_key=True),  # of an account or a host
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("holder", ExactText, nullable=False, index=True),
    Column("expires_at", Instant, nullable=False),
)

meters: Final = Table(
    "meters",
    metadata,
    Column("name", ExactText, primary_key=True),  # of an account, and a direction
    Column("hour", Instant, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
)

backoffs: Final = Table(
    "backoffs",
    metadata,
    Column("name", ExactText, primary_key=True),
    Column("until", Instant, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", ExactText, nullable=False),
    Column("server_text", ExactText, nullable=False),
    Column("text", CodedText),
)

visits: Final = Table(
    "visits",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person", ExactText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("client", ExactText, nullable=False),
    Column("used_at", Instant, nullable=False),
    Index(None, "person"),
)

counts: Final = Table(
    "counts",
    metadata,
    Column("key", ExactText, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

tokens: Final = Table(
    "tokens",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", ExactText, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("domains", JSON, nullable=False),
    Column("webhook_url", ExactText, nullable=False),
    Column("webhook_secret", LargeBinary, nullable=False),
)

answers: Final = Table(
    "answers",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("key", ExactText, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer),  # NULL: under way
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
)

calls: Final = Table(
    "calls",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("hook", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("body", ExactText, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Instant),
    Column("error", ExactText, nullable=False),
    Index(None, "state", "not_before"),
)

workers: Final = Table(
    "workers",
    metadata,
    Column("name", ExactText, primary_key=True),
    Column("version", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("last_report_at", Instant, nullable=False),
    Column("clock_ahead_s", Float, nullable=False),
)

audit_events: Final = Table(
    "audit_events",
    metadata,
    Column("seq", _SERIAL, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("actor", ExactText, nullable=False),
    Column("client", ExactText, nullable=False),
    Column("target", ExactText, nullable=False),
    Column("concerns", ExactText, nullable=False),
    Column("detail", EventDetail, nullable=False),
    Index(None, "concerns", "seq"),
    Index(None, "target", "seq"),
)
for _dialect, _statements in AUDIT_TRIGGERS.items():
    for _statement in (*_statements, *PSEUDONYM_TRIGGERS[_dialect]):
        event.listen(audit_events, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
