"""An installation with pages over in-memory ports, and browsers that use it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx import Response
from starlette.testclient import TestClient

from importer.domain.model import Account
from importer.service.deps import Deps
from importer.settings import Settings
from importer.web.app import create_app
from providers.endpoint import Endpoint, Secret
from providers.errors import LoginRejected, Side
from providers.grants import Credential, MasterLogin
from providers.mailbox_access import People
from providers.master_user import MasterUser
from tests.fakes.mailbox import MemoryMailbox, MemorySessions
from tests.fakes.mailbox_access import MemoryAccess
from tests.lookups import the_catalog_alone
from tests.page_forms import FOLLOWED, csrf_token, hidden_fields
from tests.unit.test_service import Office

HOST = Endpoint("imap.new.example")
RIGHT = "right"


class Doors(MemorySessions):
    """Opens any mailbox at any host; `RIGHT` is the password and the token of all. Records each attempt."""

    def __init__(self) -> None:
        super().__init__({})
        self.mailboxes: dict[str, MemoryMailbox] = {}
        self.master: MasterLogin | None = None  # opens all mailboxes, too
        self.knocks: list[tuple[Account, Side]] = []

    def admit(self, account: Account, credential: Credential, side: Side) -> MemoryMailbox:
        self.knocks.append((account, side))
        secret = credential if isinstance(credential, Secret | MasterLogin) else credential.access_token()
        if secret not in (Secret(RIGHT), self.master):
            raise LoginRejected(server_text="no")
        return self.mailboxes.setdefault(account.key, MemoryMailbox())


@dataclass
class Browser:
    """The browser of one person: its cookies, the CSRF token of the last page, and the hidden fields of the
    last form for each path. `draws`: its pages are drawn, so that addresses keep the places where they break.
    """

    client: TestClient
    csrf: str = ""
    hidden: dict[str, dict[str, str]] = field(default_factory=dict)
    draws: bool = False

    def get(self, path: str, **headers: str) -> Response:
        return self._seen(self.client.get(path, headers=headers))

    def post(self, path: str, **fields: str) -> Response:
        """Submit a form as the last page with it had it. The page that it leads to is seen then."""
        known = self.hidden.get(path, {})
        answer = self._seen(self.client.post(path, data={**known, "csrf": self.csrf, **fields}))
        if path == "/new" and 'name="unknown"' in answer.text and "unknown" not in fields:
            return self.post(path, **fields, unknown=fields["address"])
        if (location := answer.headers.get("location", "")) in FOLLOWED:
            self.get(location)
        return answer

    def sign_in(self, address: str = "ada@new.example", password: str = RIGHT) -> Response:
        self.get("/")
        answer = self.post("/sign-in", address=address, password=password)
        if answer.status_code == 303:
            self.get("/new")
        return answer

    def start_import(self, address: str = "ada@old.example") -> str:
        """Start one import; return its batch's path, or "asked" if the destination's password is needed."""
        self.post("/new", address=address)
        self.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
        page = self.get("/new/review").text
        [destination] = re.findall(r'name="destination" value="([^"]+)"', page)
        return str(self.post("/new/start", destination=destination).headers.get("location", "asked"))

    def _seen(self, answer: Response) -> Response:
        """Addresses as people read them, unless the page is to be drawn: they may break before @ and dots."""
        if not self.draws:
            answer._content = answer.content.replace(b"<wbr>", b"")
        self.csrf = csrf_token(answer.text) or self.csrf
        self.hidden |= hidden_fields(answer.text)
        return answer


@dataclass
class WebOffice:
    """An installation with pages, in memory."""

    root: Path
    overlay: dict[str, Any] = field(default_factory=dict)
    people: People | None = None
    master: MasterUser | None = None
    administrators: dict[str, frozenset[str]] = field(default_factory=dict)
    access: MemoryAccess = field(default_factory=MemoryAccess)

    def __post_init__(self) -> None:
        self.access.token = RIGHT
        self.office = Office(access=self.access)
        self.doors = Doors()
        self.deps: Deps = replace(
            self.office.deps,
            sessions=self.doors,
            identity_provider=self.people,
            master_user=self.master,
            administrators=self.administrators,
        )
        self.settings = Settings.load(data=self.root, **{"destination_server": HOST, **self.overlay})
        directory = the_catalog_alone()
        self.app = create_app(self.deps, self.settings, lambda: directory)

    @property
    def pages(self) -> FastAPI:
        """The application inside its middleware."""
        app: Any = self.app
        while not isinstance(app, FastAPI):
            app = app._app
        return app

    def browser(self) -> Browser:
        client = TestClient(self.app, base_url=self.settings.web_origin, follow_redirects=False)
        return Browser(client)
