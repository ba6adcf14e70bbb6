"""Keys for further purposes, derived from a secret key of the installation: only that is backed up."""

from __future__ import annotations

import hmac


def derived_key(secret_key: bytes, purpose: bytes) -> bytes:
    """HKDF with SHA-256 and without salt (RFC 5869 sections 2.2 and 2.3): 32 bytes, the first block.

    With `cryptography`, which has it, each copy in the foreground would load 7 MB that it needs for nothing
    else.
    """
    extracted = hmac.digest(bytes(32), secret_key, "sha256")
    return hmac.digest(extracted, purpose + b"\x01", "sha256")
