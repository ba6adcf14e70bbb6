"""Somebody at the pages, without a browser: signs in, orders an import, and looks how it stands."""

from __future__ import annotations

import re
from typing import Any

import requests

from tests.rehearsal.hosts import User
from tests.rehearsal.ports import RehearsalError

_TIMEOUT_S = 60


class Visitor:
    """One visit at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._csrf = ""

    def order(self, old: User, new: User) -> str:
        """An import of `old` into `new`; the path of its batch."""
        self._get("/")
        self._post("/sign-in", address=new.account.address, password=new.password)
        self._get("/new")
        self._post("/new", address=old.account.address)
        server, port = old.account.endpoint.host, str(old.account.endpoint.port)
        self._post("/new/mailbox", password=old.password, server=server, port=port)
        return self._post("/new/start", destination=new.account.key)

    def cookies(self) -> str:
        """What the browser sends along, as a header."""
        return "; ".join(f"{name}={value}" for name, value in self._session.cookies.items())

    def over(self, batch: str) -> bool:
        """Whether everything in the batch has ended."""
        return bool(self._get(f"{batch}/live").json()["over"])

    def report(self, batch: str) -> Any:
        """The report of the first import in the batch, as JSON."""
        [import_id] = re.findall(r'href="/imports/(\w+)"', self._get(batch).text)[:1]
        return self._get(f"/imports/{import_id}/report.json").json()

    def _get(self, path: str) -> requests.Response:
        answer = self._session.get(self._url + path, timeout=_TIMEOUT_S)
        if answer.status_code != 200:
            raise RehearsalError(f"{path} answered with {answer.status_code}")
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text)
        self._csrf = found[1] if found else self._csrf
        return answer

    def _post(self, path: str, **fields: str) -> str:
        """Where the form leads."""
        answer = self._session.post(
            self._url + path, {"csrf": self._csrf, **fields}, allow_redirects=False, timeout=_TIMEOUT_S
        )
        if answer.status_code != 303:
            raise RehearsalError(f"the form at {path} was answered with {answer.status_code}")
        return answer.headers["Location"]
