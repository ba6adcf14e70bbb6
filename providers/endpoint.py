"""Value types shared by providers: secrets, endpoints, folder roles; and a parser for server URLs."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from providers.frozen import frozen
from providers.text import Text

IMAPS_PORT: Final = 993
IMAP_PORT: Final = 143


class Secret:
    """A password or token that cannot be printed, logged or pickled by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The plain value, for the login command and the vault only."""
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
    """The protection of a connection."""

    TLS = "tls"  # implicit TLS (RFC 8314)
    STARTTLS = "starttls"  # required, never silently dropped
    PLAINTEXT = "plaintext"  # only if the operator has explicitly allowed it


class FolderRole(StrEnum):
    """Special use of a folder (RFC 6154). INBOX is none: it is the only name that IMAP reserves."""

    INBOX = "inbox"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    JUNK = "junk"
    SENT = "sent"
    TRASH = "trash"
    ALL = "all"
    FLAGGED = "flagged"


class LoginForm(StrEnum):
    """The form of the user name at a host."""

    ADDRESS = "address"
    LOCAL_PART = "local_part"


@frozen
class Endpoint:
    """Host name, TCP port and connection security of an IMAP service."""

    host: str
    port: int = IMAPS_PORT
    security: Security = Security.TLS

    def __str__(self) -> str:
        scheme, standard = ("imaps", IMAPS_PORT) if self.security is Security.TLS else ("imap", IMAP_PORT)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}" + ("" if self.port == standard else f":{self.port}")

    @classmethod
    def parse(cls, text: str, *, allow_plaintext: bool = False) -> Endpoint:
        """Parse `host`, `host:port`, `imaps://host[:port]` or `imap://host[:port]` (STARTTLS).

        With `allow_plaintext`, `imap://` uses STARTTLS if the server offers it and continues without
        otherwise. Raises ServerInvalid.
        """
        endpoint, user = parse_server(text, allow_plaintext=allow_plaintext)
        if user is not None:
            raise ServerInvalid(Text("server_url.user"))
        return endpoint


class ServerInvalid(ValueError):
    """A text that names no server; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


class PasswordInServer(ServerInvalid):
    """A server address contains a password; the text does not quote it."""


def parse_server(text: str, *, allow_plaintext: bool = False) -> tuple[Endpoint, str | None]:
    """Parse a server URL with an optional user name: `imaps://ada@old.example:993`.

    Raises PasswordInServer if the URL contains a password: command lines and files with URLs are visible to
    others. Raises ServerInvalid with a text that quotes nothing that may be a password.
    """
    entered = text.strip()
    before, at, _ = (entered.partition("://")[2] or entered).rpartition("@")
    if ":" in before:
        raise PasswordInServer(Text("server_url.password"))
    no_server = Text("server_url") if at else Text("server_url.quoted", value=entered)
    try:
        parts = urlsplit(entered if "://" in entered else f"imaps://{entered}")
    except ValueError:  # its message quotes the input
        raise ServerInvalid(no_server) from None
    if parts.scheme not in ("imap", "imaps"):
        raise ServerInvalid(Text("server_url.scheme", scheme=parts.scheme))
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ServerInvalid(Text("server_url.port"))
    host = parts.hostname or ""
    user = unquote(parts.username) if parts.username else None
    odd = any(c.isspace() or c in "?#" for c in entered) or any(map(_is_control, entered + (user or "")))
    if not host or odd or parts.path not in ("", "/"):
        raise ServerInvalid(no_server)
    if parts.scheme == "imaps":
        return Endpoint(host, port or IMAPS_PORT, Security.TLS), user
    security = Security.PLAINTEXT if allow_plaintext else Security.STARTTLS
    return Endpoint(host, port or IMAP_PORT, security), user


def _is_control(char: str) -> bool:
    """A control character, or a lone surrogate, which no encoding can represent."""
    return unicodedata.category(char) in ("Cc", "Cs")


def server_url(endpoint: Endpoint, user: str) -> str:
    """The inverse of `parse_server`."""
    scheme, rest = str(endpoint).split("://")
    return f"{scheme}://{quote(user, safe='@')}@{rest}"
