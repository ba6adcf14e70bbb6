"""Problems, refusals and backoffs have a code with parameters in place of an English sentence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("imports", sa.Column("problem_text", sa.Text()))
    for table in ("refusals", "backoffs"):
        op.add_column(table, sa.Column("text", sa.Text()))
