"""What the pages share, and who is looking at them: one Site per process, one Visitor per request."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.datastructures import FormData

from importer.domain.model import Account
from importer.domain.people.batch_right import BatchRight
from importer.domain.people.identities import WebSession
from importer.i18n.translations import CatalogTranslator, chosen, texts
from importer.service.access.batch_rights import session_batch_right
from importer.service.access.web_sessions import (
    SessionData,
    VerifiedMailbox,
    find_session,
    read_session_data,
    update_session_data,
)
from importer.service.deps import Deps
from importer.settings import Settings
from importer.web.concurrency_limit import ConcurrencyLimit
from importer.web.live_progress import Feed
from importer.web.undo_jobs import UndoJobs
from providers.bulk_discovery import BulkDiscovery
from providers.catalog import Catalog
from providers.endpoint import Endpoint, Secret

LANGUAGE_COOKIE: Final = "language"
CSRF_FIELD: Final = "csrf"


@dataclass(frozen=True, slots=True)
class Site:
    """`destination` is the host that all imports of these pages go to; `catalog` knows hosts at once, what
    `lookups` gives looks on the network too."""

    deps: Deps
    settings: Settings
    catalog: Catalog
    lookups: Callable[[], BulkDiscovery]
    destination: Endpoint
    feed: Feed
    undoings: UndoJobs
    turns: ConcurrencyLimit

    @property
    def secure(self) -> bool:
        return self.settings.web_origin.startswith("https:")

    @property
    def cookie(self) -> str:
        """With __Host- a browser takes it only over TLS, for this host alone (RFC 6265bis section 4.1.3)."""
        return "__Host-visit" if self.secure else "visit"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever sent the request. `token` is new (and `visit` None) when they brought none."""

    site: Site
    token: str
    visit: WebSession | None
    texts: CatalogTranslator
    client: str  # network address, for counting tries
    path: str

    @property
    def csrf(self) -> str:
        """What a form of this browser has to bring along: nobody else can work it out."""
        return self.site.deps.vault.fingerprint(Secret(f"csrf {self.token}"))


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor who is signed in."""

    visitor: Visitor
    visit: WebSession
    remembered: SessionData

    def remember(self, change: Callable[[SessionData], SessionData]) -> None:
        """Changes what the visit remembers, for the next page."""
        update_session_data(self.visitor.site.deps, self.visit, change)


def right_of(guest: Guest) -> BatchRight:
    """Into which mailboxes this guest may bring mail without their passwords."""
    return session_batch_right(guest.visitor.site.deps, guest.remembered)


def opened_by_right(guest: Guest) -> Account | None:
    """The new mailbox of the import that is being run again, where it is not attached and the batch right
    opens it."""
    account, right = guest.remembered.rerun_destination, right_of(guest)
    if account is None or guest.remembered.mailbox(account.key) is not None or not right.covers(account):
        return None
    return account


def destination_of(guest: Guest, key: str) -> VerifiedMailbox | None:
    """The new mailbox with that `Account.key`: an attached one, or the one that the batch right opens."""
    by_right = opened_by_right(guest)
    if by_right is not None and by_right.key == key:
        return VerifiedMailbox(by_right, None)
    return guest.remembered.mailbox(key)


class SignInNeeded(Exception):
    """The page is for people who are signed in."""


class FormExpired(Exception):
    """A form without the token of this browser: it was open for long, or it is not ours."""


def visitor(request: Request) -> Visitor:
    """Reads who is there from the cookies."""
    site: Site = request.app.state.site
    token = request.cookies.get(site.cookie, "")
    language = chosen(request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", ""))
    return Visitor(
        site,
        token or secrets.token_urlsafe(32),
        find_session(site.deps, token),
        texts(language),
        request.client.host if request.client else "",
        request.url.path,
    )


AnyVisitor = Annotated[Visitor, Depends(visitor)]


def guest(who: AnyVisitor) -> Guest:
    """Raises SignInNeeded."""
    if who.visit is None:
        raise SignInNeeded
    return Guest(who, who.visit, read_session_data(who.site.deps, who.visit))


SignedIn = Annotated[Guest, Depends(guest)]


async def form(request: Request, who: AnyVisitor) -> FormData:
    """The fields of a form of ours. Raises FormExpired for any other."""
    fields = await request.form(max_files=1, max_fields=50, max_part_size=128 * 1024)
    given = fields.get(CSRF_FIELD)
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), who.csrf.encode()):
        raise FormExpired
    return fields


Fields = Annotated[FormData, Depends(form)]


def text(fields: FormData, name: str) -> str:
    """A field as written, "" when it is missing."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""
