"""Notices about an import that has not ended: why it waits, and what a person has to do."""

from __future__ import annotations

from functools import partial

from importer.domain.model import Import
from importer.service.deps import Deps
from importer.service.imports.finish import compose_notices, notices_about, report_of
from importer.service.notify.webhooks import webhook_calls


def notify_about_wait(deps: Deps, import_: Import) -> None:
    """Post the mails and webhook calls about an import that needs a person: once per import and reason."""
    deps.store.post_calls(webhook_calls(deps, report_of(deps, import_)))
    mail_about_wait(deps, import_)


def mail_about_wait(deps: Deps, import_: Import) -> None:
    """Post the mails about an import that waits: once for each import and reason."""
    if deps.outgoing_mail is not None:
        compose = partial(notices_about, deps, report_of(deps, import_))
        deps.store.post(compose_notices(compose, import_.id))
    deps.queue.ring_mail()
