"""The forms of a page, as a client without a browser submits them."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

FOLLOWED: Final = ("/mailboxes", "/new/mailbox", "/new/review", "/file/preview")
"""Redirects that a client follows to see the forms of the next step."""


def csrf_token(page: str) -> str:
    """The CSRF token of a page; "" if it has no form."""
    match = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    return match[1] if match else ""


def hidden_fields(page: str) -> dict[str, dict[str, str]]:
    """The path of each form -> its hidden fields, without the CSRF token."""
    forms: dict[str, dict[str, str]] = {}
    for path, form in re.findall(r'<form method="post" action="([^"]+)"[^>]*>(.*?)</form>', page, re.DOTALL):
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        forms[path] = {name: unescape(value) for name, value in found if name != "csrf"}
    return forms
