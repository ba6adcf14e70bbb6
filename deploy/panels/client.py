"""Mailhaul's API in one file, for a panel to start from. Standard library only; Python 3.9 or later.

As a program:
    export MAILHAUL_API=https://import.example.org MAILHAUL_TOKEN=mailhaul_...
    python client.py first-login ada@old.example ada@new.example
    python client.py wait IMPORT_ID

Every call raises Refused with the code and the sentences of the API (docs/usage/api.md).
"""

from __future__ import annotations

import argparse
import getpass
import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

ENDED = ("complete", "incomplete", "stopped", "failed", "cancelled", "undone")


class Refused(Exception):
    """An error answer of the API: `code` is stable, `problem` holds everything (RFC 9457)."""

    def __init__(self, problem: dict[str, Any]) -> None:
        rows = "; ".join(f"{p['column']}: {p['message']} {p['fix']}" for p in problem.get("problems", []))
        super().__init__(" ".join(filter(None, (problem.get("title"), problem.get("detail"), rows))))
        self.code = problem.get("code", "")
        self.problem = problem


class Mailhaul:
    """The API at `site` (https://import.example.org), with a token of `mailhaul token create`."""

    def __init__(self, site: str, token: str, language: str = "en") -> None:
        self._api = f"{site.rstrip('/')}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}

    def start(
        self, old: str, new: str, *, new_password: str = "", key: str = "", **fields: Any
    ) -> dict[str, Any]:
        """Start one import; return it. `fields`: source_password, source_server, labels, … (openapi.json).

        `key` names the order, such as "customer-4711": the same key starts nothing twice within a day.
        """
        row = {
            "source_address": old,
            "destination_address": new,
            "destination_password": new_password,
            **fields,
        }
        answer = self._call("POST", "/imports", row, key or str(uuid.uuid4()))
        import_: dict[str, Any] = answer["rows"][0]["import"]
        return import_

    def first_login(
        self, old: str, new: str, *, new_password: str = "", **fields: Any
    ) -> tuple[dict[str, Any], str | None]:
        """Start an import whose old password the customer enters; return it and the link to show.

        The link is None if there is nothing to enter, because the import is under way or complete.
        """
        import_ = self.start(old, new, new_password=new_password, source_password_by_link=True, **fields)
        consent = self._call("GET", f"/imports/{import_['id']}/consent")
        return import_, consent["source"]["link"]

    def show(self, import_id: str) -> dict[str, Any]:
        return self._call("GET", f"/imports/{import_id}")

    def report(self, import_id: str) -> dict[str, Any]:
        return self._call("GET", f"/imports/{import_id}/report")

    def control(self, import_id: str, action: str) -> dict[str, Any]:
        """`action`: pause, resume, retry or cancel. The answer's `effect` is done or soon."""
        return self._call("POST", f"/imports/{import_id}/{action}")

    def wait(self, import_id: str, timeout_s: float = 3600.0) -> dict[str, Any]:
        """Wait for the end of an import. A panel with a webhook needs no waiting."""
        until = time.monotonic() + timeout_s
        while (import_ := self.show(import_id))["state"] not in ENDED:
            if time.monotonic() > until:
                raise TimeoutError(f"the import {import_id} is {import_['state']}")
            time.sleep(2)
        return import_

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, key: str = "") -> Any:
        data = json.dumps(body or {}).encode() if method == "POST" else None
        headers = {**self._headers, "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(self._api + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=70) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                try:
                    problem = json.load(error)
                except ValueError:  # of a proxy in front
                    problem = {"title": f"The answer was {error.code}."}
            raise Refused(problem) from None


def is_ours(secret: str, header: str, body: bytes) -> bool:
    """Whether a webhook call is Mailhaul's: `header` is Mailhaul-Signature. Refuse others with 403."""
    try:
        parts = dict(part.split("=", 1) for part in header.split(","))
        right = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        fresh = abs(time.time() - int(parts["t"])) < 300
    except (KeyError, ValueError):
        return False
    return fresh and hmac.compare_digest(parts["v1"], right)


def main() -> None:
    parser = argparse.ArgumentParser(description="Start imports and wait for them, as a panel does.")
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser(
        "first-login", help="start an import and print its id and the customer's link"
    )
    first.add_argument("old")
    first.add_argument("new")
    first.add_argument("--old-server", default="", help="HOST or HOST:PORT, if it cannot be found")
    first.add_argument("--ask", action="store_true", help="ask for the password of the new mailbox")
    for name in ("wait", "show"):
        commands.add_parser(name).add_argument("id")
    given = parser.parse_args()
    panel = Mailhaul(os.environ["MAILHAUL_API"], os.environ["MAILHAUL_TOKEN"])
    try:
        if given.command == "first-login":
            password = getpass.getpass("Password of the new mailbox: ") if given.ask else ""
            password = password or os.environ.get("NEW_PASSWORD", "")
            fields = {"source_server": given.old_server}
            import_, link = panel.first_login(given.old, given.new, new_password=password, **fields)
            print(json.dumps({"id": import_["id"], "state": import_["state"], "link": link}))
        else:
            print(json.dumps(panel.wait(given.id) if given.command == "wait" else panel.show(given.id)))
    except Refused as refused:
        raise SystemExit(f"{refused.code}: {refused}") from None


if __name__ == "__main__":
    main()
