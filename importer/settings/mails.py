"""Our own mails, as settings."""

from __future__ import annotations

import re
import socket
from typing import Literal
from urllib.parse import urlsplit

from pydantic import field_validator

from importer.settings.fields import setting
from importer.settings.hosts import Hosts


class Mails(Hosts):
    """Our own mails."""

    smtp_url: str = setting(
        "",
        "Server for completion mails: smtps://, smtp+starttls:// or smtp:// and [USER:PASSWORD@]HOST[:PORT].",
        "a URL such as smtps://USER:PASSWORD@HOST or smtp://localhost, with / # ? @ : in a password encoded",
        shown="none; nobody is written to",
        repr=False,
    )
    mail_from: str = setting(
        lambda: f"mailferry@{socket.gethostname()}",
        "Sender of completion mails.",
        "one mail address",
        shown="mailferry@ and this host's name",
    )
    language: Literal["en", "de", "fr", "it", "es"] = setting(
        "en", "Language of mails to those who did not choose one.", "one of en, de, fr, it, es"
    )
    submitter: str = setting(
        "",
        "Address that gets the summary of a batch when its submitter gave none.",
        "one mail address",
        shown="nobody",
    )

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: str) -> str:
        parts = urlsplit(value)
        known = parts.scheme in ("smtp", "smtp+starttls", "smtps")
        if value and not (known and parts.hostname and parts.port != 0 and parts.path in ("", "/")):
            raise ValueError
        if parts.query or parts.fragment or bool(parts.username) != bool(parts.password):
            raise ValueError
        return value

    @field_validator("mail_from", "submitter")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", value):
            raise ValueError
        return value
