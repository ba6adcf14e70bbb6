"""Owners who have to sign in, as shown to the person who started the import, and reminders on request.

Invariant: an owner gets the reminders of the schedule and at most MAX_REMINDERS more, from all requests
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from importer.domain.model import Batch, Import, ImportId
from importer.domain.people import consent_schedule as schedule
from importer.domain.people.identities import PersonId, RateLimit
from importer.ports.consents import ConsentRequest
from importer.ports.notices import MailState, Notice
from importer.service.access.consent_requests import (
    link_of,
    mails_owners,
    open_requests,
    pending_providers,
    post_invitation,
)
from importer.service.access.rate_limits import CONSENT_REQUESTS_PER_PERSON, consume
from importer.service.deps import Deps
from providers.errors import Side
from providers.frozen import frozen
from providers.grants import PASSWORD_LINK
from providers.sign_in_providers import name_of

REMINDERS: Final = RateLimit(1, 60 * 60)
"""To one owner about one import, from whichever person or page."""

MAX_REMINDERS: Final = 5


class NotReminded(Exception):
    """No reminder can be sent: the owner has signed in, is not invited by mail, or got all reminders."""


@frozen
class AwaitedOwner:
    """An owner who has to sign in. `mailed_at` is the time of the last mail, None if there was none; it was
    `refused` if the mail server did not accept it. `next_reminder` is None if no further one is due."""

    side: Side
    mailbox: str
    link: str
    expires_at: datetime
    mailed_at: datetime | None
    refused: bool
    next_reminder: datetime | None
    can_remind: bool


def awaited_owners(
    deps: Deps, batches: Mapping[ImportId, Batch], imports: Iterable[Import]
) -> Mapping[ImportId, tuple[AwaitedOwner, ...]]:
    """The owners for whom each import waits; imports that wait for none are left out. Three queries for any
    number of imports; `batches` has the batch of each."""
    by_id = {import_.id: import_ for import_ in imports}
    requests = open_requests(deps, by_id.values())
    mails = deps.store.notices(*(f"consent:{id_}:" for id_ in requests)) if requests else ()
    return {
        id_: tuple(
            _awaited(deps, by_id[id_], batches[id_], consent, _mails_to(mails, id_, side))
            for side, consent in by_side.items()
        )
        for id_, by_side in requests.items()
    }


def _awaited(
    deps: Deps, import_: Import, batch: Batch, consent: ConsentRequest, mails: list[Notice]
) -> AwaitedOwner:
    now, by_mail = deps.clock.now(), mails_owners(deps, batch) and not schedule.asks_for_password(import_)
    next_reminder = schedule.next_reminder(consent.asked_at, now, consent.expires_at)
    return AwaitedOwner(
        consent.side,
        import_.account(consent.side).address,
        link_of(deps, consent),
        consent.expires_at,
        mails[-1].created_at if mails else None,
        bool(mails) and mails[-1].state is MailState.REFUSED,
        next_reminder if by_mail else None,
        by_mail and _asked(mails) < MAX_REMINDERS,
    )


def remind(deps: Deps, batch: Batch, import_: Import, side: Side, person: PersonId) -> None:
    """Send the owner of that mailbox one more invitation, now. Raises NotReminded and RateLimited."""
    requests = open_requests(deps, [import_]).get(import_.id, {})
    asked_at = pending_providers(deps, import_.id).get(side, PASSWORD_LINK)
    if side not in requests or asked_at == PASSWORD_LINK or not mails_owners(deps, batch):
        raise NotReminded
    consent = requests[side]
    mails = _mails_to(deps.store.notices(f"consent:{import_.id}:"), import_.id, side)
    asked, now = _asked(mails), deps.clock.now()
    if asked >= MAX_REMINDERS or now >= consent.expires_at:
        raise NotReminded
    limits = {
        f"remind:{import_.id}:{side.value}": REMINDERS,
        f"asked:person:{person}": CONSENT_REQUESTS_PER_PERSON,
    }
    consume(deps, limits)
    provider = name_of(asked_at)
    mail = schedule.mails_due(consent.asked_at, now)
    post_invitation(deps, import_, consent, provider, mail=mail, both=len(requests) > 1, asked=asked + 1)
    deps.queue.ring_mail()


def _mails_to(mails: Iterable[Notice], import_id: ImportId, side: Side) -> list[Notice]:
    return [mail for mail in mails if mail.key.startswith(f"consent:{import_id}:{side.value}:")]


def _asked(mails: Iterable[Notice]) -> int:
    """The number of those that a person requested."""
    return sum("." in mail.key.rpartition(":")[2] for mail in mails)
