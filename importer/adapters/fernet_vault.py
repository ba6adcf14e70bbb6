"""The vault: passwords sealed with Fernet (AES-CBC and HMAC; `cryptography`), under keys that can rotate.

Keys stand newest first. The first one seals, all of them open. To rotate: put a new key in front, wait
until the imports of before have ended (their passwords end with them), then drop the old key from the end.

Fingerprints (`fingerprint`, `notice_key`) hang on the last, oldest key, so that a new key in front changes
none. When that one is dropped they change, and all that happens is that a password counts as changed once,
and that completion mails from before are no longer recognised as ours.
"""

from __future__ import annotations

import hmac
import os
import re
import stat
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from importer.ports.vault import VaultError
from providers.endpoint import Secret

KEY_FILE: Final = "secret.key"

_LENGTH: Final = struct.Struct(">I")


class FernetVault:
    """`Vault` of ports.py. `keys` are Fernet keys (32 bytes, URL-safe base64), newest first.

    Raises VaultError when a key is none.
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        if not keys:
            raise VaultError("There is no key to seal passwords with; see MAILHAUL_SECRET_KEY.")
        try:
            self._fernet = MultiFernet([Fernet(key.reveal()) for key in keys])
        except ValueError:
            raise VaultError(
                "A secret key is not a Fernet key (44 characters of URL-safe base64)."
                " Check MAILHAUL_SECRET_KEY or the key file."
            ) from None
        self._oldest = keys[-1].reveal().encode()

    def seal(self, secret: Secret, context: str) -> bytes:
        # Fernet has no associated data, so the context goes inside. Any str survives, surrogates included.
        bound = context.encode()
        return self._fernet.encrypt(
            _LENGTH.pack(len(bound)) + bound + secret.reveal().encode(errors="surrogatepass")
        )

    def open(self, sealed: bytes, context: str) -> Secret:
        try:
            plain = self._fernet.decrypt(sealed)
            end = _LENGTH.size + _LENGTH.unpack_from(plain)[0]
        except (InvalidToken, struct.error):
            raise VaultError(
                "A stored password cannot be opened with the present secret key."
                " Bring back the key that sealed it, or submit the import again."
            ) from None
        if not hmac.compare_digest(plain[_LENGTH.size : end], context.encode()):
            raise VaultError("A stored password belongs to another import; submit this one again.")
        return Secret(plain[end:].decode(errors="surrogatepass"))

    def fingerprint(self, *secrets: Secret) -> str:
        """32 hexadecimal digits."""
        digest = hmac.new(self._derived(b"mailhaul password mark"), digestmod="sha256")
        for secret in secrets:
            value = secret.reveal().encode(errors="surrogatepass")
            digest.update(_LENGTH.pack(len(value)) + value)
        return digest.hexdigest()[:32]

    def notice_key(self) -> bytes:
        """32 bytes to key the marks by which our own mails are recognised."""
        return self._derived(b"mailhaul notice mark")

    def _derived(self, purpose: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(self._oldest)


def load_keys(
    *, secret_key: Secret | None, secret_key_file: Path | None, data_dir: Path
) -> tuple[Secret, ...]:
    """The keys, newest first: from the setting, else from the file, else from `data_dir`/secret.key.

    The last one is made, mode 0600, when it is absent; of several processes that start at once one makes
    it and all get the same. Keys are separated by commas or white space.
    Raises VaultError when the file cannot be read or others may read it.
    """
    if secret_key is not None:
        return _keys_in(secret_key.reveal())
    path = secret_key_file or data_dir / KEY_FILE
    if secret_key_file is None and not path.exists():
        _make_key_file(path)
    return _keys_in(_read_private(path))


def _keys_in(text: str) -> tuple[Secret, ...]:
    return tuple(Secret(key) for key in re.split(r"[\s,]+", text) if key)


def _read_private(path: Path) -> str:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as error:
        raise VaultError(f"The secret key file {path} cannot be read: {error.strerror}.") from None
    # Reading by the group stays allowed: a secret mounted in Kubernetes with fsGroup has mode 0440.
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise VaultError(
            f"The secret key file {path} is open to others (mode {stat.S_IMODE(mode):04o})."
            f" Run: chmod 600 {path}"
        )
    return text


def _make_key_file(path: Path) -> None:
    """Writes aside and links into place: whoever sees the file sees it whole, and the first one wins."""
    try:
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(Fernet.generate_key() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(aside, path)
        except FileExistsError:
            pass  # another process was first
        finally:
            os.unlink(aside)
    except OSError as error:
        raise VaultError(
            f"The secret key file {path} cannot be made: {error.strerror}. Set MAILHAUL_SECRET_KEY instead."
        ) from None
