"""Settings for the mail hosts on both sides."""

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
from providers.text import Text


def _unchanged(value: object) -> object:
    return value


def _server(value: object, seen: Seen) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    return Endpoint.parse(text(value), allow_plaintext=bool(seen.get("allow_plaintext")))


def _master_user(value: str, seen: Seen) -> str:
    if value and (re.search(r"\s|[\x00-\x1f\x7f]", value) or not seen.get("destination_server")):
        raise ValueError
    return value


def _master_password(value: Secret | None, seen: Seen) -> Secret | None:
    if bool(seen.get("destination_master_user")) != (value is not None):
        raise ValueError
    return value


def _separator(value: str, _seen: Seen) -> str:
    if value and (value not in SEPARATORS or len(value) != 1):
        raise ValueError
    return value


def _certificates(value: Path, _seen: Seen) -> Path:
    try:
        ssl.create_default_context(cafile=str(value))
    except (OSError, ssl.SSLError):
        raise ValueError from None
    return value


def _needs_master_user(value: Any, seen: Seen) -> Any:
    if value and not seen.get("destination_master_user"):
        raise ValueError
    return value


class HostSettings(StorageSettings):
    """The mail hosts on both sides."""

    allow_plaintext: bool = setting(
        False,
        "Whether imap:// may continue unencrypted if the server offers no STARTTLS.",
        Text("setting_rule.flag"),
        flag,
        shown="false",
    )
    allowed_networks: tuple[IpNetwork, ...] = setting(
        (),
        "Private networks whose mail servers users may name, separated by commas, such as 10.0.0.0/8.",
        Text("setting_rule.networks", examples="10.0.0.0/8, fd00::/8"),
        networks,
        shown="none",
    )
    forbidden_networks: tuple[IpNetwork, ...] = setting(
        (),
        "Public networks whose mail servers users may not name, such as your own.",
        Text("setting_rule.networks", examples="192.0.2.0/24, 198.51.100.0/24"),
        networks,
        shown="none",
    )
    destination_server: Endpoint | None = setting(
        None,
        "Destination server unless an import names another: imaps://HOST[:PORT], or imap:// for STARTTLS.",
        Text("setting_rule.server", example="imaps://mail.example.org"),
        _unchanged,
        _server,
        shown="none; each import must name one",
    )
    destination_master_user: str = setting(
        "",
        "Master user of that server, who opens new mailboxes without their passwords (batch right).",
        Text("setting_rule.master_user"),
        text,
        _master_user,
        shown="none; each new mailbox is opened with its own password",
    )
    destination_master_password: Secret | None = setting(
        None,
        "Password of that master user.",
        Text("setting_rule.master_password"),
        secret,
        _master_password,
        shown="none",
        hidden=True,
        always_checked=True,
    )
    destination_master_separator: str = setting(
        "",
        "Character between the names in logins like mailbox*master (Dovecot's auth_master_user_separator).",
        Text("setting_rule.one_of", words=SEPARATORS),
        text,
        _separator,
        shown="none; the mailbox is the authorisation identity of SASL PLAIN (RFC 4616)",
    )
    batch_right: Mapping[str, frozenset[str]] = setting(
        lambda _: MappingProxyType({}),
        "Administrators with the batch right: the addresses they sign in with, and their domains.",
        Text("setting_rule.batch_right"),
        administrators,
        _needs_master_user,
        shown="none; only the console has it",
    )
    ca_file: Path | None = setting(
        None,
        "PEM file with additional certificate authorities to trust, for IMAP, SMTP and sign-in.",
        Text("setting_rule.ca_file"),
        file,
        _certificates,
        shown="only the system's",
    )
