"""A person at the pages over real HTTP, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from tests.page_forms import FOLLOWED, csrf_token, hidden_fields
from tests.rehearsal.hosts import User
from tests.rehearsal.ports import PATIENCE_S


class HttpVisitor:
    """A signed-in session. Its requests may be sent from several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=64)
        self.session.mount("http://", adapter)
        self.csrf = ""
        self.hidden: dict[str, dict[str, str]] = {}

    def get(self, path: str, **options: object) -> requests.Response:
        options = {"timeout": PATIENCE_S, "allow_redirects": False, **options}
        return self._seen(self.session.get(self.url + path, **options))  # type: ignore[arg-type]

    def post(self, path: str, **fields: str) -> requests.Response:
        """Submit a form as the last page with it had it. The page that it leads to is seen then."""
        data = {**self.hidden.get(path, {}), "csrf": self.csrf, **fields}
        answer = self._seen(
            self.session.post(self.url + path, data=data, timeout=PATIENCE_S, allow_redirects=False)
        )
        if path == "/new" and 'name="unknown"' in answer.text and "unknown" not in fields:
            return self.post(path, **fields, unknown=fields["address"])
        if (location := answer.headers.get("location", "")) in FOLLOWED:
            self.get(location)
        return answer

    def sign_in(self, user: User) -> None:
        self.get("/")
        answer = self.post("/sign-in", address=user.account.address, password=user.password)
        assert answer.status_code == 303, answer.text
        self.get("/new")

    def _seen(self, answer: requests.Response) -> requests.Response:
        if "text/html" in answer.headers.get("content-type", ""):
            self.csrf = csrf_token(answer.text) or self.csrf
            self.hidden |= hidden_fields(answer.text)
        return answer


@contextmanager
def http_visitor(url: str, user: User) -> Iterator[HttpVisitor]:
    """A visitor who has signed in with that mailbox."""
    visitor = HttpVisitor(url)
    with visitor.session:
        visitor.sign_in(user)
        yield visitor
