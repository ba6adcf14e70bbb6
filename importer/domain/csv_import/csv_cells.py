"""Parsing and validation of single cells: address, server, password, choices.

Each function accepts the cell as written and returns its value, or raises Refused. Messages never quote an
invalid cell: it may be a password in the wrong column.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import ip_address
from typing import Final

from providers.endpoint import Endpoint, PasswordInServer, Secret, parse_server
from providers.frozen import frozen
from providers.text import Param, Text

MAX_CELL_CHARS: Final = 320  # 64 + "@" + 255: no address is longer (RFC 5321 section 4.5.3.1)
MAX_PASSWORD_CHARS: Final = 1000

_SPECIALS: Final = frozenset('<>()[],;:"\\')  # RFC 5322 section 3.2.3, without "." and "@"
_YES: Final = frozenset(
    {"yes", "true", "1", "ja", "oui", "sì", "si", "sí", "wahr", "vrai", "vero", "verdadero"}
)
_NO: Final = frozenset({"no", "false", "0", "nein", "non", "falsch", "faux", "falso"})
_LABEL: Final = re.compile(r"[\w-]{1,63}")
_AROUND: Final = re.compile(
    r"(?:[^<>@]*<\s*)?(?:mailto:)?[\"'(\[]?(?P<address>[^\s<>@\"'()\[\],;:]+@[^\s<>@\"'()\[\],;:]*[^\s<>@\"'()\[\],;:.])[\"')\],;.]*(?:\s*>)?[,;.]?",
    re.IGNORECASE,
)
"""An address with the signs that mail programs and spreadsheets write around it."""


class Refused(Exception):
    """A cell is not valid for its column; `text` says why, and its advice, or `steps`, how to fix it."""

    def __init__(self, code: str, /, *, steps: Text | None = None, **params: Param) -> None:
        self.text = Text(code, steps=steps, **params)
        super().__init__(str(self.text))

    @classmethod
    def of(cls, text: Text) -> Refused:
        """The error for an invalid cell, with this reason unchanged."""
        refused = cls(text.code)
        refused.text = text
        return refused

    @property
    def rule(self) -> str:
        """The stable code."""
        return self.text.public_code


@frozen
class Server:
    """The value of a server cell: both None if it is empty; `login` only if given (`imaps://ada@host`)."""

    endpoint: Endpoint | None = None
    login: str | None = None


def address(cell: str) -> str:
    """A mail address (RFC 5321 `local@domain`, RFC 6531 for other scripts), without surrounding blanks."""
    text = cell.strip()
    if not text:
        raise Refused("address_missing")
    check_characters(text, MAX_CELL_CHARS)
    if fault := _address_fault(text):
        bare = bare_address(text)
        steps = Text("write_address", address=bare) if bare else None
        invisible = next((f"U+{ord(c):04X}" for c in text if _invisible(c)), "") if fault == "blank" else ""
        params = {"character": invisible} if invisible else {}
        raise Refused(f"address_invalid.{fault}", steps=steps, **params)
    return text


def bare_address(cell: str) -> str:
    """The address in a cell that has more than it: `Anna <anna@old.example>`, `mailto:`, signs that look
    alike; "" if there is none for certain."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", cell[:MAX_CELL_CHARS]) if not _is_format(c))
    found = _AROUND.fullmatch(visible.strip())
    bare = found["address"] if found else ""
    return bare if bare and not _address_fault(bare) else ""


def _address_fault(text: str) -> str:
    """The code of the fault of an address; "" if it is valid."""
    local, at, domain = text.rpartition("@")
    if not at:
        return "no_at"
    if "@" in local:
        return "ats"
    if any(_invisible(c) for c in text):
        return "blank"
    if not local:
        return "local"
    if any(c in _SPECIALS for c in local):
        return "character"
    return "" if _is_host_name(domain) and not domain.endswith(".") else "domain"


def server(cell: str, *, allow_plaintext: bool = False) -> Server:
    """An IMAP server in the syntax of `providers.endpoint.parse_server`, or an empty cell."""
    text = cell.strip()
    if not text:
        return Server()
    check_characters(text, MAX_CELL_CHARS)
    try:
        endpoint, login = parse_server(text, allow_plaintext=allow_plaintext)
    except PasswordInServer:
        raise Refused("password_in_server") from None
    except ValueError:
        raise Refused("server_invalid") from None
    if login is not None and "://" not in text:
        raise Refused("server_invalid.address")
    if "." not in endpoint.host and ":" not in text:
        # Probably part of another value, such as a password that contains a comma.
        raise Refused("server_invalid.short")
    if not (_is_host_name(endpoint.host) or _is_ip_address(endpoint.host)):
        raise Refused("server_invalid.name")
    return Server(endpoint, login)


def password(cell: str) -> Secret:
    """A password exactly as written: surrounding blanks belong to it."""
    if not cell.strip():
        raise password_missing()
    check_characters(cell, MAX_PASSWORD_CHARS)
    return Secret(cell)


def yes_or_no(text: str) -> bool:
    """A yes/no choice. Spreadsheets write true and false in their own language."""
    word = text.casefold()
    if word not in _YES | _NO:
        raise Refused("yes_no_invalid")
    return word in _YES


def password_missing() -> Refused:
    """The error for a missing password."""
    return Refused("password_missing")


def check_characters(text: str, max_chars: int) -> None:
    """Raises Refused for a text that is too long or contains a control character."""
    if len(text) > max_chars:
        raise Refused("cell_too_long", length=len(text), limit=max_chars)
    if any(unicodedata.category(c) == "Cc" for c in text):
        raise Refused("control_character")


def _is_format(char: str) -> bool:
    """Zero-width and direction marks."""
    return unicodedata.category(char) == "Cf"


def _invisible(char: str) -> bool:
    """Blanks of every kind, zero-width and direction marks."""
    return char.isspace() or unicodedata.category(char) in ("Cf", "Zs", "Zl", "Zp", "Cn", "Co")


def _is_host_name(text: str) -> bool:
    """Letters of any script (RFC 5891), digits and hyphens; underscores too, because such hosts exist."""
    labels = text.removesuffix(".").split(".")
    if not all(_LABEL.fullmatch(label) and label.strip("-") == label for label in labels):
        return False
    try:
        return len(text.encode("idna")) <= 253
    except UnicodeError:
        return False


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
