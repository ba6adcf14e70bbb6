"""Grants of stopped imports are kept for a while, so that a retry needs no password."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("imports", sa.Column("grants_kept_until", sa.DateTime(timezone=True)))
    op.add_column("imports", sa.Column("reopened", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("imports_grants_kept_until_ix", "imports", ["grants_kept_until"])
