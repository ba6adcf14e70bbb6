"""The URL of the mail server."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit

from providers.endpoint import Secret
from providers.frozen import frozen

_SUBMISSION_PORT: Final = 587
_SUBMISSIONS_PORT: Final = 465
_SMTP_PORT: Final = 25


class Protection(StrEnum):
    """The encryption of the connection."""

    STARTTLS = "starttls"
    TLS = "tls"  # from the first byte (RFC 8314)


@frozen
class MailServer:
    """One SMTP server. `opportunistic` uses STARTTLS if it is offered and continues without it otherwise.

    `password` is None if no login is needed. `str()` contains neither user nor password.
    """

    host: str
    port: int
    protection: Protection
    opportunistic: bool = False
    user: str = ""
    password: Secret | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True for `localhost`, names below it (RFC 6761 section 6.3) and loopback addresses."""
        name = self.host.lower().rstrip(".")
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name == "localhost" or name.endswith(".localhost")

    @classmethod
    def parse(cls, url: str) -> MailServer:
        """Parses a URL. User and password may precede the host, percent-encoded, both or neither.

            smtp://host[:25]             STARTTLS if offered, with a valid certificate; without STARTTLS no
                                         password is sent (neither restriction applies on loopback)
            smtp+starttls://host[:587]   STARTTLS is required, with a valid certificate
            smtps://host[:465]           TLS from the first byte, with a valid certificate

        Raises ValueError with a sentence that does not quote the URL, which may contain a password.
        """
        schemes = {
            "smtp": (Protection.STARTTLS, True, _SMTP_PORT),
            "smtp+starttls": (Protection.STARTTLS, False, _SUBMISSION_PORT),
            "smtps": (Protection.TLS, False, _SUBMISSIONS_PORT),
        }
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if (
            parts.scheme not in schemes
            or not host
            or port == 0
            or parts.path.strip("/")
            or parts.query
            or parts.fragment
        ):
            raise ValueError(
                "the mail server must be a URL such as smtp://localhost, smtp+starttls://user:password@host"
                " or smtps://user:password@host:465, with characters such as / # ? @ : in user or password"
                " percent-encoded"
            )
        if bool(parts.username) != bool(parts.password):
            raise ValueError("the URL of the mail server has a user name or a password, but not both")
        protection, opportunistic, default_port = schemes[parts.scheme]
        return cls(
            host,
            port or default_port,
            protection,
            opportunistic,
            unquote(parts.username or ""),
            Secret(unquote(parts.password)) if parts.password else None,
        )
