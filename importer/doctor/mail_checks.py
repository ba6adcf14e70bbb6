"""Checks of outgoing mail and of the destination's mail server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from importer import bootstrap
from importer.doctor.finding import Finding, Health
from importer.doctor.own_store import CLOCK, read_store
from importer.ports.notices import MailState
from importer.settings import Settings
from providers.errors import MailError

_STUCK: Final = timedelta(hours=1)
_SEE_RUNBOOK: Final = "See “Completion mails” in deploy/RUNBOOK.md for how to inspect and fix them."


def check_mail(settings: Settings) -> Iterator[Finding]:
    if not settings.smtp_url:
        message = "No mail server is configured, so no mail is sent when an import ends."
        fix = "Set MAILHAUL_SMTP_URL, for example smtp://localhost or smtps://user:password@mail.example.org."
        yield Finding("mail", Health.WARNING, message, fix)
        return
    if problem := bootstrap.check_mail_server(settings):
        fix = "Check MAILHAUL_SMTP_URL: host, port, encryption, user and password."
        yield Finding("mail", Health.ERROR, problem, fix)
    else:
        yield Finding("mail", Health.OK, "The mail server accepts the connection.")


def check_outbox(settings: Settings) -> Iterator[Finding]:
    """Mails that were not sent, which no other command reports."""
    deadline = CLOCK.now() - _STUCK
    unsent = read_store(settings, lambda store: store.unsent())
    if unsent is None:
        return
    sending = sum(n.state is MailState.SENDING and n.created_at < deadline for n in unsent)
    refused = sum(n.state is MailState.REFUSED for n in unsent)
    pending = sum(n.state is MailState.PENDING for n in unsent)
    late = sum(n.state is MailState.PENDING and n.created_at < deadline for n in unsent)
    if sending:
        message = (
            f"{sending} mail(s) were being sent when their worker ended; whether they were sent is unknown."
        )
        yield Finding("outbox", Health.WARNING, message, _SEE_RUNBOOK)
    if refused:
        yield Finding("outbox", Health.WARNING, f"{refused} mail(s) were refused.", _SEE_RUNBOOK)
    if late:
        message = f"{late} of {pending} mail(s) have been waiting for more than an hour."
        yield Finding("outbox", Health.WARNING, message, _SEE_RUNBOOK)
    if not (sending or refused or late):
        yield Finding("outbox", Health.OK, f"{pending} mail(s) waiting to be sent; none is stuck.")


def check_destination(settings: Settings) -> Iterator[Finding]:
    endpoint = settings.destination_server
    if endpoint is None:
        message = "No destination server is configured, so every import must name one."
        fix = "Set MAILHAUL_DESTINATION_SERVER, for example imaps://mail.example.org."
        yield Finding("destination", Health.WARNING, message, fix)
        return
    try:
        bootstrap.probe_mail_host(settings, endpoint)
    except MailError as error:
        fix = "Check MAILHAUL_DESTINATION_SERVER, and MAILHAUL_CA_FILE for a private certificate authority."
        yield Finding("destination", Health.ERROR, str(error), fix)
    else:
        yield Finding("destination", Health.OK, f"{endpoint} responds and is encrypted as configured.")
