"""Keeps typed text across the sign-in: sealed in the browser for 15 minutes, never a password."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fastapi import Request
from starlette.datastructures import FormData
from starlette.responses import Response

from importer.domain.import_options import OPTIONS
from importer.ports.vault import VaultError
from importer.web.cookies import delete_sign_in_state, set_sign_in_state, sign_in_state
from importer.web.request_context import Site, field_text
from providers.endpoint import Secret

GO_ON: Final = "go on"
"""A field of the address form, which is then treated as submitted."""

KEPT_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "/new": ("address",),
        "/new/mailbox": ("address", "server", "port", "security", "login"),
        "/new/start": ("source", *OPTIONS),
        "/mailboxes": ("address",),
    }
)
"""By the path of a form."""

_COOKIE: Final = "typed"
_LIFETIME_S: Final = 900
_MAX_CHARS: Final = 2000
"""Browsers keep 4096 bytes of a cookie (RFC 6265bis section 5.5); sealing makes it a third longer."""


def keep_form(response: Response, site: Site, path: str, fields: FormData) -> None:
    """Keep those fields of the form at that path that may be kept, if any."""
    keep_typed(response, site, path, {name: field_text(fields, name) for name in KEPT_FIELDS.get(path, ())})


def keep_typed(response: Response, site: Site, path: str, typed: Mapping[str, str]) -> None:
    """Keep these fields for the form at that path."""
    filled = {name: text for name, text in typed.items() if text}
    text = json.dumps([path, filled])
    if filled and len(text) <= _MAX_CHARS:
        sealed = site.deps.vault.seal(Secret(text), _COOKIE).decode("ascii")
        set_sign_in_state(response, site, _COOKIE, sealed, _LIFETIME_S)


def typed_text(request: Request, site: Site, path: str) -> dict[str, str]:
    """The fields that were kept for the form at that path; empty without any."""
    try:
        sealed = sign_in_state(request, site, _COOKIE).encode("ascii")
        kept, typed = json.loads(site.deps.vault.open(sealed, _COOKIE).reveal()) if sealed else ("", {})
    except (VaultError, ValueError):
        return {}
    return dict(typed) if kept == path else {}


def forget_typed(response: Response, site: Site) -> Response:
    delete_sign_in_state(response, site, _COOKIE)
    return response
