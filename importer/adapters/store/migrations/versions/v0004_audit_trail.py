"""The audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from importer.adapters.store.append_only import AUDIT_TRIGGERS

revision = "0004"
down_revision = "0003"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("seq", SERIAL, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("concerns", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="audit_events_pk"),
    )
    op.create_index("audit_events_at_ix", "audit_events", ["at"])
    op.create_index("audit_events_concerns_seq_ix", "audit_events", ["concerns", "seq"])
    op.create_index("audit_events_target_seq_ix", "audit_events", ["target", "seq"])
    for statement in AUDIT_TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
