"""Checks of outgoing mail and of the destination's mail server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from importer import inspection
from importer.doctor.finding import Finding, Health
from importer.doctor.own_store import CLOCK, read_store
from importer.ports.notices import MailState
from importer.settings import Settings
from providers.errors import MailError
from providers.text import Text

_STUCK: Final = timedelta(hours=1)


def check_mail(settings: Settings) -> Iterator[Finding]:
    if not settings.smtp_url:
        yield Finding("mail", Health.WARNING, Text("doctor.mail_off"))
        return
    if problem := inspection.check_mail_server(settings):
        yield Finding("mail", Health.ERROR, problem)
    else:
        yield Finding("mail", Health.OK, Text("doctor.mail_accepts"))


def check_outbox(settings: Settings) -> Iterator[Finding]:
    """Findings about unsent mails, which no other command reports."""
    deadline = CLOCK.now() - _STUCK
    unsent = read_store(settings, lambda store: store.unsent())
    if unsent is None:
        return
    sending = sum(n.state is MailState.SENDING and n.created_at < deadline for n in unsent)
    refused = sum(n.state is MailState.REFUSED for n in unsent)
    pending = sum(n.state is MailState.PENDING for n in unsent)
    late = sum(n.state is MailState.PENDING and n.created_at < deadline for n in unsent)
    if sending:
        yield Finding("outbox", Health.WARNING, Text("doctor.outbox_unknown", number=sending))
    if refused:
        yield Finding("outbox", Health.WARNING, Text("doctor.outbox_refused", number=refused))
    if late:
        text = Text("doctor.outbox_late", number=late, pending=pending)
        yield Finding("outbox", Health.WARNING, text)
    if not (sending or refused or late):
        yield Finding("outbox", Health.OK, Text("doctor.outbox_moves", number=pending))


def check_destination(settings: Settings) -> Iterator[Finding]:
    endpoint = settings.destination_server
    if endpoint is None:
        yield Finding("destination", Health.WARNING, Text("doctor.destination_unset"))
        return
    try:
        inspection.probe_mail_host(settings, endpoint)
    except MailError as error:
        text = Text("doctor.destination_unusable", problem=error.text)
        yield Finding("destination", Health.ERROR, text)
    else:
        yield Finding("destination", Health.OK, Text("doctor.destination_responds", server=str(endpoint)))
