"""Derived keys are those of HKDF: keys that earlier versions derived stay the same."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from importer.adapters.derived_keys import derived_key


def test_the_vector_of_the_rfc_without_salt() -> None:
    """RFC 5869 appendix A.3."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert derived_key(b"\x0b" * 22, b"").hex() == expected


@pytest.mark.parametrize("purpose", [b"mailhaul notice mark", b"mailhaul evidence signature", b"x" * 200])
@pytest.mark.parametrize("key", [b"short", b"k" * 44, b"longer than a block of SHA-256" * 4])
def test_the_same_as_another_implementation(key: bytes, purpose: bytes) -> None:
    other = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    assert derived_key(key, purpose) == other.derive(key)
