"""Mail addresses as the wire takes them."""

from __future__ import annotations

import unicodedata
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final

_MAX_ADDRESS_CHARS: Final = 254  # RFC 5321 section 4.5.3.1.3, less the angle brackets


def mailbox(text: str) -> Address:
    """`ada@new.example` as an address whose domain is ASCII, its local part as given.

    Raises ValueError, with a sentence, for what is not exactly one address: it may hold no blank, control
    character, comma or bracket that a header or an SMTP command could take for something else.
    """
    local, _, domain = text.strip().rpartition("@")
    forbidden = any(unicodedata.category(char)[0] in "CZ" or char in '<>()[]",;:\\' for char in text.strip())
    if not local or not domain or "@" in local or forbidden or len(text) > _MAX_ADDRESS_CHARS:
        raise ValueError("this is not a mail address that mail can be sent to")
    return Address(username=local, domain=ascii_domain(domain))


def sender_mailbox(text: str) -> Address:
    """The sender as configured: `mailhaul@new.example` or `Mailhaul <mailhaul@new.example>`.

    Raises ValueError as `mailbox` does.
    """
    name, address = parseaddr(text)
    bare = mailbox(address)
    return Address(display_name=name, username=bare.username, domain=bare.domain)


def ascii_domain(domain: str) -> str:
    """A domain name in lower case with A-labels (RFC 5890 section 2.3.2.1).

    Not Python's `idna` codec: that is IDNA 2003, which turns “ß” into “ss” and so names another domain.
    Raises ValueError for empty or overlong labels.
    """
    labels = unicodedata.normalize("NFC", domain.lower()).rstrip(".").split(".")
    out = [label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in labels]
    if not all(0 < len(label) <= 63 for label in out):
        raise ValueError("this domain name cannot exist: a part of it is empty or too long")
    return ".".join(out)
