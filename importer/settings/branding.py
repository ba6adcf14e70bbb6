"""Settings for the branding of pages and mails: name, logo, colour and legal pages of the host."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from importer.domain.brand import PRODUCT, Brand, Logo, light_palette, logo_of
from importer.settings.fields import Seen, setting
from importer.settings.hosts import HostSettings
from importer.settings.value_types import file, text
from providers.text import Text

_MAX_NAME_CHARS = 60


def _name(value: str, _seen: Seen) -> str:
    name = value.strip()
    if not name or len(name) > _MAX_NAME_CHARS or not name.isprintable() or any(c in '<>"\\' for c in name):
        raise ValueError
    return name


def _colour(value: str, _seen: Seen) -> str:
    return light_palette(value).accent if value else ""


def _logo(value: object) -> Logo | None:
    if value is None or isinstance(value, Logo):
        return value
    path: Path = file(value)
    try:
        return logo_of(path.read_bytes())
    except OSError as error:
        raise ValueError(str(path)) from error


def _url(value: str, _seen: Seen) -> str:
    parts = urlsplit(value)
    if value and not (parts.scheme in ("https", "http") and parts.hostname and value.isprintable()):
        raise ValueError
    return value


class BrandSettings(HostSettings):
    """The branding of pages and mails."""

    brand_name: str = setting(
        PRODUCT,
        "Name of this service on pages, in mails and in sentences of the API, and of the sender of mails.",
        Text("setting_rule.name", most=_MAX_NAME_CHARS),
        text,
        _name,
    )
    brand_logo: Logo | None = setting(
        None,
        "File with the logo, which pages serve; mails show it if `MAILHAUL_PUBLIC_URL` is set. SVG is not"
        " taken, since it can contain scripts.",
        Text("setting_rule.logo"),
        _logo,
        shown="Mailhaul's own",
    )
    brand_colour: str = setting(
        "",
        "Colour of buttons and links; other tones, also those for dark screens, are derived from it.",
        Text("setting_rule.colour"),
        text,
        _colour,
        shown="Mailhaul's own",
    )
    imprint_url: str = setting(
        "",
        "Page with the imprint, linked in pages and mails.",
        Text("setting_rule.web_url"),
        text,
        _url,
        shown="none",
    )
    privacy_url: str = setting(
        "",
        "Page about privacy, linked in pages and mails.",
        Text("setting_rule.web_url"),
        text,
        _url,
        shown="none",
    )

    @property
    def brand(self) -> Brand:
        return Brand(self.brand_name, self.brand_colour, self.brand_logo, self.imprint_url, self.privacy_url)
