"""Notes which imports have opened both mailboxes: only they may wait for the new one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("imports", sa.Column("proven", sa.Boolean(), server_default=sa.false(), nullable=False))
    imports = sa.table(
        "imports",
        sa.column("id", sa.Text()),
        sa.column("progress", sa.JSON()),
        sa.column("finished_at"),
        sa.column("proven", sa.Boolean()),
    )
    under_way = sa.select(imports.c.id, imports.c.progress).where(imports.c.finished_at.is_(None))
    for id_, progress in op.get_bind().execute(under_way).all():
        if progress.get("folders_total"):  # both mailboxes were listed
            op.get_bind().execute(imports.update().where(imports.c.id == id_).values(proven=True))
