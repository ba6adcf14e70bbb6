"""The hosts that mail comes from and goes to, as settings."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from importer.settings.fields import Seen, setting
from importer.settings.storage import StorageSettings
from importer.settings.value_types import IpNetwork, administrators, file, flag, networks, secret, text
from providers.endpoint import Endpoint, Secret
from providers.master_user import SEPARATORS


def _as_given(value: object) -> object:
    return value


def _server(value: object, seen: Seen) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    return Endpoint.parse(text(value), allow_plaintext=bool(seen.get("allow_plaintext")))


def _master_of_a_server(value: str, seen: Seen) -> str:
    if value and (re.search(r"\s|[\x00-\x1f\x7f]", value) or not seen.get("destination_server")):
        raise ValueError
    return value


def _master_password(value: Secret | None, seen: Seen) -> Secret | None:
    if bool(seen.get("destination_master_user")) != (value is not None):
        raise ValueError
    return value


def _separates(value: str, _seen: Seen) -> str:
    if value and (value not in SEPARATORS or len(value) != 1):
        raise ValueError
    return value


def _certificates(value: Path, _seen: Seen) -> Path:
    try:
        ssl.create_default_context(cafile=str(value))
    except (OSError, ssl.SSLError):
        raise ValueError from None
    return value


def _by_a_master(value: Any, seen: Seen) -> Any:
    if value and not seen.get("destination_master_user"):
        raise ValueError
    return value


class HostSettings(StorageSettings):
    """The hosts that mail comes from and goes to."""

    allow_plaintext: bool = setting(
        False,
        "Whether imap:// may go on without encryption where the server offers no STARTTLS.",
        "true or false",
        flag,
        shown="false",
    )
    allowed_networks: tuple[IpNetwork, ...] = setting(
        (),
        "Private networks in which users may name mail servers, separated by commas, such as 10.0.0.0/8.",
        "networks such as 10.0.0.0/8 or fd00::/8, separated by commas",
        networks,
        shown="none",
    )
    forbidden_networks: tuple[IpNetwork, ...] = setting(
        (),
        "Public networks in which users may name none, such as your own.",
        "networks such as 192.0.2.0/24, separated by commas",
        networks,
        shown="none",
    )
    destination_server: Endpoint | None = setting(
        None,
        "Server that imports go to unless a row names another: imaps://HOST[:PORT], or imap:// for STARTTLS.",
        "a server such as imaps://mail.example.org",
        _as_given,
        _server,
        shown="none; each import must name one",
    )
    destination_master_user: str = setting(
        "",
        "Master user of that server: opens new mailboxes without their passwords, by the batch right.",
        "a name without blanks, and MAILHAUL_DESTINATION_SERVER must be set with it",
        text,
        _master_of_a_server,
        shown="none; each new mailbox is opened by its own password",
    )
    destination_master_password: Secret | None = setting(
        None,
        "Password of that master user.",
        "the password of MAILHAUL_DESTINATION_MASTER_USER, and set with it",
        secret,
        _master_password,
        shown="none",
        hidden=True,
        always_checked=True,
    )
    destination_master_separator: str = setting(
        "",
        "For logins as mailbox*master (Dovecot's auth_master_user_separator), the character between them.",
        f"one of {SEPARATORS}",
        text,
        _separates,
        shown="none; the mailbox is the authorisation identity of SASL PLAIN (RFC 4616)",
    )
    batch_right: Mapping[str, frozenset[str]] = setting(
        lambda _: MappingProxyType({}),
        "Administrators, by the address that they sign in with, and their domains: the batch right.",
        "entries such as ada@new.example: new.example, other.example; with ; between them, domains in their"
        " ASCII form, and MAILHAUL_DESTINATION_MASTER_USER set too",
        administrators,
        _by_a_master,
        shown="nobody but the console",
    )
    ca_file: Path | None = setting(
        None,
        "PEM file with certificate authorities to trust besides the system's, for IMAP, SMTP and sign-in.",
        "a PEM file with certificates",
        file,
        _certificates,
        shown="the system's only",
    )
