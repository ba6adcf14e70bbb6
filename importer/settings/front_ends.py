"""Pages, the API, and what is told to others, as settings."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import ValidationInfo, field_validator

from importer.settings.fields import setting
from importer.settings.kinds import OptionalSecret
from importer.settings.signing_in import SigningIn
from providers.model import Secret


class FrontEnds(SigningIn):
    """Pages, the API, and what is told to others."""

    public_url: str = setting(
        "",
        "Address at which people reach Mailferry's pages. Signing in comes back there.",
        "a URL such as https://mailferry.example.org, and set whenever owners can sign in",
        shown="none",
        validate_default=True,
    )
    consent_days: int = setting(
        14,
        "How long an owner who was asked to sign in may take; then the import ends.",
        "a whole number from 1 to 90",
        ge=1,
        le=90,
    )
    give_back_consent: bool = setting(
        True,
        "Whether an owner's consent is given back to its provider when the import ends.",
        "true or false",
        shown="true",
    )
    web_listen: str = setting(
        "127.0.0.1:8025",
        "Address and port that the web pages are served on, without TLS: a proxy in front adds it.",
        "HOST:PORT, such as 127.0.0.1:8025 or [::]:8025",
    )
    web_proxies: str = setting(
        "127.0.0.1",
        "Proxies whose word about the client's address is taken, separated by commas.",
        "addresses or networks, separated by commas",
    )
    api_calls_per_minute: int = setting(
        600, "Calls of the API that one token may make a minute.", "a whole number, 1 or more", ge=1
    )
    webhook_url: str = setting(
        "",
        "Address that is called when any import ends or needs somebody; tokens have their own.",
        "a URL such as https://panel.example.org/mailferry",
        shown="none",
    )
    webhook_secret: OptionalSecret = setting(
        None,
        "What signs those calls.",
        "any text of 16 characters or more, and set with MAILFERRY_WEBHOOK_URL",
        shown="none",
        repr=False,
        validate_default=True,
    )

    @field_validator("web_listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        parts = urlsplit(f"//{value}")
        if not parts.hostname or parts.port is None or parts.netloc != value or "@" in value:
            raise ValueError
        return value

    @field_validator("webhook_url")
    @classmethod
    def _callable(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("https", "http") or not parts.hostname or parts.username):
            raise ValueError
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if bool(info.data.get("webhook_url")) != (value is not None):
            raise ValueError
        if value is not None and len(value.reveal()) < 16:
            raise ValueError
        return value

    @field_validator("public_url")
    @classmethod
    def _reachable(cls, value: str, info: ValidationInfo) -> str:
        parts = urlsplit(value)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")  # where OAuth takes http too
        right = parts.hostname and parts.scheme in (("https", "http") if local else ("https",))
        if value and (not right or parts.path.strip("/") or parts.query or parts.fragment or parts.username):
            raise ValueError
        asking = ("google_client_id", "microsoft_client_id", "openid_issuer")
        if not value and any(map(info.data.get, asking)):
            raise ValueError
        return value.rstrip("/")
