"""A user of the web pages, without a browser: signs in, starts an import and checks its state."""

from __future__ import annotations

import re
from typing import Any

import requests

from tests.page_forms import csrf_token, hidden_fields
from tests.rehearsal.hosts import User
from tests.rehearsal.ports import RehearsalError

_TIMEOUT_S = 60


class Visitor:
    """One web session at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._csrf = ""
        self._hidden: dict[str, dict[str, str]] = {}

    def start_import(self, old: User, new: User) -> str:
        """Starts an import of `old` into `new`. Returns the path of its batch."""
        self._get("/")
        self._post("/sign-in", address=new.account.address, password=new.password)
        self._get("/new")
        self._get(self._post("/new", address=old.account.address, unknown=old.account.address))
        server, port = old.account.endpoint.host, str(old.account.endpoint.port)
        self._get(self._post("/new/mailbox", password=old.password, server=server, port=port))
        return self._post("/new/start", destination=new.account.key)

    def cookies(self) -> str:
        """The value of the Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self._session.cookies.items())

    def over(self, batch: str) -> bool:
        """Whether all imports of the batch have ended."""
        return bool(self._get(f"{batch}/live").json()["over"])

    def report(self, batch: str) -> Any:
        """The report of the first import in the batch, as JSON."""
        [import_id] = re.findall(r'href="/imports/(\w+)"', self._get(batch).text)[:1]
        return self._get(f"/imports/{import_id}/report.json").json()

    def _get(self, path: str) -> requests.Response:
        response = self._session.get(self._url + path, timeout=_TIMEOUT_S)
        if response.status_code != 200:
            raise RehearsalError(f"{path} returned {response.status_code}")
        self._csrf = csrf_token(response.text) or self._csrf
        self._hidden |= hidden_fields(response.text)
        return response

    def _post(self, path: str, **fields: str) -> str:
        """Submits a form. Returns the path that it redirects to."""
        data = {**self._hidden.get(path, {}), "csrf": self._csrf, **fields}
        response = self._session.post(self._url + path, data, allow_redirects=False, timeout=_TIMEOUT_S)
        if response.status_code != 303:
            raise RehearsalError(f"the form at {path} returned {response.status_code}")
        return response.headers["Location"]
