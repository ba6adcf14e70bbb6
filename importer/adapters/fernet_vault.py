"""The vault: passwords encrypted with Fernet (AES-CBC and HMAC; `cryptography`), with key rotation.

Keys are ordered newest first. The first one encrypts, all of them decrypt. To rotate: put a new key in front,
run `mailhaul keys rotate`, which seals everything anew (`renewed`), then remove the old key from the end.

`fingerprint` and `notice_key` derive from the last, oldest key, so a new key in front does not change them.
They change when the oldest key is removed. The only effects are that each password counts as changed once
and that earlier completion mails are no longer recognised as Mailhaul's own.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import stat
import struct
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from importer.adapters.derived_keys import derived_key
from importer.ports.vault import KeyMissing, VaultError
from providers.endpoint import Secret
from providers.text import Text

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

KEY_FILE: Final = "secret.key"

_LENGTH: Final = struct.Struct(">I")
_KEY_BYTES: Final = 32


class FernetVault:
    """Implements `Vault`. `keys` are Fernet keys (32 bytes, URL-safe base64), newest first.

    Raises VaultError if there is no key or one is malformed. `cryptography` is loaded when something is
    sealed or opened for the first time.
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        if not keys:
            raise VaultError(Text("installation.key_missing"))
        if not all(map(_is_key, keys)):
            raise VaultError(Text("installation.key_malformed"))
        self._keys = tuple(keys)

    @cached_property
    def _newest(self) -> Fernet:
        from cryptography.fernet import Fernet

        return Fernet(self._keys[0].reveal())

    @cached_property
    def _all(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet

        return MultiFernet([Fernet(key.reveal()) for key in self._keys])

    def seal(self, secret: Secret, context: str) -> bytes:
        # Fernet has no associated data, so the context is part of the plaintext. Any str round-trips,
        # including surrogates.
        context_bytes = context.encode()
        return self._all.encrypt(
            _LENGTH.pack(len(context_bytes)) + context_bytes + secret.reveal().encode(errors="surrogatepass")
        )

    def open(self, sealed: bytes, context: str) -> Secret:
        from cryptography.fernet import InvalidToken

        try:
            plain = self._all.decrypt(sealed)
            end = _LENGTH.size + _LENGTH.unpack_from(plain)[0]
        except (InvalidToken, struct.error):
            raise KeyMissing(Text("installation.key_other")) from None
        if not hmac.compare_digest(plain[_LENGTH.size : end], context.encode()):
            raise VaultError(Text("installation.seal_foreign"))
        return Secret(plain[end:].decode(errors="surrogatepass"))

    def renewed(self, sealed: bytes) -> bytes | None:
        """The same secret and context, sealed with the newest key; None if `sealed` is.

        Raises KeyMissing if no key opens it.
        """
        from cryptography.fernet import InvalidToken

        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            try:
                return self._all.rotate(sealed)
            except InvalidToken:
                raise KeyMissing(Text("installation.key_other")) from None
        return None

    def fingerprint(self, *secrets: Secret) -> str:
        """Returns 32 hexadecimal digits."""
        digest = hmac.new(self._derived(b"mailhaul password mark"), digestmod="sha256")
        for secret in secrets:
            value = secret.reveal().encode(errors="surrogatepass")
            digest.update(_LENGTH.pack(len(value)) + value)
        return digest.hexdigest()[:32]

    def notice_key(self) -> bytes:
        """Returns 32 bytes: the HMAC key of the signatures by which Mailhaul recognises its own mails."""
        return self._derived(b"mailhaul notice mark")

    def _derived(self, purpose: bytes) -> bytes:
        return derived_key(self._keys[-1].reveal().encode(), purpose)


def _is_key(key: Secret) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key.reveal())) == _KEY_BYTES
    except ValueError:
        return False


def load_keys(
    *, secret_key: Secret | None, secret_key_file: Path | None, data_dir: Path
) -> tuple[Secret, ...]:
    """The keys, newest first: from `secret_key`, else `secret_key_file`, else `data_dir`/secret.key.

    The default file is created with mode 0600 if absent; processes that start at the same time all get the
    same key. Keys are separated by commas or white space. Raises VaultError if the file cannot be read or is
    accessible to others.
    """
    if secret_key is not None:
        return _keys_in(secret_key.reveal())
    path = secret_key_file or data_dir / KEY_FILE
    if secret_key_file is None and not path.exists():
        _create_key_file(path)
    return _keys_in(_read_private(path))


def _keys_in(text: str) -> tuple[Secret, ...]:
    return tuple(Secret(key) for key in re.split(r"[\s,]+", text) if key)


def _read_private(path: Path) -> str:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        reason = error.strerror or str(error)
        raise VaultError(Text("installation.key_file_unreadable", file=str(path), reason=reason)) from None
    # The group may read: a secret that Kubernetes mounts with fsGroup has mode 0440.
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        shown = f"{stat.S_IMODE(mode):04o}"
        raise VaultError(Text("installation.key_file_open", file=str(path), mode=shown))
    return text


def _create_key_file(path: Path) -> None:
    """Writes a temporary file and links it into place: readers see a whole file, the first process wins."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        except FileExistsError:
            pass  # another process was first
        finally:
            os.unlink(temporary)
    except OSError as error:
        reason = error.strerror or str(error)
        raise VaultError(Text("installation.key_file_unmade", file=str(path), reason=reason)) from None
