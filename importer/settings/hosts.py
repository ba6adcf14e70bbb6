"""The hosts that mail comes from and goes to, as settings."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationInfo, field_validator

from importer.settings.fields import setting
from importer.settings.kept import Kept
from importer.settings.kinds import Administrators, File, Networks, OptionalSecret, OptionalServer
from providers.master import SEPARATORS
from providers.model import Secret


class Hosts(Kept):
    """The hosts that mail comes from and goes to."""

    allow_plaintext: bool = setting(
        False,
        "Whether imap:// may go on without encryption where the server offers no STARTTLS.",
        "true or false",
        shown="false",
    )
    allowed_networks: Networks = setting(
        (),
        "Private networks in which users may name mail servers, separated by commas, such as 10.0.0.0/8.",
        "networks such as 10.0.0.0/8 or fd00::/8, separated by commas",
        shown="none",
    )
    forbidden_networks: Networks = setting(
        (),
        "Public networks in which users may name none, such as your own.",
        "networks such as 192.0.2.0/24, separated by commas",
        shown="none",
    )
    destination_server: OptionalServer = setting(
        None,
        "Server that imports go to unless a row names another: imaps://HOST[:PORT], or imap:// for STARTTLS.",
        "a server such as imaps://mail.example.org",
        shown="none; each import must name one",
    )
    destination_master_user: str = setting(
        "",
        "Master user of that server: opens new mailboxes without their passwords, by the batch right.",
        "a name without blanks, and MAILFERRY_DESTINATION_SERVER must be set with it",
        shown="none; each new mailbox is opened by its own password",
    )
    destination_master_password: OptionalSecret = setting(
        None,
        "Password of that master user.",
        "the password of MAILFERRY_DESTINATION_MASTER_USER, and set with it",
        shown="none",
        repr=False,
        validate_default=True,
    )
    destination_master_separator: str = setting(
        "",
        "For logins as mailbox*master (Dovecot's auth_master_user_separator), the character between them.",
        f"one of {SEPARATORS}",
        shown="none; the mailbox is the authorisation identity of SASL PLAIN (RFC 4616)",
    )
    batch_right: Administrators = setting(
        lambda: MappingProxyType({}),
        "Administrators, by the address that they sign in with, and their domains: the batch right.",
        "entries such as ada@new.example: new.example, other.example; with ; between them, domains in their"
        " ASCII form, and MAILFERRY_DESTINATION_MASTER_USER set too",
        shown="nobody but the console",
    )
    ca_file: File | None = setting(
        None,
        "PEM file with certificate authorities to trust besides the system's, for IMAP, SMTP and sign-in.",
        "a PEM file with certificates",
        shown="the system's only",
    )

    @field_validator("destination_master_user")
    @classmethod
    def _master_of_a_server(cls, value: str, info: ValidationInfo) -> str:
        if value and (re.search(r"\s|[\x00-\x1f\x7f]", value) or not info.data.get("destination_server")):
            raise ValueError
        return value

    @field_validator("destination_master_password")
    @classmethod
    def _master_password(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if bool(info.data.get("destination_master_user")) != (value is not None):
            raise ValueError
        return value

    @field_validator("destination_master_separator")
    @classmethod
    def _separates(cls, value: str) -> str:
        if value and (value not in SEPARATORS or len(value) != 1):
            raise ValueError
        return value

    @field_validator("ca_file")
    @classmethod
    def _certificates(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=str(value))
            except (OSError, ssl.SSLError):
                raise ValueError from None
        return value
