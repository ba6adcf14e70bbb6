"""Settings for Google, Microsoft and the OpenID Connect provider for signing in to the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from importer.settings.fields import Seen, client_secret, comes_with, organisation_domains, setting
from importer.settings.transfers import TransferSettings
from importer.settings.value_types import file, flag, secret, text
from providers.endpoint import Secret

_BUTTON_CHARS: Final = 60


def _needs_master_user(value: str, seen: Seen) -> str:
    if value and not (seen.get("destination_master_user") and seen.get("openid_issuer")):
        raise ValueError
    return value


def _issuer(value: str, _seen: Seen) -> str:
    parts = urlsplit(value)
    right = parts.scheme == "https" and parts.hostname and not (parts.username or parts.query)
    if value and (not right or parts.fragment):
        raise ValueError
    return value  # a trailing slash is part of the issuer identifier


def _password_sign_in(value: bool, seen: Seen) -> bool:
    if not value and not seen.get("openid_issuer"):
        raise ValueError
    return value


def _openid_scope(value: str, _seen: Seen) -> str:
    if "openid" not in value.split():
        raise ValueError
    return " ".join(value.split())


def _needs_application(value: str, seen: Seen) -> str:
    directory = seen.get("microsoft_organisation_tenant")
    if directory and not (value or seen.get("microsoft_client_id")):
        raise ValueError
    return value


def _https(value: str, _seen: Seen) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment):
        raise ValueError
    return value.rstrip("/")


def _tenant(value: str, _seen: Seen) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]*", value):
        raise ValueError
    return value


def _exists(value: Path, _seen: Seen) -> Path:
    if not value.is_file():
        raise ValueError
    return value


def _not_empty(value: str, _seen: Seen) -> str:
    if not value:
        raise ValueError
    return value


def _button_text(value: str, _seen: Seen) -> str:
    if len(value) > _BUTTON_CHARS:
        raise ValueError
    return value


class IdentityProviderSettings(TransferSettings):
    """Google, Microsoft and the OpenID Connect provider for signing in to the pages."""

    google_client_id: str = setting(
        "",
        "Client ID of the OAuth application at Google with which owners of mailboxes sign in.",
        "the client ID from the Google Cloud console",
        shown="none; signing in with Google is off",
    )
    google_client_secret: Secret | None = client_secret("google")
    google_service_account_file: Path | None = setting(
        None,
        "JSON key file of a service account with domain-wide delegation, for an organisation's mailboxes.",
        "a file that exists",
        file,
        _exists,
        shown="none",
    )
    google_organisation_domains: frozenset[str] = organisation_domains("google_service_account_file")
    google_authority: str = setting(
        "",
        "URL that replaces Google for signing in, for tests.",
        "a URL such as https://HOST:PORT/PATH",
        text,
        _https,
        shown="Google",
    )
    microsoft_client_id: str = setting(
        "",
        "Application (client) ID of the app registration at Microsoft with which owners sign in.",
        "the application ID from the Microsoft Entra admin center",
        shown="none; signing in with Microsoft is off",
    )
    microsoft_client_secret: Secret | None = client_secret("microsoft")
    microsoft_tenant: str = setting(
        "common",
        "Who can sign in: common, organizations, consumers, or one directory by ID or domain.",
        "common, organizations, consumers, or a directory's ID or domain",
        text,
        _tenant,
    )
    microsoft_organisation_tenant: str = setting(
        "",
        "Directory that permits an application to open its mailboxes (IMAP.AccessAsApp), by ID or domain.",
        "a directory's ID or domain",
        text,
        _tenant,
        shown="none",
    )
    microsoft_organisation_client_id: str = setting(
        "",
        "Application (client) ID for that directory.",
        "an application ID, and it or MAILHAUL_MICROSOFT_CLIENT_ID must be set with the directory",
        text,
        _needs_application,
        shown="MAILHAUL_MICROSOFT_CLIENT_ID",
        always_checked=True,
    )
    microsoft_organisation_client_secret: Secret | None = setting(
        None,
        "Client secret of the application for that directory.",
        "the client secret of MAILHAUL_MICROSOFT_ORGANISATION_CLIENT_ID, and set with it",
        secret,
        comes_with("microsoft_organisation_client_id"),
        shown="MAILHAUL_MICROSOFT_CLIENT_SECRET",
        hidden=True,
        always_checked=True,
    )
    microsoft_organisation_domains: frozenset[str] = organisation_domains("microsoft_organisation_tenant")
    microsoft_authority: str = setting(
        "https://login.microsoftonline.com",
        "URL at which signing in with Microsoft begins; sovereign clouds have other URLs.",
        "a URL such as https://login.microsoftonline.com",
        text,
        _https,
    )
    openid_issuer: str = setting(
        "",
        "OpenID Connect issuer for signing in to the pages, exactly as in its own metadata.",
        "a URL such as https://login.example.org",
        text,
        _issuer,
        shown="none; people sign in with a mailbox",
    )
    openid_client_id: str = setting(
        "",
        "Client ID of Mailhaul at that issuer.",
        "the client ID, and set with MAILHAUL_OPENID_ISSUER",
        text,
        comes_with("openid_issuer"),
        shown="none",
        always_checked=True,
    )
    openid_client_secret: Secret | None = client_secret("openid")
    openid_claim: str = setting(
        "email",
        "Claim with the mail addresses of a person: one address or a list.",
        "the name of a claim such as email or mail_addresses",
        text,
        _not_empty,
    )
    openid_domains_claim: str = setting(
        "",
        "Claim with the domains for which a person has the batch right.",
        "the name of a claim such as mail_domains, and MAILHAUL_OPENID_ISSUER and"
        " MAILHAUL_DESTINATION_MASTER_USER must be set with it",
        text,
        _needs_master_user,
        shown="none",
    )
    openid_scope: str = setting(
        "openid email",
        "Scopes to request, so that the token contains the claim.",
        "scopes separated by blanks, including openid",
        text,
        _openid_scope,
    )
    password_sign_in: bool = setting(
        True,
        "Whether people can sign in with a mailbox's password. False makes the issuer the only way in.",
        "true, or with MAILHAUL_OPENID_ISSUER false",
        flag,
        _password_sign_in,
        shown="true",
    )
    openid_button: str = setting(
        "",
        "Text of the button that leads to the issuer.",
        f"a text of at most {_BUTTON_CHARS} characters",
        text,
        _button_text,
        shown="Sign in with your account, in the reader's language",
    )
