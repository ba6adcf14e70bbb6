"""Webhook events: changes of an import as signed JSON."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from importer.domain.model import Import, State
from providers.frozen import frozen


class EventType(StrEnum):
    """The type of an event."""

    FINISHED = "import.finished"
    ATTENTION = "import.needs_attention"  # a person has to act: sign in, or fix a problem


SIGNATURE: Final = "Mailhaul-Signature"
EVENT: Final = "Mailhaul-Event"


@frozen
class Event:
    """A webhook event. `id` is the same for each delivery, so that receivers can discard repetitions."""

    id: str
    type: EventType
    body: str


def event(import_: Import, report: Mapping[str, object], now: datetime) -> Event:
    """The event for the current state of an import: ended, or waiting for a person.

    The body is JSON: `{id, type, created_at, import}`, where `import` is its report in JSON without `folders`
    and `refusals`.
    """
    code = import_.problem.code if import_.problem is not None else ""
    waits = import_.state in (State.WAITING, State.STOPPED)
    type_ = EventType.ATTENTION if waits else EventType.FINISHED
    again = f" {import_.reopened}" if import_.reopened else ""
    id_ = "evt_" + sha256(f"{type_} {import_.id} {import_.state} {code}{again}".encode()).hexdigest()[:24]
    facts = {key: value for key, value in report.items() if key not in ("folders", "refusals")}
    body = {"id": id_, "type": type_.value, "created_at": now.isoformat(), "import": facts}
    return Event(id_, type_, json.dumps(body, ensure_ascii=False))


def signature(secret: str, at: datetime, body: bytes) -> str:
    """The value of the header SIGNATURE: `t=SECONDS,v1=HEX`, the HMAC-SHA256 of `SECONDS.body`. The time
    prevents replay of old events."""
    seconds = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, sha256).hexdigest()
    return f"t={seconds},v1={digest}"
