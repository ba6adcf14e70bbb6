"""Mail addresses in the form that headers and SMTP commands need."""

from __future__ import annotations

import unicodedata
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final

_MAX_ADDRESS_CHARS: Final = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets


def mailbox(text: str) -> Address:
    """Parses `ada@new.example`. The domain becomes ASCII, the local part is unchanged.

    Raises ValueError with a sentence unless `text` is exactly one address. Blanks, control characters, commas
    and brackets are rejected, since a header or an SMTP command could interpret them.
    """
    local, _, domain = text.strip().rpartition("@")
    forbidden = any(unicodedata.category(char)[0] in "CZ" or char in '<>()[]",;:\\' for char in text.strip())
    if not local or not domain or "@" in local or forbidden or len(text) > _MAX_ADDRESS_CHARS:
        raise ValueError("this is not an address that mail can be sent to")
    return Address(username=local, domain=ascii_domain(domain))


def sender_mailbox(text: str) -> Address:
    """Parses the configured sender: `mailhaul@new.example` or `Mailhaul <mailhaul@new.example>`.

    Raises ValueError as `mailbox` does.
    """
    name, address = parseaddr(text)
    parsed = mailbox(address)
    return Address(display_name=name, username=parsed.username, domain=parsed.domain)


def ascii_domain(domain: str) -> str:
    """A domain name in lower case with A-labels (RFC 5890 section 2.3.2.1).

    Python's `idna` codec is not used: it implements IDNA 2003, which maps “ß” to “ss”, another domain.
    Raises ValueError for empty or overlong labels.
    """
    labels = unicodedata.normalize("NFC", domain.lower()).rstrip(".").split(".")
    ascii_labels = [
        label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in labels
    ]
    if not all(0 < len(label) <= 63 for label in ascii_labels):
        raise ValueError("this domain name is invalid: a part of it is empty or too long")
    return ".".join(ascii_labels)
