"""Adds the last use of a web session: time and address. Earlier sessions end: people sign in again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("DELETE FROM visits")
    with op.batch_alter_table("visits") as visits:
        visits.add_column(sa.Column("client", sa.Text(), nullable=False))
        visits.add_column(sa.Column("used_at", sa.DateTime(timezone=True), nullable=False))
    op.create_index("visits_person_ix", "visits", ["person"])
