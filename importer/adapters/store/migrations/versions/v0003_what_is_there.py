"""Adds the findings of the recount at the destination: messages that are gone, messages that could not be
checked, and the status that a folder has as long as nothing changes in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for column in ("gone", "unchecked"):
        op.add_column("accounts", sa.Column(column, sa.BigInteger(), server_default="0", nullable=False))
    for column in ("destination_uidnext", "destination_messages"):
        op.add_column("marks", sa.Column(column, sa.BigInteger(), nullable=True))
