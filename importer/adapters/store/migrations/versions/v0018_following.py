"""Imports that fetch new mail until their domain has moved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("imports", sa.Column("moved_at", sa.DateTime(timezone=True)))
