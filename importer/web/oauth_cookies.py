"""What a browser keeps while its owner signs in elsewhere: for this host, out of reach of scripts, not sent
along from other sites' forms, and gone once the answer is in."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from importer.web.request_context import Site


def keep(response: Response, site: Site, name: str, value: str, lasts_s: int) -> None:
    response.set_cookie(
        _cookie(site, name),
        value,
        max_age=lasts_s,
        httponly=True,
        samesite="lax",
        secure=site.secure,
        path="/",
    )


def kept(request: Request, site: Site, name: str) -> str:
    """What was kept, "" if nothing was."""
    return request.cookies.get(_cookie(site, name), "")


def forget(response: Response, site: Site, name: str) -> None:
    response.delete_cookie(_cookie(site, name), path="/", secure=site.secure, httponly=True, samesite="lax")


def _cookie(site: Site, name: str) -> str:
    return f"__Host-{name}" if site.secure else name
