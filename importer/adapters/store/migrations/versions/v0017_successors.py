"""Adds the successor to imports that were run again: they need no attention any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("imports", sa.Column("successor", sa.Text()))
    op.execute(
        """
        UPDATE imports SET successor = (
            SELECT later.id FROM imports later
            JOIN batches theirs ON theirs.seq = later.submission
            JOIN batches ours ON ours.seq = imports.submission
            WHERE later.route = imports.route AND later.created_at > imports.created_at
                AND theirs.owner = ours.owner
            ORDER BY later.created_at, later.seq LIMIT 1
        )
        WHERE state NOT IN ('queued', 'running', 'waiting', 'paused')
        """
    )
