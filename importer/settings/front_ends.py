"""Settings for the web pages, the API and webhooks."""

from __future__ import annotations

from urllib.parse import urlsplit

from importer.settings.fields import Seen, setting
from importer.settings.openid_settings import OpenIdSettings
from importer.settings.value_types import addresses, flag, origins, secret, text, whole
from providers.endpoint import Secret
from providers.sign_in_providers import SIGN_IN_PROVIDERS


def _listen(value: str, _seen: Seen) -> str:
    parts = urlsplit(f"//{value}")
    if not parts.hostname or parts.port is None or parts.netloc != value or "@" in value:
        raise ValueError
    return value


def _optional_listen(value: str, seen: Seen) -> str:
    return _listen(value, seen) if value else ""


def _web_address(value: str, _seen: Seen) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("https", "http") or not parts.hostname or parts.username):
        raise ValueError
    return value


def _signing_secret(value: Secret | None, seen: Seen) -> Secret | None:
    if bool(seen.get("webhook_url")) != (value is not None):
        raise ValueError
    if value is not None and len(value.reveal()) < 16:
        raise ValueError
    return value


def _public_url(value: str, seen: Seen) -> str:
    parts = urlsplit(value)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")  # OAuth permits http here
    valid = parts.hostname and parts.scheme in (("https", "http") if local else ("https",))
    if value and (not valid or parts.path.strip("/") or parts.query or parts.fragment or parts.username):
        raise ValueError
    sign_ins = [f"{provider}_client_id" for provider in SIGN_IN_PROVIDERS]
    if not value and any(map(seen.get, [*sign_ins, "openid_issuer"])):
        raise ValueError
    return value.rstrip("/")


class FrontEndSettings(OpenIdSettings):
    """The web pages, the API and webhooks."""

    public_url: str = setting(
        "",
        "URL of Mailhaul's pages as people reach them. Identity providers redirect to it after signing in.",
        "a URL such as https://mailhaul.example.org, and set whenever owners can sign in",
        text,
        _public_url,
        shown="none",
        always_checked=True,
    )
    operators: frozenset[str] = setting(
        frozenset(),
        "Mailboxes at MAILHAUL_DESTINATION_SERVER with which people sign in as operators: they see and act on"
        " all imports.",
        "addresses such as it@new.example, separated by commas",
        addresses,
        shown="none; only the console sees all imports",
    )
    consent_days: int = setting(
        14,
        "Days that an owner has for signing in; then the import ends.",
        "a whole number from 1 to 90",
        whole(1, 90),
    )
    give_back_consent: bool = setting(
        True,
        "Whether an owner's consent is revoked at its provider when the import ends.",
        "true or false",
        flag,
        shown="true",
    )
    session_idle_minutes: int = setting(
        120,
        "Minutes without use after which a person is signed out; imports continue.",
        "a whole number from 5 to 720",
        whole(5, 720),
    )
    web_listen: str = setting(
        "127.0.0.1:8025",
        "Address and port of the web pages, without TLS; a proxy in front adds it.",
        "HOST:PORT, such as 127.0.0.1:8025 or [::]:8025",
        text,
        _listen,
    )
    web_proxies: str = setting(
        "127.0.0.1",
        "Proxies that are trusted to report the client's address, separated by commas.",
        "addresses or networks, separated by commas",
    )
    hsts_subdomains: bool = setting(
        False,
        "Whether browsers must use TLS for all subdomains of the pages' host, too (HSTS includeSubDomains).",
        "true or false",
        flag,
        shown="false",
    )
    frame_ancestors: tuple[str, ...] = setting(
        (),
        "Origins whose pages may show these pages in a frame; of the same site (domain), or browsers send no"
        " session.",
        "origins such as https://panel.example.org, separated by commas",
        origins,
        shown="none",
    )
    api_calls_per_minute: int = setting(
        600, "Maximum number of API requests per token and minute.", "a whole number, 1 or more", whole(1)
    )
    starts_per_day: int = setting(
        500,
        "Maximum number of imports that one person starts on the pages in 24 hours; 0 is no limit.",
        "a whole number, 0 or more",
        whole(0),
    )
    client_starts_per_day: int = setting(
        0,
        "Maximum number of imports that one API client starts in 24 hours; 0 is no limit.",
        "a whole number, 0 or more",
        whole(0),
    )
    metrics_listen: str = setting(
        "",
        "Address for metrics and health of a process; under `up`, workers use the next ports.",
        "HOST:PORT, such as 127.0.0.1:9464",
        text,
        _optional_listen,
        shown="none",
    )
    otlp_endpoint: str = setting(
        "",
        "URL of an OpenTelemetry receiver (OTLP over HTTP) for traces of imports; needs the extra `otlp`.",
        "a URL such as http://127.0.0.1:4318",
        text,
        _web_address,
        shown="that of OTEL_EXPORTER_OTLP_ENDPOINT, if set",
    )
    webhook_url: str = setting(
        "",
        "URL that is called when any import ends or needs attention; API tokens have their own.",
        "a URL such as https://panel.example.org/mailhaul",
        text,
        _web_address,
        shown="none",
    )
    webhook_secret: Secret | None = setting(
        None,
        "Secret that signs these calls.",
        "any text of 16 characters or more, and set with MAILHAUL_WEBHOOK_URL",
        secret,
        _signing_secret,
        shown="none",
        hidden=True,
        always_checked=True,
    )
