"""Google, Microsoft, and the OpenID provider of people who sign in, as settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationInfo, field_validator

from importer.settings.copying import Copying
from importer.settings.fields import client_secret, organisation_domains, setting
from importer.settings.kinds import Domains, File, OptionalSecret
from providers.model import Secret


class SigningIn(Copying):
    """Google, Microsoft, and the OpenID provider of people who sign in."""

    google_client_id: str = setting(
        "",
        "Client ID of the OAuth application at Google that owners of mailboxes sign in to.",
        "the client ID from the Google Cloud console",
        shown="none; nobody can sign in with Google",
    )
    google_client_secret: OptionalSecret = client_secret("GOOGLE")
    google_service_account_file: File | None = setting(
        None,
        "JSON key of a service account with domain-wide delegation, for an organisation's Google mailboxes.",
        "a file that exists",
        shown="none",
    )
    google_organisation_domains: Domains = organisation_domains("GOOGLE_SERVICE_ACCOUNT_FILE")
    google_authority: str = setting(
        "",
        "Stands in for Google when signing in, for rehearsals.",
        "a URL such as https://HOST:PORT/PATH",
        shown="Google",
    )
    microsoft_client_id: str = setting(
        "",
        "Application (client) ID of the app registration at Microsoft that owners of mailboxes sign in to.",
        "the application ID from the Microsoft Entra admin center",
        shown="none; nobody can sign in with Microsoft",
    )
    microsoft_client_secret: OptionalSecret = client_secret("MICROSOFT")
    microsoft_tenant: str = setting(
        "common",
        "Who can sign in: common, organizations, consumers, or one directory by ID or domain.",
        "common, organizations, consumers, or a directory's ID or domain",
    )
    microsoft_organisation_tenant: str = setting(
        "",
        "Directory that lets an application into its mailboxes (IMAP.AccessAsApp), by ID or domain.",
        "a directory's ID or domain",
        shown="none",
    )
    microsoft_organisation_client_id: str = setting(
        "",
        "Application (client) ID for that directory.",
        "an application ID, and it or MAILFERRY_MICROSOFT_CLIENT_ID must be set with the directory",
        shown="MAILFERRY_MICROSOFT_CLIENT_ID",
        validate_default=True,
    )
    microsoft_organisation_client_secret: OptionalSecret = setting(
        None,
        "Client secret of the application for that directory.",
        "the client secret of MAILFERRY_MICROSOFT_ORGANISATION_CLIENT_ID, and set with it",
        shown="MAILFERRY_MICROSOFT_CLIENT_SECRET",
        repr=False,
        validate_default=True,
    )
    microsoft_organisation_domains: Domains = organisation_domains("MICROSOFT_ORGANISATION_TENANT")
    microsoft_authority: str = setting(
        "https://login.microsoftonline.com",
        "Where signing in with Microsoft begins; sovereign clouds have others.",
        "a URL such as https://login.microsoftonline.com",
    )
    openid_issuer: str = setting(
        "",
        "OpenID Connect issuer at which people sign in to the pages, letter by letter as it names itself.",
        "a URL such as https://login.example.org",
        shown="none; people sign in with a mailbox",
    )
    openid_client_id: str = setting(
        "",
        "Client ID that Mailferry has at that issuer.",
        "the client ID, and set with MAILFERRY_OPENID_ISSUER",
        shown="none",
        validate_default=True,
    )
    openid_client_secret: OptionalSecret = client_secret("OPENID")
    openid_claim: str = setting(
        "email",
        "Claim with the mail addresses that are a person's own: one, or a list of them.",
        "the name of a claim such as email or mail_addresses",
        min_length=1,
    )
    openid_domains_claim: str = setting(
        "",
        "Claim with the domains that a person administers: the batch right for these.",
        "the name of a claim such as mail_domains, and MAILFERRY_OPENID_ISSUER and"
        " MAILFERRY_DESTINATION_MASTER_USER must be set with it",
        shown="none",
    )
    openid_scope: str = setting(
        "openid email",
        "Scope that is asked for, so that the claim comes along.",
        "words with openid among them",
    )
    openid_button: str = setting(
        "",
        "What the button that leads to the issuer says.",
        "a short text",
        shown="Sign in with your account, in the reader's language",
        max_length=60,
    )

    @field_validator(
        "google_client_secret",
        "microsoft_client_secret",
        "microsoft_organisation_client_secret",
        "openid_client_secret",
    )
    @classmethod
    def _secret_with_id(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        client_id = info.data.get(str(info.field_name).removesuffix("secret") + "id")
        if bool(client_id) != (value is not None and bool(value.reveal())):
            raise ValueError
        return value

    @field_validator("batch_right", "openid_domains_claim")
    @classmethod
    def _by_a_master(cls, value: Any, info: ValidationInfo) -> Any:
        issuer = info.field_name != "openid_domains_claim" or info.data.get("openid_issuer")
        if value and not (info.data.get("destination_master_user") and issuer):
            raise ValueError
        return value

    @field_validator("openid_issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        right = parts.scheme == "https" and parts.hostname and not (parts.username or parts.query)
        if value and (not right or parts.fragment):
            raise ValueError
        return value  # a slash at its end belongs to its name

    @field_validator("openid_client_id")
    @classmethod
    def _known_there(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) != bool(info.data.get("openid_issuer")):
            raise ValueError
        return value

    @field_validator("openid_scope")
    @classmethod
    def _openid_scope(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError
        return " ".join(value.split())

    @field_validator("microsoft_organisation_client_id")
    @classmethod
    def _some_application(cls, value: str, info: ValidationInfo) -> str:
        directory = info.data.get("microsoft_organisation_tenant")
        if directory and not (value or info.data.get("microsoft_client_id")):
            raise ValueError
        return value

    @field_validator("google_organisation_domains", "microsoft_organisation_domains")
    @classmethod
    def _domains_with_permission(cls, value: frozenset[str], info: ValidationInfo) -> frozenset[str]:
        google = str(info.field_name).startswith("google")
        needs = info.data.get("google_service_account_file" if google else "microsoft_organisation_tenant")
        if bool(needs) != bool(value):
            raise ValueError
        return value

    @field_validator("google_authority", "microsoft_authority")
    @classmethod
    def _https(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment):
            raise ValueError
        return value.rstrip("/")

    @field_validator("microsoft_tenant", "microsoft_organisation_tenant")
    @classmethod
    def _tenant(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9.-]*", value):
            raise ValueError
        return value

    @field_validator("google_service_account_file")
    @classmethod
    def _exists(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError
        return value
