"""Signs with Ed25519 keys (RFC 8032) that are derived from the installation's secret keys: there is no
further key to store or to back up. A new secret key in front means a new signing key; signatures by the
others are still recognised until these are removed."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from providers.endpoint import Secret

_PURPOSE = b"mailhaul evidence signature"


class Ed25519Signer:
    """Implements `Signer`. `keys` are those of `fernet_vault.load_keys`, newest first."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._keys = [_derived(key) for key in keys]

    def public_keys(self) -> Sequence[bytes]:
        return [key.public_key().public_bytes_raw() for key in self._keys]

    def sign(self, message: bytes) -> bytes:
        return self._keys[0].sign(message)

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def _derived(key: Secret) -> Ed25519PrivateKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.reveal().encode())
    return Ed25519PrivateKey.from_private_bytes(seed)
