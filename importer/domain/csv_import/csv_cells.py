"""Parsing and validation of single cells: address, server, password, choices.

Each function accepts the cell as written and returns its value, or raises Refused. Messages never quote an
invalid cell: it may be a password in the wrong column.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from providers.endpoint import Endpoint, PasswordInServer, Secret, parse_server

MAX_CELL_CHARS: Final = 320  # 64 + "@" + 255: no address is longer (RFC 5321 section 4.5.3.1)
MAX_PASSWORD_CHARS: Final = 1000

_SPECIALS: Final = frozenset('<>()[],;:"\\')  # RFC 5322 section 3.2.3, without "." and "@"
_YES: Final = frozenset(
    {"yes", "true", "1", "ja", "oui", "sì", "si", "sí", "wahr", "vrai", "vero", "verdadero"}
)
_NO: Final = frozenset({"no", "false", "0", "nein", "non", "falsch", "faux", "falso"})
_LABEL: Final = re.compile(r"[\w-]{1,63}")


class Refused(Exception):
    """A cell is not valid for its column. The message, `rule` and `fix` are those of a RowProblem."""

    def __init__(self, rule: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Server:
    """The value of a server cell: both None if it is empty; `login` only if given (`imaps://ada@host`)."""

    endpoint: Endpoint | None = None
    login: str | None = None


def address(cell: str) -> str:
    """A mail address (RFC 5321 `local@domain`, RFC 6531 for other scripts), without surrounding blanks."""
    text = cell.strip()
    if not text:
        raise Refused("address_missing", "The address is missing.", "Write the whole mail address.")
    _check_characters(text, MAX_CELL_CHARS)
    local, at, domain = text.rpartition("@")
    fault = ""
    if not at:
        fault = "it contains no @"
    elif "@" in local:
        fault = "it contains more than one @"
    elif any(_invisible(c) for c in text):
        fault = "it contains a blank or an invisible character"
    elif not local:
        fault = "there is nothing before the @"
    elif any(c in _SPECIALS for c in local):
        fault = "there is an invalid character before the @"
    elif not _is_host_name(domain):
        fault = "the part after the @ is not a domain"
    if fault:
        raise Refused(
            "address_invalid",
            f"This is not a mail address: {fault}.",
            "Write the bare address, such as ada@old.example.",
        )
    return text


def server(cell: str, *, allow_plaintext: bool = False) -> Server:
    """An IMAP server in the syntax of `providers.endpoint.parse_server`, or an empty cell."""
    text = cell.strip()
    if not text:
        return Server()
    _check_characters(text, MAX_CELL_CHARS)
    fix = "Write a name such as imap.old.example or imaps://imap.old.example:993, or leave the cell empty."
    try:
        endpoint, login = parse_server(text, allow_plaintext=allow_plaintext)
    except PasswordInServer:
        raise Refused(
            "password_in_server", "There is a password in the server address.", "Write it in its own column."
        ) from None
    except ValueError:
        raise Refused("server_invalid", "This is not a usable mail server.", fix) from None
    if login is not None and "://" not in text:
        raise Refused("server_invalid", "This is a mail address, not a mail server.", fix)
    if "." not in endpoint.host and ":" not in text:
        # Probably part of another value, such as a password that contains a comma.
        raise Refused("server_invalid", "This is not the full name of a mail server.", fix)
    if not (_is_host_name(endpoint.host) or _is_ip_address(endpoint.host)):
        raise Refused("server_invalid", "This is not the name of a mail server.", fix)
    return Server(endpoint, login)


def password(cell: str) -> Secret:
    """A password exactly as written: surrounding blanks belong to it."""
    if not cell.strip():
        raise password_missing()
    _check_characters(cell, MAX_PASSWORD_CHARS)
    return Secret(cell)


def yes_or_no(text: str) -> bool:
    """A yes/no choice. Spreadsheets write true and false in their own language."""
    word = text.casefold()
    if word not in _YES | _NO:
        raise Refused("yes_no_invalid", "This is neither yes nor no.", "Write yes or no.")
    return word in _YES


def password_missing() -> Refused:
    """The error for a missing password."""
    return Refused(
        "password_missing",
        "The password is missing.",
        "Write the password of this mailbox, or an app password created at its host.",
    )


def _check_characters(text: str, max_chars: int) -> None:
    if len(text) > max_chars:
        raise Refused(
            "cell_too_long",
            f"There are {len(text):,} characters here; the limit is {max_chars:,}.",
            "Check that the quote marks around the cells of this line are paired.",
        )
    if any(unicodedata.category(c) == "Cc" for c in text):
        raise Refused(
            "control_character",
            "There is a line break, a tab or another control character here.",
            "Remove it; copied text often contains such characters.",
        )


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
