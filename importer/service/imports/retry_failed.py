"""Try the failed messages of an import again, alone: whether that can be done, and, for many imports, without
anybody who knows the passwords.

Passwords are erased when an import comes to its end. So of many imports those can be tried again whose
mailboxes the installation opens itself: by an organisation's grant, the new mailbox also by the master user.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from importer.domain.import_state import ALIVE
from importer.domain.model import Account, Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.service.deps import Deps
from importer.service.imports.control import Changed, Effect
from importer.service.imports.submit import RowOutcome, resubmit
from providers.catalog import provider_of_host
from providers.errors import Side
from providers.text import Text


class RetryRefused(Exception):
    """The failed messages of the import cannot be tried again alone; `text` says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


def require_failed(deps: Deps, import_: Import) -> None:
    """Raises RetryRefused unless the import came to its end with failed messages."""
    if import_.state in ALIVE:
        raise RetryRefused(Text("retry_under_way"))
    if import_.state is State.UNDONE:
        raise RetryRefused(Text("retry_undone"))
    if import_.state not in (State.COMPLETE, State.INCOMPLETE):
        raise RetryRefused(Text("retry_unfinished"))
    if not has_failed(deps, import_):
        raise RetryRefused(Text("retry_none_failed"))


def has_failed(deps: Deps, import_: Import) -> bool:
    """Whether the import came to its end, and messages of it failed."""
    return bool(with_failures(deps, [import_]))


def with_failures(deps: Deps, imports: Iterable[Import]) -> Collection[ImportId]:
    """Those that came to their end, and of which messages failed."""
    ended = [import_ for import_ in imports if import_.state is State.INCOMPLETE]
    return deps.store.with_failures(ended) if ended else ()


def missing_passwords(deps: Deps, actor: Actor, import_: Import) -> tuple[Side, ...]:
    """The sides for which the actor needs a password: no grant of an organisation or right opens them."""
    opened = {
        Side.SOURCE: bool(_organisation(deps, actor, import_.source)),
        Side.DESTINATION: bool(_organisation(deps, actor, import_.destination))
        or actor.right.covers(import_.destination),
    }
    return tuple(side for side in Side if not opened[side])


def retry_failed(deps: Deps, actor: Actor, import_id: ImportId) -> Changed:
    """Start an import that tries the failed messages again; the answer names it. If a password is needed, or
    there is nothing to try again, nothing is changed, and the answer says why.

    Raises LookupError for an unknown import.
    """
    import_ = deps.store.import_(import_id)
    if import_ is None:
        raise LookupError(f"there is no import {import_id}")
    try:
        require_failed(deps, import_)
    except RetryRefused as refused:
        return Changed(import_, Effect.NOT_POSSIBLE, refused.text)
    if import_.successor is not None:
        return Changed(import_, Effect.NOT_POSSIBLE, Text("retry_done_before", import_id=import_.successor))
    match missing_passwords(deps, actor, import_):
        case ():
            pass
        case (side,):
            return Changed(import_, Effect.NOT_POSSIBLE, Text(f"retry_needs_passwords.{side.value}"))
        case _:
            return Changed(import_, Effect.NOT_POSSIBLE, Text("retry_needs_passwords"))
    row = resubmit(
        deps,
        actor,
        import_,
        None,
        None,
        source_sign_in=_organisation(deps, actor, import_.source),
        destination_sign_in=_organisation(deps, actor, import_.destination),
        failed_only=True,
    )
    if row.outcome is not RowOutcome.STARTED:
        return Changed(row.import_, Effect.NOT_POSSIBLE, Text("control_other_under_way"))
    return Changed(row.import_, Effect.DONE, Text("retry_started"))


def _organisation(deps: Deps, actor: Actor, account: Account) -> str:
    """The provider at which an organisation's grant opens the mailbox for the actor; "" if none does."""
    host = provider_of_host(account.endpoint.host)
    provider = host.sign_in if host is not None else None
    if provider is None or not actor.organisation:
        return ""
    return provider if deps.access.organisation_grant(provider, account.address) is not None else ""
