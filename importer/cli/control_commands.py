"""`pause`, `resume`, `retry`, `cancel`: control of imports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from importer.bootstrap import queued
from importer.cli import mailbox_options, options, text_views
from importer.cli.console_actor import console_actor
from importer.cli.exit_codes import exit_with, stdout
from importer.cli.found_ids import imports_of
from importer.cli.operator_events import record_operator
from importer.cli.options import PasswordSource
from importer.domain.audit_event import AuditAction, AuditOutcome
from importer.domain.import_state import ENDED
from importer.domain.model import Import, ImportId
from importer.domain.people.actor import Actor
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import CatalogTranslator, texts
from importer.service.access import owner_consent
from importer.service.access.sealed_grants import sign_in_method
from importer.service.deps import Deps
from importer.service.imports import control
from importer.service.imports.control import Changed, Effect
from importer.service.imports.submit import SubmittedRow, resubmit
from importer.settings import Settings

_SYMBOLS: Final = {
    Effect.DONE: "[green]✓[/]",
    Effect.SOON: "[green]…[/]",
    Effect.TOO_LATE: "[yellow]![/]",
    Effect.NOT_POSSIBLE: "[red]✗[/]",
}


@click.command
@options.import_or_batch_id
@options.data
@options.as_json
def pause(id_: str, data: Path | None, as_json: bool) -> None:
    """Pause an import or a batch.

    Messages in transfer are still stored if that takes a moment only; the rest is copied after `mailhaul
    resume`.

    \b
    Example:
      mailhaul pause k3v9m2xw7abc
    """
    _change_imports(id_, control.pause, AuditAction.IMPORT_PAUSE, data, as_json=as_json)


@click.command
@options.import_or_batch_id
@options.data
@options.as_json
def resume(id_: str, data: Path | None, as_json: bool) -> None:
    """Resume a paused import or batch.

    An import that waits is retried immediately.

    \b
    Example:
      mailhaul resume k3v9m2xw7abc
    """
    _change_imports(id_, control.resume, AuditAction.IMPORT_RESUME, data, as_json=as_json)


@click.command
@options.import_or_batch_id
@options.source_password
@options.destination_password
@options.data
def retry(
    id_: str, source_password: PasswordSource, destination_password: PasswordSource, data: Path | None
) -> None:
    """Retry an import, or all imports of a batch, now.

    Imports that wait are tried immediately, and so are those that were stopped, while their passwords are
    kept (MAILHAUL_KEEP_PASSWORDS_DAYS). Any other import that has ended needs its passwords again: a new
    import then copies what is missing and what is new.

    \b
    Example:
      mailhaul retry k3v9m2xw7abc
    """
    settings = Settings.load(data=data)
    words = texts(settings.language, settings.time_zone)
    with queued(settings) as deps:
        found = imports_of(deps, id_, words)
        if len(found) != 1:
            for import_ in found:
                _retry_without_passwords(deps, words, import_)
            return
        [import_] = found
        given = source_password.given or destination_password.given
        if import_.state not in ENDED or not given:
            changed = control.resume(deps, import_.id)
            if changed.effect is not Effect.TOO_LATE:
                _record_change(deps, AuditAction.IMPORT_RESUME, changed)
                _print_change(words, changed)
                return
        # The new import keeps the recipient and the language of the earlier one.
        actor = replace(console_actor(settings), notify="", language="")
        submitted = _resubmitted(deps, actor, import_, source_password, destination_password)
        record_operator(deps, AuditAction.IMPORT_START, [submitted.import_.id])
        text_views.print_submitted_row(words, submitted)
        text_views.print_consent_links(words, owner_consent.links(deps, [submitted.import_]))


@click.command
@options.import_or_batch_id
@options.data
@options.as_json
def cancel(id_: str, data: Path | None, as_json: bool) -> None:
    """Cancel an import or a batch permanently.

    Its passwords are erased. Messages that were copied stay.

    \b
    Example:
      mailhaul cancel k3v9m2xw7abc
    """
    _change_imports(id_, control.cancel, AuditAction.IMPORT_CANCEL, data, as_json=as_json)


def _retry_without_passwords(deps: Deps, words: CatalogTranslator, import_: Import) -> None:
    changed = control.resume(deps, import_.id)
    _record_change(deps, AuditAction.IMPORT_RESUME, changed)
    _print_change(words, changed)


def _resubmitted(
    deps: Deps,
    actor: Actor,
    import_: Import,
    source_password: PasswordSource,
    destination_password: PasswordSource,
) -> SubmittedRow:
    can_sign_in = sign_in_method(deps.access, organisation=actor.organisation)
    source = mailbox_options.source_login(import_.source, source_password, can_sign_in)
    destination = mailbox_options.destination_login(
        import_.destination, destination_password, can_sign_in, actor.right
    )
    return resubmit(
        deps,
        actor,
        import_,
        source.password,
        destination.password,
        source_sign_in=source.sign_in,
        destination_sign_in=destination.sign_in,
    )


def _change_imports(
    id_: str,
    change: Callable[[Deps, ImportId], Changed],
    action: AuditAction,
    data: Path | None,
    *,
    as_json: bool,
) -> None:
    """Apply `change` to each import and print the effects; exit code WAITING if it is impossible for any."""
    settings = Settings.load(data=data)
    words = texts(settings.language, settings.time_zone)
    with queued(settings) as deps:
        imports = imports_of(deps, id_, words)
        changes = [change(deps, import_.id) for import_ in imports]
        for changed in changes:
            _record_change(deps, action, changed)
    if as_json:
        text_views.print_json([_change_json(words, changed) for changed in changes])
    else:
        for changed in changes:
            _print_change(words, changed)
    impossible = any(changed.effect is Effect.NOT_POSSIBLE for changed in changes)
    raise exit_with(ExitCode.WAITING if impossible else ExitCode.COMPLETE)


def _record_change(deps: Deps, action: AuditAction, changed: Changed) -> None:
    done = changed.effect in (Effect.DONE, Effect.SOON)
    outcome = AuditOutcome.DONE if done else AuditOutcome.REFUSED
    record_operator(deps, action, [changed.import_.id], outcome, changed.effect)


def _print_change(words: CatalogTranslator, changed: Changed) -> None:
    import_ = changed.import_
    stdout.print(
        f"{_SYMBOLS[changed.effect]} {text_views.plain(import_.source.address)}  [bold]{import_.id}[/]  "
        f"{text_views.plain(render_with_advice(changed.text, words))}",
        soft_wrap=True,
    )


def _change_json(words: CatalogTranslator, changed: Changed) -> dict[str, object]:
    return {
        "id": changed.import_.id,
        "state": changed.import_.state.value,
        "effect": changed.effect.value,
        "message": render_with_advice(changed.text, words),
    }
