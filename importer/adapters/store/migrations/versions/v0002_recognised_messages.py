"""Counts messages that were recognised although another program had changed them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("recognised", sa.BigInteger(), server_default="0", nullable=False))
