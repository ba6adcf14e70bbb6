"""Imports that try only the failed messages of an earlier one again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("imports", sa.Column("retry_of", sa.Text()))
    op.create_index("imports_retry_of_ix", "imports", ["retry_of"])
