"""Signatures of the installation, which anyone can verify with its public key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Signer(Protocol):
    """Ed25519 (RFC 8032). Keys and signatures are 32 and 64 bytes."""

    def public_keys(self) -> Sequence[bytes]:
        """The public keys of this installation; the first one belongs to new signatures."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The same message always has the same signature."""
        ...

    def verify(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the owner of that key, of any installation, signed the message."""
        ...
