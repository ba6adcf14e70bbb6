"""Marks of messages that servers change, and how many were changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("changes", sa.JSON(), server_default="{}", nullable=False))
    for table in ("receipts", "intents"):
        op.add_column(table, sa.Column("marks", sa.Text(), server_default="", nullable=False))
