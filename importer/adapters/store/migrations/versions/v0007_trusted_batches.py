"""Batches whose submitters may have mails sent to others: not those that people submitted on the pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("batches", sa.Column("is_trusted", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute(
        "UPDATE batches SET is_trusted = (1 = 0) WHERE owner LIKE 'mailbox:%' OR owner LIKE 'openid:%'"
        if op.get_bind().dialect.name == "postgresql"
        else "UPDATE batches SET is_trusted = 0 WHERE owner LIKE 'mailbox:%' OR owner LIKE 'openid:%'"
    )
