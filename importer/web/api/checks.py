"""Checks without an import: of two mailboxes, and of the mail server of an address."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Final, cast

from fastapi import APIRouter

from importer.domain.csv_import.csv_cells import address
from importer.domain.reporting.mailbox_check import Check, CheckPhase
from importer.i18n.check_texts import check_json
from importer.i18n.discovery_texts import discovery_json
from importer.i18n.translations import texts
from importer.ports.work_limit import WorkLimit
from importer.service.access.concurrency_limit import ConcurrencyLimit
from importer.service.access.rate_limits import RateLimited
from importer.service.access.sealed_grants import row_credentials
from importer.service.imports.check_mailboxes import check
from importer.web.api.authentication import Reader, Writer
from importer.web.api.problem_details import busy, checked, mailbox_refused
from importer.web.api.request_schemas import DetectIn, RowIn
from importer.web.api.response_schemas import ReportOut
from importer.web.api.submissions import row_without_consent
from providers.errors import MailError
from providers.provider import LoginKind

TIMEOUT_S: Final = 50.0
"""Proxies time out after a minute."""

router: Final = APIRouter(tags=["ask"])


@router.post("/check")
def check_both(caller: Writer, body: RowIn) -> ReportOut:
    """Log in to both mailboxes and report their contents, what will not fit, where folders go and how long
    the import will take. Nothing is changed. If the check times out, `done` is false and the report is
    partial."""
    row = row_without_consent(caller, body.cells())
    caller.audit.targets = [row.source.key, row.destination.key]
    tried = [row.source] if row.by_master else [row.source, row.destination]
    with _slots(caller.site.shares.waiting, caller.site.shares.checks, client=caller.token.client):
        for account in tried:
            caller.count_login(account)
        try:
            credentials = row_credentials(caller.deps, caller.actor, row)
        except MailError as error:
            raise mailbox_refused(error) from None
        source = row.source, credentials.source
        destination = row.destination, credentials.destination
        options = caller.site.settings.import_options.choose(row.choices)
        results = check(caller.deps, source, destination, options, WorkLimit(TIMEOUT_S))
        result = _last_result(cast("Generator[Check, None, None]", results))
    for side in (result.source, result.destination):
        if side.account in tried and side.look is not CheckPhase.FAILED:
            caller.refund_login(side.account)
    return check_json(caller.texts, result)


@router.post("/detect")
def detect(caller: Reader, body: DetectIn) -> ReportOut:
    """Find the mail server of an address, with the evidence and the steps that its owner must take there
    first. Queries the DNS and public lists, never a mailbox."""
    mailbox = checked(caller.texts, "address", partial(address, body.address))
    with _slots(caller.site.shares.waiting, client=caller.token.client):
        discovery = caller.lookups.discover(mailbox)
    provider, access = discovery.provider, caller.deps.access
    can_sign_in = (
        provider is not None and provider.sign_in is not None and access.can_sign_in(provider.sign_in)
    )
    login = LoginKind.SIGN_IN if can_sign_in else LoginKind.PASSWORD
    said = texts(body.language, product=caller.site.brand.name)
    return discovery_json(said, discovery, mailbox, login=login)


def _last_result(results: Generator[Check, None, None]) -> Check:
    """The final result, or the latest one when the check timed out."""
    with closing(results):
        *_, last = results
    return last


@contextmanager
def _slots(*limits: ConcurrencyLimit, client: str) -> Iterator[None]:
    """Hold a slot of each limit. Raises ProblemAnswer if this client, or all together, have too many."""
    with ExitStack() as held:
        try:
            for limit in limits:
                held.enter_context(limit.slot(client))
        except RateLimited:
            raise busy() from None
        yield
