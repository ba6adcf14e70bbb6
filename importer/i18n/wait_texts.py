"""Why and how long an import waits, and whether it continues automatically, in plain sentences."""

from __future__ import annotations

from datetime import datetime

from importer.domain.model import Import
from importer.domain.people.consent_schedule import OwnerWait, owner_wait
from importer.domain.reporting.batch_overview import awaits_next_pass
from importer.domain.reporting.formatting import printable
from importer.i18n.code_texts import render
from importer.i18n.translations import CatalogTranslator
from providers.text import Text


def wait_text(texts: CatalogTranslator, import_: Import) -> str:
    """The time until which it waits, without the reason: for an owner, or until the next attempt."""
    owner = owner_wait(import_)
    if owner is not None:
        return owner_wait_text(texts, owner)
    if import_.not_before is None:
        return texts.gettext("Waiting.")
    instant = texts.moment(import_.not_before)
    if awaits_next_pass(import_):
        return texts.gettext("Next pass: %(instant)s.", instant=instant)
    return texts.gettext("Waiting until %(instant)s.", instant=instant)


def owner_wait_text(texts: CatalogTranslator, owner: OwnerWait) -> str:
    """`Waits for the owner until 13 Dec; next reminder: 1 Dec.` In the form of the problem's text."""
    until = texts.instant(owner.until)
    if owner.reminder is None:
        return texts.gettext("Waits for the owner until %(until)s.", until=until)
    return texts.gettext(
        "Waits for the owner until %(until)s; next reminder: %(reminder)s.",
        until=until,
        reminder=texts.instant(owner.reminder),
    )


def reminder_text(texts: CatalogTranslator, import_: Import) -> str:
    """The time of the next reminder, beside a text that says until when it waits; "" for none."""
    owner = owner_wait(import_)
    if owner is None or owner.reminder is None:
        return ""
    return texts.gettext("Next reminder: %(instant)s.", instant=texts.instant(owner.reminder))


def owner_wait_json(import_: Import) -> dict[str, str | None] | None:
    """`{until, next_reminder}`, ISO 8601 in UTC; null unless it waits for an owner."""
    owner = owner_wait(import_)
    if owner is None:
        return None
    reminder = None if owner.reminder is None else owner.reminder.isoformat()
    return {"until": owner.until.isoformat(), "next_reminder": reminder}


def maintenance_text(texts: CatalogTranslator, since: datetime, note: str) -> str:
    """The notice that imports are held, with the start time and the operator's note."""
    held = render(Text("maintenance", since=since), texts)
    note = printable(note, 300)
    return f"{held} {note}" if note else held
