"""The certificates that an installation depends on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CertifiedServer(StrEnum):
    """Whose certificate it is."""

    DESTINATION = "destination"
    MAIL = "mail"
    PAGES = "pages"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate of one server. `ends_at` is None if the server does not answer, is not encrypted, or
    if its certificate is not verified; `problem` says why, in the words of the system, or is ""."""

    server: CertifiedServer
    address: str
    ends_at: datetime | None
    problem: str = ""
