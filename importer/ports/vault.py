"""Secrets at rest."""

from __future__ import annotations

from typing import Protocol

from importer.ports.process import InstallationFault
from providers.endpoint import Secret


class Vault(Protocol):
    """Seals secrets for the store."""

    def seal(self, secret: Secret, context: str) -> bytes:
        """Sealed for `context` (which import, which side): it opens for no other."""
        ...

    def open(self, sealed: bytes, context: str) -> Secret:
        """Raises VaultError when the key, the context or the bytes do not fit."""
        ...

    def fingerprint(self, *secrets: Secret) -> str:
        """A keyed fingerprint, equal for equal secrets, of no use without the key."""
        ...


class VaultError(InstallationFault):
    """A sealed secret cannot be opened: wrong key, wrong row, or damaged."""
