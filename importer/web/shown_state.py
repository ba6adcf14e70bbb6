"""Forms that start only what their page showed.

Another tab, the back button or a second window can change what a session holds after a page was rendered.
Such a form carries a fingerprint of what its page showed. When it is submitted, the fingerprint must match
the state of the session at that moment.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from starlette.datastructures import FormData

from importer.domain.csv_import.import_rows import Row
from importer.domain.model import BatchId, ImportId
from importer.service.access.session_data import SessionData
from importer.web.request_context import Guest, field_text
from providers.endpoint import Secret

SHOWN_FIELD: Final = "shown"
IDS_FIELD: Final = "imports"


class PageOutdated(Exception):
    """The session has changed since the page of the submitted form was rendered."""


def draft_shown(session_data: SessionData) -> tuple[str, ...]:
    """The parts of the draft on the review page: its sources, their login methods, the destinations whose
    owners signed in, and the earlier import."""
    opened = (f"into {mailbox.account.key}" for mailbox in session_data.mailboxes if mailbox.signed_in)
    sources = (f"{source.account.key} {source.sign_in}" for source in session_data.sources)
    rerun = session_data.rerun
    return ("draft", rerun.import_id if rerun is not None else "", *sources, *opened)


def file_shown(session_data: SessionData, rows: Sequence[Row]) -> tuple[str, ...]:
    """The contents of the preview: the file, its corrections, and the rows that its button starts."""
    corrections = json.dumps(
        sorted((line, *sorted(c.items())) for line, c in session_data.corrections.cells.items())
    )
    mailboxes = (f"{row.line} {row.source.key} {row.destination.key}" for row in rows)
    digests = (sha256(part).hexdigest() for part in (session_data.file, corrections.encode()))
    return ("file", session_data.file_name, *digests, *mailboxes)


def fingerprint(guest: Guest, shown: tuple[str, ...]) -> str:
    """The value of the field SHOWN_FIELD: 32 hexadecimal digits, different in each session."""
    text = json.dumps(["shown", guest.session.id, *shown])
    return guest.visitor.site.deps.vault.fingerprint(Secret(text))


def is_current(guest: Guest, fields: FormData, shown: tuple[str, ...]) -> bool:
    """Whether the page of this form showed this state."""
    stated = field_text(fields, SHOWN_FIELD).encode("utf-8", "surrogatepass")
    return hmac.compare_digest(stated, fingerprint(guest, shown).encode())


def batch_shown(batch_id: BatchId, wish: str, ids: Sequence[ImportId]) -> tuple[str, ...]:
    """The effect of a button for a whole batch: the imports that it changes, and the action."""
    return ("batch", batch_id, wish, *ids)


def changes_shown(action: str, ids: Sequence[ImportId]) -> tuple[str, ...]:
    """The contents of the operators' confirmation: the imports, and the action."""
    return ("changes", action, *ids)


def shown_ids(guest: Guest, fields: FormData, batch_id: BatchId, wish: str) -> frozenset[ImportId] | None:
    """The imports that the page of this button showed; None for any other page."""
    ids = [ImportId(id_) for id_ in field_text(fields, IDS_FIELD).split(",")]
    return frozenset(ids) if is_current(guest, fields, batch_shown(batch_id, wish, ids)) else None
