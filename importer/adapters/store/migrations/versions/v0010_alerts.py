"""What the servers of an import want their users to read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("imports", sa.Column("alerts", sa.JSON(), server_default="[]", nullable=False))
