"""Settings for the web pages, the API and webhooks."""

from __future__ import annotations

from urllib.parse import urlsplit

from importer.settings.fields import Seen, setting, whole_number
from importer.settings.openid_settings import OpenIdSettings
from importer.settings.value_types import addresses, flag, origins, secret, text
from providers.endpoint import Secret
from providers.sign_in_providers import SIGN_IN_PROVIDERS
from providers.text import Text


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
        Text("setting_rule.public_url"),
        text,
        _public_url,
        shown="none",
        always_checked=True,
    )
    operators: frozenset[str] = setting(
        frozenset(),
        "Mailboxes at MAILHAUL_DESTINATION_SERVER with which people sign in as operators: they see and act on"
        " all imports.",
        Text("setting_rule.addresses", example="it@new.example"),
        addresses,
        shown="none; only the console sees all imports",
    )
    consent_days: int = whole_number(
        14, "Days that an owner has for signing in; then the import ends.", 1, 90
    )
    give_back_consent: bool = setting(
        True,
        "Whether an owner's consent is revoked at its provider when the import ends.",
        Text("setting_rule.flag"),
        flag,
        shown="true",
    )
    session_idle_minutes: int = whole_number(
        120, "Minutes without use after which a person is signed out; imports continue.", 5, 720
    )
    web_listen: str = setting(
        "127.0.0.1:8025",
        "Address and port of the web pages, without TLS; a proxy in front adds it.",
        Text("setting_rule.host_port", example="127.0.0.1:8025"),
        text,
        _listen,
    )
    web_proxies: str = setting(
        "127.0.0.1",
        "Proxies that are trusted to report the client's address, separated by commas.",
        Text("setting_rule.proxies"),
    )
    hsts_subdomains: bool = setting(
        False,
        "Whether browsers must use TLS for all subdomains of the pages' host, too (HSTS includeSubDomains).",
        Text("setting_rule.flag"),
        flag,
        shown="false",
    )
    frame_ancestors: tuple[str, ...] = setting(
        (),
        "Origins whose pages may show these pages in a frame; of the same site (domain), or browsers send no"
        " session.",
        Text("setting_rule.origins"),
        origins,
        shown="none",
    )
    api_calls_per_minute: int = whole_number(600, "Maximum number of API requests per token and minute.", 1)
    starts_per_day: int = whole_number(
        500, "Maximum number of imports that one person starts on the pages in 24 hours; 0 is no limit.", 0
    )
    client_starts_per_day: int = whole_number(
        0, "Maximum number of imports that one API client starts in 24 hours; 0 is no limit.", 0
    )
    metrics_listen: str = setting(
        "",
        "Address for metrics and health of a process; under `up`, workers use the next ports.",
        Text("setting_rule.host_port", example="127.0.0.1:9464"),
        text,
        _optional_listen,
        shown="none",
    )
    otlp_endpoint: str = setting(
        "",
        "URL of an OpenTelemetry receiver (OTLP over HTTP) for traces of imports; needs the extra `otlp`.",
        Text("setting_rule.url", example="http://127.0.0.1:4318"),
        text,
        _web_address,
        shown="that of OTEL_EXPORTER_OTLP_ENDPOINT, if set",
    )
    webhook_url: str = setting(
        "",
        "URL that is called when any import ends or needs attention; API tokens have their own.",
        Text("setting_rule.url", example="https://panel.example.org/mailhaul"),
        text,
        _web_address,
        shown="none",
    )
    webhook_secret: Secret | None = setting(
        None,
        "Secret that signs these calls.",
        Text("setting_rule.webhook_secret"),
        secret,
        _signing_secret,
        shown="none",
        hidden=True,
        always_checked=True,
    )
