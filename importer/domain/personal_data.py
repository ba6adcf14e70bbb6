"""Stored data about a mail address: how long it is kept, and how it is erased."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from providers.frozen import frozen


class Lifetime(StrEnum):
    """Until when rows of a table are kept; the sentences are in docs/trust.md."""

    REPORT = "report"  # MAILHAUL_KEEP_REPORTS_DAYS after the end of the import
    REFUSAL = "refusal"  # subjects and dates: MAILHAUL_KEEP_REFUSALS_DAYS; the rest with the report
    RECEIPT = "receipt"  # MAILHAUL_KEEP_RECEIPTS_DAYS after the last import of the route
    GRANTS = "grants"  # with the import; after a stop MAILHAUL_KEEP_PASSWORDS_DAYS
    CONSENT = "consent"  # with the import; MAILHAUL_CONSENT_DAYS
    MAIL = "mail"  # MAILHAUL_KEEP_MAILS_DAYS
    CALL = "call"  # 100 days
    SESSION = "session"  # MAILHAUL_SESSION_IDLE_MINUTES, 12 hours
    LEASE = "lease"  # MAILHAUL_KEEP_LEASES_DAYS
    TOKEN = "token"  # noqa: S105 - while valid, then MAILHAUL_AUDIT_DAYS
    AUDIT = "audit"  # MAILHAUL_AUDIT_DAYS
    DAY = "day"  # a day, or less
    HOUR = "hour"


class Erasure(StrEnum):
    """The effect of an erasure on a row that names the address and belongs to no import of that mailbox.
    Imports of that mailbox are removed with all of their rows."""

    WITH_IMPORT = "with import"
    WITH_ROUTE = "with route"
    ROW = "row"  # the row is removed
    PSEUDONYM = "pseudonym"  # the address becomes a pseudonym
    KEPT = "kept"  # a folder name in another person's ledger: changing it would copy their mail twice
    NONE = "none"  # names no person


@dataclass(frozen=True, slots=True)
class AddressPattern:
    """Finds an address in stored text: whole, in any case, and as JSON, HTML and URLs write it."""

    address: str
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        spellings = sorted(map(re.escape, self.spellings), key=len, reverse=True)
        pattern = rf"(?<![\w.+%-])(?:{'|'.join(spellings)})(?![\w-]|\.\w)"
        object.__setattr__(self, "_pattern", re.compile(pattern, re.IGNORECASE))

    @property
    def spellings(self) -> frozenset[str]:
        plain = self.address
        as_json = (json.dumps(plain, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
        as_html = (
            html.escape(plain),
            html.escape(plain).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        )
        return frozenset((plain, *as_json, *as_html, quote(plain, safe=""), quote(plain, safe="@")))

    def is_in(self, value: Any) -> bool:
        """Whether a text, or a value that is stored as JSON, names the address."""
        return value is not None and self._pattern.search(_text_of(value)) is not None

    def names_alone(self, value: Any) -> bool:
        """Whether the value is the address and nothing else."""
        return isinstance(value, str) and value.casefold() == self.address.casefold()

    def replaced(self, value: Any, pseudonym: str) -> Any:
        """`value` with the pseudonym in place of the address."""
        if isinstance(value, str):
            return self._pattern.sub(pseudonym, value)
        return json.loads(self._pattern.sub(pseudonym, json.dumps(value, ensure_ascii=False)))


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@frozen
class PersonalData:
    """All rows about an address, by table: the imports of that mailbox with what belongs to them, and every
    other row that names it. Values are those of JSON; sealed ones are left out."""

    rows: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def number(self) -> int:
        return sum(map(len, self.rows.values()))
