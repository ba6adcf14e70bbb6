"""Looks that need no import: what is in both mailboxes, and where an address has its mail."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Final, cast

from fastapi import APIRouter

from importer.domain.csv_import.csv_cells import address
from importer.domain.reporting.mailbox_check import Check, CheckPhase
from importer.service.access.sealed_grants import row_credentials
from importer.service.imports.check_mailboxes import check
from importer.web.api.authentication import Reader, Writer
from importer.web.api.problem_details import busy, checked, mailbox_refused
from importer.web.api.schemas import DetectIn, ReportOut, RowIn
from importer.web.api.submissions import one_row
from providers.errors import MailError
from providers.provider import LoginKind

AT_A_TIME: Final = 6
AT_MOST_S: Final = 50.0
"""Proxies give up after a minute."""

router: Final = APIRouter(tags=["ask"])
_places: Final = threading.BoundedSemaphore(AT_A_TIME)


@router.post("/check")
def check_both(caller: Writer, given: RowIn) -> ReportOut:
    """Logs in to both mailboxes and tells what is there, what will not fit, where folders go and how long it
    will take. Changes nothing. `done` is false when it took too long; what was found until then is told."""
    row = one_row(caller, given.cells())
    with _place():
        for account in (row.source, row.destination):
            caller.count_try(account)
        try:
            opened = row_credentials(caller.deps, row, caller.right)
        except MailError as error:
            raise mailbox_refused(error) from None
        source, destination = (row.source, opened.source), (row.destination, opened.destination)
        rule = row.labels or caller.site.settings.labels
        looks = check(caller.deps, source, destination, rule)
        found = _looked(cast("Generator[Check, None, None]", looks))
    for side in (found.source, found.destination):
        if side.look is not CheckPhase.FAILED:
            caller.forgive(side.account)
    return found.as_json()


@router.post("/detect")
def detect(caller: Reader, given: DetectIn) -> ReportOut:
    """Finds the mail server of an address, why it is that one, and what its owner has to do there first.
    Asks the DNS and public lists, never a mailbox."""
    mailbox = checked("address", partial(address, given.address))
    with _place():
        found = caller.site.lookups().discover(mailbox)
    provider, access = found.provider, caller.deps.access
    asks = provider is not None and provider.sign_in is not None and access.can_sign_in(provider.sign_in)
    return found.as_json(mailbox, given.language, login=LoginKind.SIGN_IN if asks else LoginKind.PASSWORD)


def _looked(looks: Generator[Check, None, None]) -> Check:
    """The last look, or how far it got."""
    until = time.monotonic() + AT_MOST_S
    with closing(looks):
        found = next(looks)
        while not found.done and time.monotonic() < until:
            found = next(looks)
    return found


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise busy()
    try:
        yield
    finally:
        _places.release()
