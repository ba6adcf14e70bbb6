"""The words that providers are described in: secrets, servers, folder roles; and reading server URLs."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote, urlsplit

IMAPS_PORT: Final = 993
IMAP_PORT: Final = 143


class Secret:
    """A password or token that cannot be printed, logged or pickled by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the login command and the vault, nobody else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(•••)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is never serialised; seal it with the vault")


class Security(StrEnum):
    """How a connection is protected."""

    TLS = "tls"  # implicit TLS (RFC 8314)
    STARTTLS = "starttls"  # required, never silently given up
    PLAINTEXT = "plaintext"  # only where the operator allowed it by name


class FolderRole(StrEnum):
    """What a folder is for (RFC 6154); INBOX is no special use but the one name that IMAP fixes."""

    INBOX = "inbox"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    JUNK = "junk"
    SENT = "sent"
    TRASH = "trash"
    ALL = "all"
    FLAGGED = "flagged"


class LoginForm(StrEnum):
    """What a host takes as user name."""

    ADDRESS = "address"
    LOCAL_PART = "local_part"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Host name, TCP port and protection of one IMAP service."""

    host: str
    port: int = IMAPS_PORT
    security: Security = Security.TLS

    def __str__(self) -> str:
        scheme, standard = ("imaps", IMAPS_PORT) if self.security is Security.TLS else ("imap", IMAP_PORT)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}" + ("" if self.port == standard else f":{self.port}")

    @classmethod
    def parse(cls, text: str, *, allow_plaintext: bool = False) -> Endpoint:
        """Reads `host`, `host:port`, `imaps://host[:port]` or `imap://host[:port]` (STARTTLS).

        With `allow_plaintext`, `imap://` uses STARTTLS where the server offers it and goes on without.
        Raises ValueError with a sentence that says what is wrong.
        """
        endpoint, user = parse_server(text, allow_plaintext=allow_plaintext)
        if user is not None:
            raise ValueError("there is a user name where only a server belongs")
        return endpoint


class PasswordInServer(ValueError):
    """There is a password in a server address; the message does not quote it."""


def parse_server(text: str, *, allow_plaintext: bool = False) -> tuple[Endpoint, str | None]:
    """Reads a server URL with an optional user name: `imaps://ada@old.example:993`.

    Raises PasswordInServer for a password inside: command lines and files with URLs are read by others.
    Raises ValueError with a sentence that says what is wrong, and quotes nothing that may be a password.
    """
    given = text.strip()
    before, at, _ = (given.partition("://")[2] or given).rpartition("@")
    if ":" in before:
        raise PasswordInServer("a password does not belong in a server address; give it separately")
    shown = "what is written there" if at else f"“{given}”"
    no_server = f"{shown} is not a server name such as imap.example.org or imaps://imap.example.org:993"
    try:
        parts = urlsplit(given if "://" in given else f"imaps://{given}")
    except ValueError:  # its own message quotes
        raise ValueError(no_server) from None
    if parts.scheme not in ("imap", "imaps"):
        raise ValueError(f"“{parts.scheme}://” is not a way to reach a mailbox; use imaps:// or imap://")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"{shown} has a port that is not a number from 1 to 65535")
    host = parts.hostname or ""
    user = unquote(parts.username) if parts.username else None
    odd = any(c.isspace() or c in "?#" for c in given) or any(map(_is_control, given + (user or "")))
    if not host or odd or parts.path not in ("", "/"):
        raise ValueError(no_server)
    if parts.scheme == "imaps":
        return Endpoint(host, port or IMAPS_PORT, Security.TLS), user
    security = Security.PLAINTEXT if allow_plaintext else Security.STARTTLS
    return Endpoint(host, port or IMAP_PORT, security), user


def _is_control(char: str) -> bool:
    return unicodedata.category(char) == "Cc"


def server_url(endpoint: Endpoint, user: str) -> str:
    """The inverse of `parse_server`."""
    scheme, rest = str(endpoint).split("://")
    return f"{scheme}://{quote(user, safe='@')}@{rest}"
