"""Encryption of stored secrets."""

from __future__ import annotations

from typing import Protocol

from importer.ports.process import InstallationFault
from providers.endpoint import Secret


class Vault(Protocol):
    """Seals secrets for the store."""

    def seal(self, secret: Secret, context: str) -> bytes:
        """Seal the secret for `context` (which import, which side). It opens only with the same context."""
        ...

    def open(self, sealed: bytes, context: str) -> Secret:
        """Raises VaultError if the key, the context or the bytes do not match."""
        ...

    def fingerprint(self, *secrets: Secret) -> str:
        """A keyed fingerprint: equal for equal secrets, useless without the key."""
        ...


class VaultError(InstallationFault):
    """A sealed secret cannot be opened: wrong key, wrong row, or damaged."""


class KeyMissing(VaultError):
    """No configured key opens it: the operator has to configure the one that sealed it."""
