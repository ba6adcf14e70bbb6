"""Signs with Ed25519 keys (RFC 8032) that are derived from the installation's secret keys: there is no
further key to store or to back up. A new secret key in front means a new signing key; signatures by the
others are still recognised until these are removed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from importer.adapters.derived_keys import derived_key
from providers.endpoint import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PURPOSE = b"mailhaul evidence signature"


class Ed25519Signer:
    """Implements `Signer`. `keys` are those of `fernet_vault.load_keys`, newest first.

    `cryptography` is loaded when something is signed or verified for the first time.
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._seeds = [derived_key(key.reveal().encode(), _PURPOSE) for key in keys]

    @cached_property
    def _keys(self) -> Sequence[Ed25519PrivateKey]:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return [Ed25519PrivateKey.from_private_bytes(seed) for seed in self._seeds]

    def public_keys(self) -> Sequence[bytes]:
        return [key.public_key().public_bytes_raw() for key in self._keys]

    def sign(self, message: bytes) -> bytes:
        return self._keys[0].sign(message)

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True
