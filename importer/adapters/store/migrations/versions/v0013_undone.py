"""Imports that were undone have a state of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    imports = sa.table(
        "imports",
        *(sa.column(name, sa.Text()) for name in ("id", "state", "problem_code", "problem_text")),
    )
    undos = sa.table("undos", sa.column("import_id", sa.Text()))
    undone = imports.c.id.in_(sa.select(undos.c.import_id))
    op.get_bind().execute(
        imports.update().where(undone).values(state="undone", problem_code=None, problem_text=None)
    )
