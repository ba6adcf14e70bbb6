"""Adds the data of evidence: size and date of each message, the findings of the recount by UID, and
the seal of the evidence as it was when the import ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("receipts", sa.Column("facts", sa.LargeBinary()))
    op.add_column("intents", sa.Column("dates", sa.LargeBinary()))
    op.add_column("accounts", sa.Column("listing", sa.JSON()))
    op.create_table(
        "evidence_seals",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", name="evidence_seals_pk"),
    )
