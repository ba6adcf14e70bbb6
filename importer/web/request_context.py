"""The context of a request: one Site per process, one Visitor per request, one Guest if it is signed in."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import FormData

from importer.domain.brand import Brand
from importer.domain.model import Account
from importer.domain.people.actor import Actor
from importer.domain.people.batch_right import BatchRight
from importer.domain.people.identities import WebSession
from importer.i18n.translations import CatalogTranslator, chosen, texts
from importer.ports.monitoring import Maintenance
from importer.service.access.batch_rights import session_batch_right
from importer.service.access.concurrency_limit import PersonShares
from importer.service.access.counted_lookups import CountedLookups
from importer.service.access.operators import is_operator
from importer.service.access.session_data import SessionData, VerifiedMailbox
from importer.service.access.web_sessions import find_session, read_session_data, update_session_data
from importer.service.deps import Deps
from importer.settings import Settings
from importer.web.audit_middleware import AuditNote, audit_note
from importer.web.bad_requests import require_unicode, unreadable_form
from importer.web.live_progress import Feed
from importer.web.reading_jobs import ReadingJobs
from importer.web.undo_jobs import UndoJobs
from providers.bulk_discovery import BulkDiscovery
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret

CSRF_FIELD: Final = "csrf"
_WITHOUT_A_PERSON: Final = ("/live", "/events")
"""Suffixes of paths that an open page requests automatically: they do not extend a session."""


@dataclass(frozen=True, slots=True)
class Site:
    """State shared by all requests.

    `destination` is the host that all imports of these pages go to. `catalog` finds providers without network
    access; the object returned by `lookups` also searches the network.
    """

    deps: Deps
    settings: Settings
    catalog: Catalog
    lookups: Callable[[], BulkDiscovery]
    destination: Endpoint
    feed: Feed
    undo_jobs: UndoJobs
    reading_jobs: ReadingJobs
    shares: PersonShares
    maintenance: Callable[[], Maintenance | None]  # read every few seconds

    @property
    def brand(self) -> Brand:
        return self.settings.brand

    @property
    def secure(self) -> bool:
        return self.settings.web_origin.startswith("https:")

    def cookie(self, name: str) -> str:
        """The full name of a cookie. With the prefix `__Host-`, browsers accept it only over TLS and for this
        host alone (RFC 6265bis section 4.1.3)."""
        return f"__Host-{name}" if self.secure else name

    @property
    def session_cookie(self) -> str:
        return self.cookie("visit")

    @property
    def language_cookie(self) -> str:
        return self.cookie("language")


@dataclass(frozen=True, slots=True)
class Visitor:
    """The sender of a request. Without a valid token, `session` is None; without any, `token` is new."""

    site: Site
    token: str
    session: WebSession | None
    texts: CatalogTranslator
    client: str  # network address, for rate limits
    path: str
    audit: AuditNote

    @property
    def csrf(self) -> str:
        """The token that a form of this browser must contain; it cannot be derived without the vault key."""
        return self.site.deps.vault.fingerprint(Secret(f"csrf {self.token}"))


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor who is signed in."""

    visitor: Visitor
    session: WebSession
    session_data: SessionData

    @property
    def is_operator(self) -> bool:
        """Whether this person may see and act on all imports."""
        return is_operator(self.visitor.site.deps, self.session_data)

    @property
    def lookups(self) -> CountedLookups:
        """Finds mail servers, on this person's account."""
        site = self.visitor.site
        return CountedLookups(site.deps, site.lookups(), self.session.person)

    def update_session(self, change: Callable[[SessionData], SessionData]) -> None:
        """Apply `change` to the stored session data. `session_data` of this request stays as it is."""
        update_session_data(self.visitor.site.deps, self.session, change)


def guest_batch_right(guest: Guest) -> BatchRight:
    """The mailboxes that this guest may import into without their passwords."""
    return session_batch_right(guest.visitor.site.deps, guest.session_data)


def guest_actor(guest: Guest, notify: str) -> Actor:
    """This guest as the submitter of imports. Organisation-wide grants are for operators only."""
    language = guest.visitor.texts.tag
    return Actor(guest.session.person, guest_batch_right(guest), notify=notify, language=language)


def rerun_destination_by_right(guest: Guest) -> Account | None:
    """The destination of the import that is run again, if it is not attached to the session but covered by
    the batch right."""
    account = closed_rerun_destination(guest)
    return account if account is not None and guest_batch_right(guest).covers(account) else None


def closed_rerun_destination(guest: Guest) -> Account | None:
    """The destination of the import that is run again, if it is at the host of these pages but not attached
    to the session."""
    rerun = guest.session_data.rerun
    if rerun is None or guest.session_data.mailbox(rerun.destination.key) is not None:
        return None
    return rerun.destination if rerun.destination.endpoint == guest.visitor.site.destination else None


def find_destination(guest: Guest, key: str) -> VerifiedMailbox | None:
    """The destination with that `Account.key`: attached to the session, or that of the import being run
    again, without a password."""
    closed = closed_rerun_destination(guest)
    if closed is not None and closed.key == key:
        return VerifiedMailbox(closed, None)
    return guest.session_data.mailbox(key)


def destination_sign_in(site: Site) -> str:
    """The `Provider.sign_in` that replaces passwords at the destination host; "" if unavailable."""
    host = site.catalog.for_host(site.destination.host)
    sign_in = host.sign_in if host is not None else None
    return sign_in if sign_in is not None and site.deps.access.can_sign_in(sign_in) else ""


class SignInNeeded(Exception):
    """The page requires a session."""


def local_path(url: str, origin: str) -> str:
    """The path of a URL of this site, such as a Referer, without its query; "" for any other."""
    path = url.removeprefix(origin)
    is_local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return urlsplit(f"http://host{path}").path if is_local else ""


def wanted_page(request: Request) -> str:
    """The path of the page that a request without a session asked for, or of the page with its form; "" for
    parts of a page."""
    path: str = request.url.path
    if request.method == "POST":
        site: Site = request.app.state.site
        return local_path(request.headers.get("referer", ""), site.settings.web_origin)
    return "" if path.endswith((*_WITHOUT_A_PERSON, "/check")) else path


class FormExpired(Exception):
    """The form lacks this browser's CSRF token: its page is too old, or on another site."""


def current_visitor(request: Request) -> Visitor:
    """Identify the visitor by the cookies of the request."""
    site: Site = request.app.state.site
    token = request.cookies.get(site.session_cookie, "")
    session = find_session(site.deps, token, is_use=not request.url.path.endswith(_WITHOUT_A_PERSON))
    note = audit_note(request)
    note.actor = session.person if session is not None else ""
    return _visitor(request, token or secrets.token_urlsafe(32), session)


def unknown_visitor(request: Request) -> Visitor:
    """A visitor without a session, for pages that must not need the database."""
    return _visitor(request, secrets.token_urlsafe(32), None)


def _visitor(request: Request, token: str, session: WebSession | None) -> Visitor:
    site: Site = request.app.state.site
    return Visitor(
        site,
        token,
        session,
        accepted_texts(request, request.cookies.get(site.language_cookie, ""), site.settings.time_zone),
        request.client.host if request.client else "",
        request.url.path,
        audit_note(request),
    )


def route_path(request: Request) -> str:
    """The pattern of the route, not the URL: a URL may contain the token of a consent link."""
    return getattr(request.scope.get("route"), "path", "")


def accepted_texts(request: Request, language: str = "", zone: tzinfo = UTC) -> CatalogTranslator:
    """The texts in `language`, else in the language and region that the request prefers (Accept-Language),
    with the brand's name. Times are in the zone."""
    site: Site = request.app.state.site
    return texts(chosen(language, request.headers.get("accept-language", "")), zone, site.brand.name)


AnyVisitor = Annotated[Visitor, Depends(current_visitor)]


def current_guest(visitor: AnyVisitor) -> Guest:
    """Raises SignInNeeded."""
    if visitor.session is None:
        raise SignInNeeded
    return Guest(visitor, visitor.session, read_session_data(visitor.site.deps, visitor.session))


SignedIn = Annotated[Guest, Depends(current_guest)]


async def submitted_form(request: Request, visitor: AnyVisitor) -> FormData:
    """The fields of a submitted form. Raises BadRequest, and FormExpired unless it holds this browser's CSRF
    token."""
    try:
        fields = await request.form(max_files=1, max_fields=50, max_part_size=128 * 1024)
    except (LookupError, UnicodeError, ValueError):  # its charset is unknown, or none for text
        raise unreadable_form() from None
    require_unicode(fields)
    token = fields.get(CSRF_FIELD)
    if not isinstance(token, str) or not hmac.compare_digest(token.encode(), visitor.csrf.encode()):
        raise FormExpired
    return fields


Fields = Annotated[FormData, Depends(submitted_form)]


def field_text(fields: FormData, name: str) -> str:
    """A field as entered; "" if it is missing or a file."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""
