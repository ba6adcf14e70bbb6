"""Send the mails of the outbox, each at most once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, assert_never

import structlog

from importer.domain.planning.retry_limits import MAIL_RETRY_WAITS_S, MAX_MAIL_ATTEMPTS
from importer.ports.notices import Mailer, MailOutcome, MailState, Notice
from importer.ports.vault import VaultError
from importer.service.access.consent_requests import with_consent_link
from importer.service.deps import Deps

LONGEST_RUN_S: Final = 600
"""Without a reply of the mail server, 50 mails would take longer than the queue lets an actor work: it would
be ended in the middle of a mail, whose outcome is unknown then."""

log = structlog.get_logger()


def send_due_mail(deps: Deps) -> int:
    """Send the due mails; return how many the mail server accepted. Safe to run concurrently and repeatedly.

    A mail is claimed before it is handed to the server. If the reply is lost, the mail counts as sent: a
    missing mail is better than a duplicate.
    """
    if deps.outgoing_mail is None:
        return 0
    sent, began_s = 0, deps.clock.elapsed_s()
    for notice in deps.store.due_notices(deps.clock.now()):
        if deps.stopping() or deps.clock.elapsed_s() - began_s > LONGEST_RUN_S:
            break  # the tick rings for the others
        sent += _send(deps, deps.outgoing_mail.mailer, notice)
    return sent


def _send(deps: Deps, mailer: Mailer, notice: Notice) -> bool:
    """Claim a mail, send and settle it. Return whether the mail server accepted it."""
    try:  # before the claim: a database that is lost now must not leave the mail claimed for ever
        filled = with_consent_link(deps, notice)
    except VaultError as error:
        if deps.store.claim_notice(notice.key):
            _settle(deps, notice, MailOutcome.RETRY, str(error))
        return False
    if not deps.store.claim_notice(notice.key):
        return False
    if filled is None:
        deps.store.settle_notice(
            notice.key, MailState.SENT, error="not sent: the sign-in is no longer needed"
        )
        return False
    began_s = deps.clock.elapsed_s()
    outcome, text = mailer.send(filled)
    _settle(deps, notice, outcome, text, deps.clock.elapsed_s() - began_s)
    return outcome is MailOutcome.SENT


def _settle(deps: Deps, notice: Notice, outcome: MailOutcome, text: str, took_s: float = 0.0) -> None:
    attempts = notice.attempts + 1
    match outcome:
        case MailOutcome.SENT:
            deps.store.settle_notice(notice.key, MailState.SENT, error="")
        case MailOutcome.UNKNOWN:
            deps.store.settle_notice(notice.key, MailState.SENT, error=f"no reply from the server: {text}")
        case MailOutcome.REFUSED:
            deps.store.settle_notice(notice.key, MailState.REFUSED, error=text)
        case MailOutcome.RETRY if attempts >= MAX_MAIL_ATTEMPTS:
            deps.store.settle_notice(notice.key, MailState.REFUSED, error=f"gave up: {text}")
        case MailOutcome.RETRY:
            wait = timedelta(seconds=MAIL_RETRY_WAITS_S[min(notice.attempts, len(MAIL_RETRY_WAITS_S) - 1)])
            later = deps.clock.now() + wait
            deps.store.settle_notice(notice.key, MailState.PENDING, error=text, not_before=later)
        case _:
            assert_never(outcome)
    log.info(
        "mail.handled",
        key=notice.key,
        import_id=_import_of(notice),
        outcome=outcome.value,
        attempts=attempts,
        seconds=round(took_s, 3),
    )


def _import_of(notice: Notice) -> str | None:
    """The id of the import that a mail is about; None for a summary."""
    kind, _, rest = notice.key.partition(":")
    return rest.partition(":")[0] if kind in ("import", "consent") else None
