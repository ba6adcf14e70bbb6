"""The brand on pages and mails: name, logo, colours and legal pages of the host whose customers use them.

A colour is accepted only if it is readable: as the background of white text, and as text on the backgrounds
of the pages (WCAG 2.2, 1.4.3: contrast of at least 4.5). The other colours of the pages are derived from it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

from providers.frozen import frozen

PRODUCT: Final = "Mailhaul"
MIN_CONTRAST: Final = 4.5

MAX_LOGO_BYTES: Final = 256 << 10
_MEDIA_TYPES: Final = {b"\x89PNG\r\n\x1a\n": ("png", "image/png"), b"\xff\xd8\xff": ("jpg", "image/jpeg")}

_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_LIGHT_GROUNDS: Final = (_WHITE, (245, 244, 240), (240, 239, 234))  # --sheet, --ground, --sunken of app.css
_DARK_GROUNDS: Final = ((26, 34, 38), (17, 23, 26), (20, 27, 31))
_DARK_TEXT: Final = (8, 32, 31)  # on the accent in the dark

Rgb = tuple[int, int, int]


class UnreadableColour(ValueError):
    """Text in this colour, or on it, cannot be read."""


@frozen
class Palette:
    """The accent colour, a stronger one, a background for it and the text on it, as `#rrggbb`."""

    accent: str
    strong: str
    wash: str
    on_accent: str


@frozen
class Logo:
    """An image that pages serve. No SVG: it could contain a script that runs on this site."""

    content: bytes
    ending: str
    media_type: str

    @property
    def name(self) -> str:
        return f"logo.{self.ending}"

    @property
    def path(self) -> str:
        """The path that it is served at; it contains a digest of the content."""
        return f"/static/{sha256(self.content).hexdigest()[:12]}/{self.name}"


@dataclass(frozen=True)
class Brand:
    """`colour` is `#rrggbb`, "" for the product's own."""

    name: str = PRODUCT
    colour: str = ""
    logo: Logo | None = None
    imprint_url: str = ""
    privacy_url: str = ""

    @cached_property
    def file_name(self) -> str:
        """The name for files: small letters, digits and hyphens of ASCII; "import" if it has none."""
        plain = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode().lower()
        return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "import"

    @cached_property
    def light(self) -> Palette | None:
        return light_palette(self.colour) if self.colour else None

    @cached_property
    def dark(self) -> Palette | None:
        return dark_palette(self.colour) if self.colour else None


def logo_of(content: bytes) -> Logo:
    """Raises ValueError unless it is a PNG, JPEG or WebP image of at most MAX_LOGO_BYTES."""
    if len(content) > MAX_LOGO_BYTES:
        raise ValueError("the image is too large")
    for magic, (ending, media_type) in _MEDIA_TYPES.items():
        if content.startswith(magic):
            return Logo(content, ending, media_type)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Logo(content, "webp", "image/webp")
    raise ValueError("not a PNG, JPEG or WebP image")


def light_palette(colour: str) -> Palette:
    """Raises UnreadableColour; ValueError unless it is `#rrggbb`."""
    accent = _rgb(colour)
    if any(contrast(accent, ground) < MIN_CONTRAST for ground in _LIGHT_GROUNDS):
        raise UnreadableColour(colour)
    return Palette(
        _text(accent), _text(_mix(accent, _BLACK, 0.25)), _text(_wash(accent, _WHITE)), _text(_WHITE)
    )


def dark_palette(colour: str) -> Palette:
    """The colour, lightened as far as dark backgrounds require."""
    accent = _rgb(colour)
    while any(contrast(accent, ground) < MIN_CONTRAST + 2 for ground in (*_DARK_GROUNDS, _DARK_TEXT)):
        accent = _mix(accent, _WHITE, 0.08)
    wash = _wash(accent, _DARK_GROUNDS[0])
    return Palette(_text(accent), _text(_mix(accent, _WHITE, 0.3)), _text(wash), _text(_DARK_TEXT))


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _wash(accent: Rgb, ground: Rgb) -> Rgb:
    """The background with as much of the accent as keeps text on it readable."""
    shares = (share / 100 for share in range(14, -1, -2))
    washes = (_mix(ground, accent, share) for share in shares)
    return next(wash for wash in washes if contrast(accent, wash) >= MIN_CONTRAST)


def _luminance(colour: Rgb) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _rgb(colour: str) -> Rgb:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ValueError(colour)
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _text(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
