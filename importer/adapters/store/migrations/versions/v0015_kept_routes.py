"""Routes whose receipts outlive their imports, and audit events that can be pseudonymised."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from importer.adapters.store.append_only import PSEUDONYM_TRIGGERS

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "kept_routes",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("route", name="kept_routes_pk"),
    )
    op.create_index("kept_routes_used_at_ix", "kept_routes", ["used_at"])
    op.create_index("kept_routes_destination_ix", "kept_routes", ["destination"])
    op.create_index("imports_submission_ix", "imports", ["submission"])
    for statement in PSEUDONYM_TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
