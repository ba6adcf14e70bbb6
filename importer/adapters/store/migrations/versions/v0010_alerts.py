"""Adds the alerts of servers (RFC 9051 section 7.1) to imports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("imports", sa.Column("alerts", sa.JSON(), server_default="[]", nullable=False))
