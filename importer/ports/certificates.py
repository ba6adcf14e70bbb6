"""The certificates that an installation depends on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from providers.frozen import frozen


class CertifiedServer(StrEnum):
    """The server that shows a certificate."""

    DESTINATION = "destination"
    MAIL = "mail"
    PAGES = "pages"


@frozen
class Certificate:
    """The certificate of one server. `ends_at` is None if the server does not answer, is not encrypted, or
    if its certificate is not verified; `problem` says why, in the words of the system, or is ""."""

    server: CertifiedServer
    address: str
    ends_at: datetime | None
    problem: str = ""
