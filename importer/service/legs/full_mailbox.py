"""An import into a full mailbox waits for room, and continues by itself."""

from __future__ import annotations

from dataclasses import replace

from importer.domain import import_state
from importer.domain.model import Import, Problem
from importer.domain.planning.retry_policy import room_wait
from importer.ports.mailbox import MailboxWriter
from importer.ports.mailbox_errors import QuotaExceeded
from importer.service.deps import Deps
from importer.service.imports.wait_notices import notify_about_wait
from providers.errors import MailError, Side
from providers.text import Text


def waiting_for_room(deps: Deps, import_: Import, error: MailError, *, progressed: bool) -> Import | None:
    """The import as it waits for room; its readers are told once.

    None if it does not wait: for another error, after `Deadlines.full_mailbox`, and in the foreground.
    """
    if not isinstance(error, QuotaExceeded) or error.side is not Side.DESTINATION:
        return None
    now = deps.clock.now()
    wait = room_wait(now, None if progressed else import_.held_up_since, deps.deadlines.full_mailbox)
    if wait is None or deps.store.grants(import_.id) is None:
        return None
    problem = Problem.of(error)
    params = {**problem.text.params, "until": wait.gives_up_at}
    text = Text(f"{problem.text.code}.waits", steps=None, **params)
    waiting = import_state.queued_behind(
        import_, replace(problem, text=text), now, wait.until, progressed=progressed
    )
    if import_.problem is None or import_.problem.code != problem.code:
        notify_about_wait(deps, waiting)
    return waiting


def raise_if_still_full(import_: Import, destination: MailboxWriter) -> None:
    """Raise QuotaExceeded, before anything is listed or sent, if an import waited for room and the quota
    leaves none. If the server reports no quota, the copy itself finds out."""
    if import_.problem is None or import_.problem.code != QuotaExceeded.code:
        return
    quota = destination.quota()
    if quota is not None and quota.is_full:
        text = Text(QuotaExceeded.code, host=import_.destination.endpoint.host)
        raise QuotaExceeded(text, side=Side.DESTINATION, server_text=import_.problem.server_text)
