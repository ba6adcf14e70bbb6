"""Pages from templates, one Jinja environment per language; and the files that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from importer.domain.reporting.formatting import printable
from importer.i18n.label_texts import label_choices, label_rule
from importer.i18n.reason_texts import reason
from importer.i18n.translations import LANGUAGES, texts
from importer.web.request_context import LANGUAGE_COOKIE, Guest, Site, Visitor

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file; its path changes with its content, so browsers may keep it for ever."""

    path: str
    content: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Static files by name."""
    found = {}
    for file in resources.files("importer.web").joinpath("static").iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in _TYPES:
            content = file.read_bytes()
            path = f"/static/{sha256(content).hexdigest()[:12]}/{file.name}"
            found[file.name] = Asset(path, content, _TYPES[kind])
    return found


def page(who: Visitor | Guest, template: str, status: int = 200, **context: Any) -> Response:
    """A whole page; never kept by caches, since all of them are somebody's own."""
    visitor = who.visitor if isinstance(who, Guest) else who
    response = HTMLResponse(rendered(who, template, **context), status)
    set_token(response, visitor.site, visitor.token)
    return response


def rendered(who: Visitor | Guest, template: str, **context: Any) -> str:
    """A template as text."""
    visitor = who.visitor if isinstance(who, Guest) else who
    guest = who if isinstance(who, Guest) else None
    found = _environment(visitor.texts.language).get_template(template)
    return found.render(
        visitor=visitor,
        guest=guest,
        signed_in=guest is not None or visitor.visit is not None,
        csrf=visitor.csrf,
        destination_host=visitor.site.destination.host,
        openid=visitor.site.deps.identity_provider is not None,
        openid_button=visitor.site.settings.openid_button,
        **context,
    )


def fragment(language: str, template: str, **context: Any) -> str:
    """A piece of a page that is the same for all who speak this language."""
    return _environment(language).get_template(template).render(**context)


def go(path: str) -> Response:
    """On to another page of ours, by GET."""
    return RedirectResponse(path, 303)


def set_token(response: Response, site: Site, token: str) -> None:
    """The visit's cookie: for this host, out of reach of scripts, not sent along from other sites' forms."""
    response.set_cookie(site.cookie, token, httponly=True, samesite="lax", secure=site.secure, path="/")


def set_language(response: Response, site: Site, language: str) -> None:
    response.set_cookie(
        LANGUAGE_COOKIE, language, max_age=365 * 86_400, samesite="lax", secure=site.secure, httponly=True
    )


@cache
def _environment(language: str) -> Environment:
    speaking = texts(language)
    environment = Environment(
        loader=PackageLoader("importer.web"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "_": speaking.gettext,
        "ngettext": speaking.ngettext,
        "t": speaking,
        "language": language,
        "languages": LANGUAGES,
        "label_choices": label_choices(speaking),
        "asset": lambda name: assets()[name].path,
    }
    environment.filters |= {
        "number": speaking.number,
        "size": speaking.size,
        "span": speaking.span,
        "day": speaking.day,
        "instant": speaking.instant,
        "reason": partial(reason, speaking),
        "label_rule": partial(label_rule, speaking),
        "printable": printable,
    }
    return environment
