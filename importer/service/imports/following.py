"""An import that follows its mailbox: passes over new mail until its domain moves or a day is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from importer.domain import import_state
from importer.domain.import_options import Choices, ImportOptions
from importer.domain.model import Import, ImportId, Problem
from importer.domain.planning.cutover import MxSight, NextPass, is_following, next_pass, sight_of
from importer.domain.reporting.batch_overview import awaits_next_pass
from importer.service.deps import Deps
from importer.service.imports.control import Changed, Effect, resume
from importer.service.imports.finish import post_batch_summary
from importer.service.imports.wait_notices import mail_about_wait
from providers.text import Text

log = structlog.get_logger()


def following(deps: Deps, import_: Import, began_at: datetime) -> Import | None:
    """The import as it waits for its next pass, after one that began at `began_at` and is complete; its
    readers are told once that the first copy is complete.

    None if it does not follow or that pass was the last. A foreground copy, which has no stored grants, and
    a retry of failed messages make one pass.
    """
    stored = deps.store.import_(import_.id)  # its options may have been changed during the pass
    if stored is None or stored.retry_of is not None or not is_following(stored.options):
        return None
    if deps.store.grants(import_.id) is None:
        return None
    options, now = stored.options, deps.clock.now()
    exchangers, sight = _look(deps, import_, options)
    following = next_pass(
        options, import_.created_at, import_.moved_at, sight, began_at, now, deps.deadlines.passes
    )
    if following is None:
        return None
    problem = Problem(_standing(deps, import_, options, sight, exchangers, following))
    waiting = replace(
        import_state.awaiting_pass(import_, problem, following.at),
        options=options,
        moved_at=following.moved_at,
    )
    log.info("import.follows", import_id=import_.id, mx=problem.text.code, next_pass=following.at.isoformat())
    if import_.problem is None or import_.problem.code != problem.code:
        mail_about_wait(deps, waiting)
    return waiting


def tell_batch(deps: Deps, import_: Import) -> None:
    """Post the summary of the batch so far, if all of its remaining imports follow their mailboxes."""
    if import_.batch_id is not None and awaits_next_pass(import_):
        post_batch_summary(deps, import_.batch_id)


def schedule(deps: Deps, import_id: ImportId, choices: Choices) -> Changed:
    """Choose until when an import follows its mailbox, and make the next pass now if it waits for it.

    One that was stopped goes on if its passwords are kept; one that has ended otherwise needs them again.
    Raises LookupError for an unknown import.
    """
    before = deps.store.import_(import_id)
    if before is None:
        raise LookupError(f"there is no import {import_id}")
    options = before.options.choose(choices)
    impossible = _why_impossible(deps, before, options)
    if impossible is not None:
        return Changed(before, Effect.NOT_POSSIBLE, impossible)
    if not deps.store.choose_options(import_id, options):
        if before.state in import_state.ALIVE:
            return Changed(before, Effect.NOT_POSSIBLE, Text("control_foreground"))
        return Changed(before, Effect.TOO_LATE, Text("control_ended.run_again"))
    after = deps.store.import_(import_id) or before
    if after.state in import_state.ENDED or awaits_next_pass(after):
        resumed = resume(deps, import_id)
        if resumed.effect not in (Effect.DONE, Effect.SOON):
            return resumed
        after = resumed.import_
    return Changed(after, Effect.DONE, Text("control_follows"))


def _why_impossible(deps: Deps, import_: Import, options: ImportOptions) -> Text | None:
    """Why an import with these options cannot follow its mailbox; None if it can."""
    if import_.retry_of is not None:
        return Text("control_retry_ends")
    if not is_following(options):
        return Text("control_follows_without_end")
    if options.until_cutover and options.follow_until.day is None and not expected_mx(deps, import_, options):
        return Text("control_mx_unknown", host=import_.destination.endpoint.host)
    return None


def expected_mx(deps: Deps, import_: Import, options: ImportOptions) -> tuple[str, ...]:
    """The mail exchangers of the destination, or suffixes of them: as chosen, or as known of its provider."""
    return options.cutover_mx.names or tuple(deps.known_mx(import_.destination.endpoint.host))


def _look(deps: Deps, import_: Import, options: ImportOptions) -> tuple[tuple[str, ...], MxSight]:
    if not options.until_cutover:
        return (), MxSight.UNKNOWN
    from providers.discovery import LookupFailed  # noqa: PLC0415 - a copy starts without it

    expected = expected_mx(deps, import_, options)
    exchangers: tuple[str, ...] | None
    try:
        exchangers = tuple(deps.mail_exchangers(_domain(import_)))
    except LookupFailed as failed:
        log.warning("mx.unknown", import_id=import_.id, reason=str(failed))
        exchangers = None
    return exchangers or (), sight_of(exchangers, expected)


def _standing(
    deps: Deps,
    import_: Import,
    options: ImportOptions,
    sight: MxSight,
    exchangers: tuple[str, ...],
    following: NextPass,
) -> Text:
    if not options.until_cutover:
        return Text(f"{_AWAITING}.date", until=following.ends_by)
    end = sight if following.moved_at is None or sight is MxSight.MOVED else MxSight.MOVED
    return Text(
        f"{_AWAITING}.{end}",
        domain=_domain(import_),
        mx=", ".join(expected_mx(deps, import_, options)),
        seen=", ".join(exchangers),
        until=following.ends_by,
    )


def _domain(import_: Import) -> str:
    return import_.source.address.rpartition("@")[2].lower()


_AWAITING: Final = "awaiting_cutover"  # the codes below it end with an MxSight
