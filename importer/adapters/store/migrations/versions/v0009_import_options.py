"""The options of an import as one JSON object."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("imports", sa.Column("options", sa.JSON(), server_default="{}", nullable=False))
    imports = sa.table(
        "imports",
        sa.column("labels", sa.Text()),
        sa.column("sync_flags", sa.Boolean()),
        sa.column("options", sa.JSON()),
    )
    chosen = sa.select(imports.c.labels, imports.c.sync_flags).distinct()
    for labels, sync_flags in op.get_bind().execute(chosen).all():
        op.execute(
            imports.update()
            .where(imports.c.labels == labels, imports.c.sync_flags == sync_flags)
            .values(options={"labels": labels, "sync_flags": bool(sync_flags)})
        )
    op.drop_column("imports", "labels")
    op.drop_column("imports", "sync_flags")
