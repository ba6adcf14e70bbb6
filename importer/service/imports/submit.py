"""Submit imports: rows become a batch; imports that are complete or under way are not started again.

Only the owner's own imports count. To submit a route proves nothing about its mailboxes, so it must neither
keep their owner from importing nor show that another person's import exists. Imports of one route that belong
to several owners take turns at the destination (`importer/service/legs/run_leg.py`) and share the ledger.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

import structlog

from importer.domain.csv_import.import_rows import Row
from importer.domain.import_options import DEFAULTS, NO_CHOICES, Choices, ImportOptions
from importer.domain.import_state import ALIVE
from importer.domain.model import Batch, BatchId, Import, ImportId, State
from importer.domain.people.actor import Actor
from importer.ports.store import RouteUnderWay
from importer.service.access.consent_requests import start_consent
from importer.service.access.logged_owner import logged_owner
from importer.service.access.sealed_grants import grants_of, seal_grant, seal_grants
from importer.service.deps import Deps
from importer.service.import_batch import batch_of_import
from providers.endpoint import Secret
from providers.errors import Side
from providers.frozen import frozen
from providers.grants import DestinationGrant, OAuthGrant, PasswordGrant

log = structlog.get_logger()


class RowOutcome(StrEnum):
    """The outcome of submitting one row."""

    STARTED = "started"
    DONE = "done"  # already complete, with the same passwords
    UNDER_WAY = "under way"  # an earlier import of the route and owner has not ended
    PASSWORD_UPDATED = "password updated"  # noqa: S105 - under way, continues with the new password


@frozen
class SubmittedRow:
    """One row and its import, which is new or an earlier one."""

    row: Row
    import_: Import
    outcome: RowOutcome


@frozen
class Submission:
    """`batch` holds the started imports; None if there was nothing to start."""

    batch: Batch | None
    rows: tuple[SubmittedRow, ...]

    @property
    def started(self) -> tuple[Import, ...]:
        return tuple(p.import_ for p in self.rows if p.outcome is RowOutcome.STARTED)


def submit(
    deps: Deps,
    actor: Actor,
    rows: Sequence[Row],
    *,
    options: ImportOptions = DEFAULTS,
    name: str = "",
    again: bool = False,
    retry_of: ImportId | None = None,
) -> Submission:
    """Store a batch of imports and ring for each; ask the owners of mailboxes without a password to sign in.

    `rows` have to be validated. Imports of other owners are neither seen nor changed here. Raises Refused for
    a row without a destination password that the actor's right does not cover. `options` are those that rows
    leave open.

    A row is started if its route is new, if its last import did not end complete, or if a password or an
    option that starts again has changed since; with `again` also if nothing has changed (to fetch new mail).
    `retry_of` is that of the new imports.
    """
    began_s = deps.clock.elapsed_s()
    submission = _submitted(deps, actor, rows, options, name, again=again, retry_of=retry_of)
    outcomes = Counter(placed.outcome for placed in submission.rows)
    log.info(
        "imports.submitted",
        owner=logged_owner(deps, actor.owner),
        batch_id=submission.batch.id if submission.batch is not None else None,
        started=outcomes[RowOutcome.STARTED],
        import_ids=[import_.id for import_ in submission.started],
        done=outcomes[RowOutcome.DONE],
        seconds=round(deps.clock.elapsed_s() - began_s, 3),
        under_way=outcomes[RowOutcome.UNDER_WAY] + outcomes[RowOutcome.PASSWORD_UPDATED],
    )
    return submission


def _submitted(
    deps: Deps,
    actor: Actor,
    rows: Sequence[Row],
    options: ImportOptions,
    name: str,
    *,
    again: bool,
    retry_of: ImportId | None,
) -> Submission:
    batch_id = BatchId(new_id())
    for row in rows:
        if row.by_master:
            actor.right.grant(row.destination)

    def place(row: Row) -> SubmittedRow:
        fresh = replace(new_import(deps, actor, row, batch_id, options), retry_of=retry_of)
        return _place(deps, actor, row, fresh, again=again)

    submitted = [place(row) for row in rows]
    while starting := [p for p in submitted if p.outcome is RowOutcome.STARTED]:
        batch = Batch(
            batch_id,
            deps.clock.now(),
            name,
            actor.notify,
            tuple(p.import_.id for p in starting),
            actor.owner,
            actor.language,
            is_trusted=actor.is_trusted or deps.invites_everyone,
        )
        granted = [grants_of(deps, actor, p.row) for p in starting]
        sealed = [
            (p.import_, seal_grants(deps, p.import_.id, opened))
            for p, opened in zip(starting, granted, strict=True)
        ]
        former = [deps.store.latest_import(p.import_.route, actor.owner) for p in starting]
        try:
            deps.store.add_batch(batch, sealed)
        except RouteUnderWay:  # a concurrent submission was faster: place the rows again
            submitted = [place(p.row) if p.outcome is RowOutcome.STARTED else p for p in submitted]
        else:
            for superseded in filter(None, former):
                deps.store.erase_kept_grants(superseded.id)
            for p, opened in zip(starting, granted, strict=True):
                if opened.pending_sides:
                    start_consent(deps, p.import_.id)
                else:
                    deps.queue.ring(p.import_.id)
            return Submission(batch, tuple(submitted))
    return Submission(None, tuple(submitted))


def new_id() -> str:
    """Twelve random letters and digits (60 bits), easy to read aloud."""
    return "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(12))


def new_import(deps: Deps, actor: Actor, row: Row, batch_id: BatchId, options: ImportOptions) -> Import:
    """A queued import of that row; `options` are those that it leaves open."""
    return Import(
        id=ImportId(new_id()),
        source=row.source,
        destination=row.destination,
        created_at=deps.clock.now(),
        batch_id=batch_id,
        row=row.line,
        submitter=actor.notify,
        language=actor.language,
        options=options.choose(row.choices),
        password_fingerprint=deps.vault.fingerprint(
            *(secret or Secret("") for secret in _passwords(row).values())
        ),
    )


def _place(deps: Deps, actor: Actor, row: Row, fresh: Import, *, again: bool) -> SubmittedRow:
    """Decide what to do with a row; `fresh` is its import if it is started."""
    latest = deps.store.latest_import(fresh.route, actor.owner)
    if latest is None:
        return SubmittedRow(row, fresh, RowOutcome.STARTED)
    same_passwords = latest.password_fingerprint == fresh.password_fingerprint
    if latest.state in ALIVE and deps.store.grants(latest.id) is not None:
        if same_passwords and not _signed_in(row):
            return SubmittedRow(row, latest, RowOutcome.UNDER_WAY)
        new = _sealed_sides(deps, actor, latest.id, row)
        if deps.store.replace_grants(latest.id, new, fresh.password_fingerprint):
            deps.queue.ring(latest.id)
            return SubmittedRow(row, latest, RowOutcome.PASSWORD_UPDATED)
        return _place(deps, actor, row, fresh, again=again)  # the latest import has just ended
    other_options = fresh.options.starts_again(latest.options, has_labels=latest.has_labels)
    unchanged = latest.state is State.COMPLETE and same_passwords and not other_options
    if unchanged and not again:
        return SubmittedRow(row, latest, RowOutcome.DONE)
    return SubmittedRow(row, fresh, RowOutcome.STARTED)


def _sealed_sides(deps: Deps, actor: Actor, import_id: ImportId, row: Row) -> dict[Side, bytes]:
    """The passwords of the row, its owners' grants, or the master user, sealed for the import.

    A side where the owner has yet to sign in is left out.
    """
    grants: dict[Side, DestinationGrant] = {
        side: PasswordGrant(secret) for side, secret in _passwords(row).items() if secret is not None
    }
    grants |= _signed_in(row)
    if row.by_master:
        grants[Side.DESTINATION] = actor.right.grant(row.destination)
    return {side: seal_grant(deps, import_id, side, grant) for side, grant in grants.items()}


def _passwords(row: Row) -> dict[Side, Secret | None]:
    return {Side.SOURCE: row.source_password, Side.DESTINATION: row.destination_password}


def _signed_in(row: Row) -> dict[Side, OAuthGrant]:
    """The grants of owners who signed in before the start."""
    grants = {Side.SOURCE: row.source_grant, Side.DESTINATION: row.destination_grant}
    return {side: grant for side, grant in grants.items() if grant is not None}


def resubmit(
    deps: Deps,
    actor: Actor,
    import_: Import,
    source_password: Secret | None,
    destination_password: Secret | None,
    *,
    source_sign_in: str = "",
    destination_sign_in: str = "",
    choices: Choices = NO_CHOICES,
    source_grant: OAuthGrant | None = None,
    destination_grant: OAuthGrant | None = None,
    failed_only: bool = False,
) -> SubmittedRow:
    """Submit the route of an earlier import again, whether or not that import is complete. With
    `failed_only`, the new one tries the failed messages of that one only (`require_failed`).

    Options that `choices` leaves open are the earlier import's, and so is the name of its batch. If an import
    of the same route and owner is under way, that one is returned and continues with these passwords. The new
    import has the owner of the earlier one, and what the actor leaves open of `notify` and `language`. For a
    side without a password see `Row`.
    """
    row = Row(
        0,
        import_.source,
        source_password,
        import_.destination,
        destination_password,
        source_sign_in=source_sign_in,
        destination_sign_in=destination_sign_in,
        choices=choices,
        source_grant=source_grant,
        destination_grant=destination_grant,
    )
    batch = batch_of_import(deps, import_)
    on_behalf = replace(
        actor,
        owner=batch.owner if batch is not None else "",
        notify=actor.notify or import_.submitter,
        language=actor.language or import_.language,
    )
    name = batch.name if batch is not None else ""
    submission = submit(
        deps,
        on_behalf,
        [row],
        options=import_.options,
        name=name,
        again=True,
        retry_of=import_.id if failed_only else None,
    )
    return submission.rows[0]
