"""Settings for the OpenID Connect provider with which people sign in to the pages."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from importer.settings.fields import Seen, comes_with, setting
from importer.settings.sign_in_settings import SignInSettings
from importer.settings.value_types import flag, secret, text
from providers.endpoint import Secret
from providers.text import Text

_BUTTON_CHARS: Final = 60


def _needs_master_user(value: str, seen: Seen) -> str:
    if value and not (seen.get("destination_master_user") and seen.get("openid_issuer")):
        raise ValueError
    return value


def _operator_claim(value: str, seen: Seen) -> str:
    name, _, wanted = (part.strip() for part in value.partition("="))
    if value and not (name and wanted and seen.get("openid_issuer")):
        raise ValueError
    return f"{name}={wanted}" if value else ""


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


def _not_empty(value: str, _seen: Seen) -> str:
    if not value:
        raise ValueError
    return value


def _button_text(value: str, _seen: Seen) -> str:
    if len(value) > _BUTTON_CHARS:
        raise ValueError
    return value


class OpenIdSettings(SignInSettings):
    """The OpenID Connect provider with which people sign in to the pages."""

    openid_issuer: str = setting(
        "",
        "OpenID Connect issuer for signing in to the pages, exactly as in its own metadata.",
        Text("setting_rule.url", example="https://login.example.org"),
        text,
        _issuer,
        shown="none; people sign in with a mailbox",
    )
    openid_client_id: str = setting(
        "",
        "Client ID of Mailhaul at that issuer.",
        Text("setting_rule.openid_client_id"),
        text,
        comes_with("openid_issuer"),
        shown="none",
        always_checked=True,
    )
    openid_client_secret: Secret | None = setting(
        None,
        "Client secret of that application.",
        Text("setting_rule.client_secret", variable="MAILHAUL_OPENID_CLIENT_ID"),
        secret,
        comes_with("openid_client_id"),
        shown="none",
        hidden=True,
        always_checked=True,
    )
    openid_claim: str = setting(
        "email",
        "Claim with the mail addresses of a person: one address or a list.",
        Text("setting_rule.claim"),
        text,
        _not_empty,
    )
    openid_domains_claim: str = setting(
        "",
        "Claim with the domains for which a person has the batch right.",
        Text("setting_rule.domains_claim"),
        text,
        _needs_master_user,
        shown="none",
    )
    openid_operator_claim: str = setting(
        "",
        "Claim and value that make a person an operator on the pages, who sees and acts on all imports.",
        Text("setting_rule.operator_claim"),
        text,
        _operator_claim,
        shown="none",
    )
    openid_scope: str = setting(
        "openid email",
        "Scopes to request, so that the token contains the claim.",
        Text("setting_rule.scopes"),
        text,
        _openid_scope,
    )
    password_sign_in: bool = setting(
        True,
        "Whether people can sign in with a mailbox's password. False makes the issuer the only way in.",
        Text("setting_rule.password_sign_in"),
        flag,
        _password_sign_in,
        shown="true",
    )
    openid_button: str = setting(
        "",
        "Text of the button that leads to the issuer.",
        Text("setting_rule.short_text", most=_BUTTON_CHARS),
        text,
        _button_text,
        shown="Sign in with your account, in the reader's language",
    )
