"""Render pages from templates, with one Jinja environment per language, and load static files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from importer.domain.brand import Brand, Palette
from importer.domain.reporting.formatting import printable
from importer.i18n.advised_pages import ADDRESS, advised_pages
from importer.i18n.alert_texts import alert_texts
from importer.i18n.change_texts import remarks
from importer.i18n.folder_names import folder_name
from importer.i18n.option_texts import chosen_options, form_options, word_sentences
from importer.i18n.reason_texts import reason
from importer.i18n.state_texts import state_word
from importer.i18n.translations import LANGUAGES, CatalogTranslator
from importer.i18n.wait_texts import maintenance_text
from importer.ports.process import InstallationFault
from importer.web.cookies import set_session_token
from importer.web.request_context import Guest, Visitor

_MEDIA_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


_BREAKS: Final = re.compile(r"(?<=[^@.])(?=[@.])")


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file. Its path contains a digest of its content, so browsers may cache it without limit."""

    path: str
    content: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Static files by name."""
    by_name = {}
    for file in resources.files("importer.web").joinpath("static").iterdir():
        extension = file.name.rpartition(".")[2]
        if extension in _MEDIA_TYPES:
            content = file.read_bytes()
            path = f"/static/{sha256(content).hexdigest()[:12]}/{file.name}"
            by_name[file.name] = Asset(path, content, _MEDIA_TYPES[extension])
    return by_name


@cache
def brand_assets(brand: Brand) -> dict[str, Asset]:
    """The files of a brand by name: its logo, and the colours of its pages as a style sheet."""
    files = {}
    if brand.logo is not None:
        files[brand.logo.name] = Asset(brand.logo.path, brand.logo.content, brand.logo.media_type)
    if brand.light is not None and brand.dark is not None:
        dark = f"@media (prefers-color-scheme: dark) {{ {_colours(brand.dark)} }}"
        css = f"{_colours(brand.light)}\n{dark}\n".encode()
        files["brand.css"] = Asset(f"/static/{sha256(css).hexdigest()[:12]}/brand.css", css, "text/css")
    return files


def _colours(palette: Palette) -> str:
    return (
        f":root {{ --accent: {palette.accent}; --accent-strong: {palette.strong};"
        f" --accent-wash: {palette.wash}; --on-accent: {palette.on_accent}; --busy: {palette.accent}; }}"
    )


def page(reader: Visitor | Guest, template: str, status: int = 200, **context: Any) -> Response:
    """A whole page, with the session cookie. Pages are personal and must not be cached."""
    visitor = reader.visitor if isinstance(reader, Guest) else reader
    response = HTMLResponse(rendered(reader, template, **context), status)
    set_session_token(response, visitor.site, visitor.token)
    return response


def rendered(reader: Visitor | Guest, template: str, **context: Any) -> str:
    """The text of a template, rendered for this reader."""
    visitor = reader.visitor if isinstance(reader, Guest) else reader
    guest = reader if isinstance(reader, Guest) else None
    return (
        _environment(visitor.texts)
        .get_template(template)
        .render(
            visitor=visitor,
            guest=guest,
            signed_in=guest is not None or visitor.session is not None,
            csrf=visitor.csrf,
            brand=visitor.site.brand,
            maintenance=_maintenance(visitor),
            brand_assets=brand_assets(visitor.site.brand),
            destination_host=visitor.site.destination.host,
            openid=visitor.site.deps.identity_provider is not None,
            openid_button=visitor.site.settings.openid_button,
            **context,
        )
    )


def _maintenance(visitor: Visitor) -> str:
    """The maintenance notice; "" without maintenance, and while the database is unavailable."""
    try:
        current = visitor.site.maintenance()
    except InstallationFault:
        return ""
    return "" if current is None else maintenance_text(visitor.texts, current.since, current.note)


def fragment(translator: CatalogTranslator, template: str, **context: Any) -> str:
    """A part of a page that is the same for all readers with these texts."""
    return _environment(translator).get_template(template).render(**context)


def redirect(path: str) -> Response:
    """Redirect to another page of this site, by GET."""
    return RedirectResponse(path, 303)


def linked(text: str) -> Markup:
    """A text in which the pages that our own advice names are links. All other addresses stay text: they may
    be a stranger's."""
    pieces, end = [], 0
    for found in ADDRESS.finditer(text):
        if found[0] in advised_pages():
            link = Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(found[0])
            pieces += [escape(text[end : found.start()]), link]
            end = found.end()
    return Markup("").join((*pieces, escape(text[end:])))


def breakable(address: str) -> Markup:
    """An address with line-break opportunities before its @ and its dots; it breaks within a word only if
    necessary."""
    return Markup(_BREAKS.sub("<wbr>", str(escape(address))))  # noqa: S704 - escaped


@cache
def _environment(translator: CatalogTranslator) -> Environment:
    environment = Environment(
        loader=PackageLoader("importer.web"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "_": translator.gettext,
        "ngettext": translator.ngettext,
        "t": translator,
        "language": translator.language,
        "languages": LANGUAGES,
        "form_options": form_options(translator),
        "asset": lambda name: assets()[name].path,
    }
    environment.filters |= {
        "number": translator.number,
        "size": translator.size,
        "span": translator.span,
        "day": translator.day,
        "short_day": translator.short_day,
        "instant": translator.instant,
        "reason": partial(reason, translator),
        "state_word": partial(state_word, translator),
        "address": breakable,
        "folder": partial(folder_name, translator),
        "label_rule": partial(word_sentences, translator, "labels"),
        "chosen_options": partial(chosen_options, translator),
        "remarks": lambda totals: remarks(translator, totals),
        "alerts": lambda import_: alert_texts(
            translator, import_.alerts, import_.source, import_.destination
        ),
        "linked": linked,
        "printable": printable,
    }
    return environment
