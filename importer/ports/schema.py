"""The state of the database schema, relative to this version of Mailhaul."""

from __future__ import annotations

from enum import StrEnum

from importer.ports.process import InstallationFault


class SchemaState(StrEnum):
    """The schema of the database, compared with the one that this version needs."""

    CURRENT = "current"
    BEHIND = "behind"  # `migrate` updates it
    EMPTY = "empty"  # never migrated; `migrate` creates it
    AHEAD = "ahead"  # a newer version migrated it; only that version or a later one may use it


class SchemaAhead(InstallationFault):
    """A newer version of Mailhaul migrated the database. Nothing was changed."""
