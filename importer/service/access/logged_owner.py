"""The owner of an import in the log: the same for all imports of a person, and no address."""

from __future__ import annotations

from typing import Final

from importer.service.deps import Deps
from providers.endpoint import Secret

_DIGITS: Final = 12
"""48 bits: no two of a million owners are likely to share one."""


def logged_owner(deps: Deps, owner: str) -> str:
    """`console`, the API client as `client:NAME`, or the kind of person with a keyed fingerprint, which
    reveals nothing without the installation's key."""
    kind, _, name = owner.partition(":")
    if not owner or kind == "client":
        return owner or "console"
    return f"{kind}:{deps.vault.fingerprint(Secret('log'), Secret(name))[:_DIGITS]}"
