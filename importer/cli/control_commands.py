"""`pause`, `resume`, `retry`, `cancel`: control of imports."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from importer.bootstrap import queued
from importer.cli import mailbox_options, options, text_views
from importer.cli.argument_texts import argument_texts
from importer.cli.bulk_view import change_many, confirm
from importer.cli.console_actor import console_actor
from importer.cli.console_language import console_texts
from importer.cli.control_view import change_json, print_change
from importer.cli.exit_codes import Usage, exit_with
from importer.cli.filter_options import Many, many_options
from importer.cli.found_ids import imports_of
from importer.cli.operator_events import operator, record_operator
from importer.cli.options import PasswordSource
from importer.domain.audit_event import AuditAction
from importer.domain.bulk_action import BulkAction
from importer.domain.import_state import ENDED
from importer.domain.model import Import
from importer.domain.people.actor import Actor
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import CatalogTranslator
from importer.service.access import consent_requests
from importer.service.access.sealed_grants import sign_in_method
from importer.service.deps import Deps
from importer.service.imports import control
from importer.service.imports.bulk_control import carry_out, record_change, selection_of
from importer.service.imports.control import Effect
from importer.service.imports.retry_failed import RetryRefused, require_failed
from importer.service.imports.submit import SubmittedRow, resubmit
from importer.settings import Settings


@click.command
@options.optional_import_or_batch_id
@many_options
@options.data
@options.as_json
def pause(id_: str | None, many: Many, data: Path | None, as_json: bool) -> None:
    """Pause an import, a batch, or all imports that the options choose.

    Messages in transfer are still stored if that takes a moment only; the rest is copied after `mailhaul
    resume`.

    \b
    Example:
      mailhaul pause k3v9m2xw7abc
      mailhaul pause --host imap.old.example
    """
    _change_imports(id_, many, BulkAction.PAUSE, data, as_json=as_json)


@click.command
@options.optional_import_or_batch_id
@many_options
@options.data
@options.as_json
def resume(id_: str | None, many: Many, data: Path | None, as_json: bool) -> None:
    """Resume a paused import or batch, or all paused ones that the options choose.

    An import that waits is retried immediately if it is named.

    \b
    Example:
      mailhaul resume k3v9m2xw7abc
      mailhaul resume --owner ada@new.example --yes
    """
    _change_imports(id_, many, BulkAction.RESUME, data, as_json=as_json)


@click.command
@options.optional_import_or_batch_id
@many_options
@click.option(
    "--failed-only",
    is_flag=True,
    help="Try only the messages again that failed in imports that have ended; new mail stays for later.",
)
@options.source_password
@options.destination_password
@options.data
def retry(
    id_: str | None,
    many: Many,
    failed_only: bool,
    source_password: PasswordSource,
    destination_password: PasswordSource,
    data: Path | None,
) -> None:
    """Retry an import, all imports of a batch, or all that the options choose, now.

    Imports that wait are tried immediately, and so are those that were stopped, while their passwords are
    kept (MAILHAUL_KEEP_PASSWORDS_DAYS). Any other import that has ended needs its passwords again: a new
    import then copies what is missing and what is new.

    With --failed-only, many imports are tried again where the installation opens both mailboxes by itself;
    of each other one it says whose password is needed.

    \b
    Example:
      mailhaul retry k3v9m2xw7abc
      mailhaul retry k3v9m2xw7abc --failed-only
      mailhaul retry --state waiting --reason server_unavailable
      mailhaul retry --owner ada@new.example --failed-only
    """
    given = source_password.given or destination_password.given
    if id_ is None or many.wanted.any:
        if given:
            raise Usage(argument_texts().gettext("Passwords belong to one import: name it."))
        action = BulkAction.RETRY_FAILED if failed_only else BulkAction.RETRY
        _change_imports(id_, many, action, data, as_json=False)
        return
    settings = Settings.load(data=data)
    words = console_texts(settings)
    with queued(settings) as deps:
        found = imports_of(deps, id_, words)
        if len(found) != 1:
            action = BulkAction.RETRY_FAILED if failed_only else BulkAction.RETRY
            ids = tuple(import_.id for import_ in found)
            for changed in carry_out(deps, action, ids, _rights(settings)):
                record_change(deps, operator(), action, changed)
                print_change(words, changed)
            return
        [import_] = found
        if failed_only:
            _require_failed(deps, words, import_)
        elif import_.state not in ENDED or not given:
            changed = control.resume(deps, import_.id)
            if changed.effect is not Effect.TOO_LATE:
                record_change(deps, operator(), BulkAction.RETRY, changed)
                print_change(words, changed)
                return
        actor = _rights(settings)
        submitted = _resubmitted(
            deps, actor, import_, source_password, destination_password, failed_only=failed_only
        )
        record_operator(deps, AuditAction.IMPORT_START, [submitted.import_.id])
        text_views.print_submitted_row(words, submitted)
        text_views.print_consent_links(words, consent_requests.links(deps, [submitted.import_]))


@click.command
@options.optional_import_or_batch_id
@many_options
@options.data
@options.as_json
def cancel(id_: str | None, many: Many, data: Path | None, as_json: bool) -> None:
    """Cancel an import, a batch, or all imports that the options choose, permanently.

    Passwords are erased. Messages that were copied stay. At a terminal, asks first.

    \b
    Example:
      mailhaul cancel k3v9m2xw7abc
      mailhaul cancel --batch k3v9m2xw7abc --state paused
    """
    _change_imports(id_, many, BulkAction.CANCEL, data, as_json=as_json)


def _rights(settings: Settings) -> Actor:
    """The operator. New imports keep the recipient and the language of the earlier ones."""
    return replace(console_actor(settings), notify="", language="")


def _require_failed(deps: Deps, words: CatalogTranslator, import_: Import) -> None:
    try:
        require_failed(deps, import_)
    except RetryRefused as refused:
        raise Usage(render_with_advice(refused.text, words)) from None


def _resubmitted(
    deps: Deps,
    actor: Actor,
    import_: Import,
    source_password: PasswordSource,
    destination_password: PasswordSource,
    *,
    failed_only: bool,
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
        failed_only=failed_only,
    )


def _change_imports(
    id_: str | None, many: Many, action: BulkAction, data: Path | None, *, as_json: bool
) -> None:
    """Change the named import, the imports of the named batch, or otherwise all that the options select. Exit
    code WAITING if it is impossible for any."""
    if id_ is not None and many.wanted.any:
        raise Usage(argument_texts().gettext("Give an ID, or options that choose imports; not both."))
    if id_ is None and not many.wanted.any:
        raise Usage(
            argument_texts().gettext(
                "Name an import or a batch, or choose imports by options such as --host."
            )
        )
    settings = Settings.load(data=data)
    words = console_texts(settings)
    with queued(settings) as deps:
        if id_ is None:
            change_many(deps, words, action, many, actor=_rights(settings), as_json=as_json)
            return
        imports = imports_of(deps, id_, words)
        if action is BulkAction.CANCEL and not many.yes and sys.stdin.isatty():
            confirm(deps, words, selection_of(action, imports))
        changes = [*carry_out(deps, action, tuple(import_.id for import_ in imports))]
        for changed in changes:
            record_change(deps, operator(), action, changed)
    if as_json:
        text_views.print_json([change_json(words, changed) for changed in changes])
    else:
        for changed in changes:
            print_change(words, changed)
    impossible = any(changed.effect is Effect.NOT_POSSIBLE for changed in changes)
    raise exit_with(ExitCode.WAITING if impossible else ExitCode.COMPLETE)
