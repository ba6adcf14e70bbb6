"""`pause`, `resume`, `retry`, `cancel`: what a person can do with imports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from importer.bootstrap import queued
from importer.cli import mailbox_options, text_views
from importer.cli.exit_codes import Usage, ends, stdout
from importer.cli.options import (
    DataOption,
    FromPasswordEnv,
    FromPasswordFile,
    ImportOrBatch,
    Json,
    ToPasswordEnv,
    ToPasswordFile,
)
from importer.cli.query_commands import found_imports
from importer.domain.import_state import ENDED
from importer.domain.model import ImportId
from importer.domain.people.batch_right import right_of_console
from importer.domain.reporting.report import ExitCode
from importer.service.access import owner_consent
from importer.service.access.sealed_grants import sign_in
from importer.service.deps import Deps
from importer.service.imports import control
from importer.service.imports.control import Changed, Effect
from importer.service.imports.submit import resubmit
from importer.service.queries import find_import
from importer.settings import Settings

_MARKS: Final = {
    Effect.DONE: "[green]✓[/]",
    Effect.SOON: "[green]…[/]",
    Effect.TOO_LATE: "[yellow]![/]",
    Effect.NOT_POSSIBLE: "[red]✗[/]",
}


def pause(id_: ImportOrBatch, data: DataOption = None, as_json: Json = False) -> None:
    """Pause an import or a batch: the messages in hand are stored, then nothing is done until `resume`.

    Example: mailhaul pause k3v9m2xw7abc
    """
    _each(id_, control.pause, data, as_json=as_json)


def resume(id_: ImportOrBatch, data: DataOption = None, as_json: Json = False) -> None:
    """Let a paused import or batch go on; one that waits tries again at once.

    Example: mailhaul resume k3v9m2xw7abc
    """
    _each(id_, control.resume, data, as_json=as_json)


def retry(
    id_: Annotated[str, typer.Argument(metavar="ID", help="An import's id.")],
    from_password_file: FromPasswordFile = None,
    from_password_env: FromPasswordEnv = None,
    to_password_file: ToPasswordFile = None,
    to_password_env: ToPasswordEnv = None,
    data: DataOption = None,
) -> None:
    """Try an import again now. One that has ended needs its passwords anew: a new import then brings what
    is missing and what is new.

    Example: mailhaul retry k3v9m2xw7abc
    """
    with queued(Settings.load(data=data)) as deps:
        import_ = find_import(deps, id_)
        can = sign_in(deps.access, organisation=True)
        if import_ is None:
            raise Usage(f"There is no import {id_}; `mailhaul list` shows what there is.")
        if import_.state not in ENDED:
            changed = control.resume(deps, import_.id)
            if changed.effect is not Effect.TOO_LATE:
                _tell(changed)
                return
        right = right_of_console(deps.master)
        source, out = mailbox_options.way_out(import_.source, from_password_file, from_password_env, can)
        destination, into = mailbox_options.way_in(
            import_.destination, to_password_file, to_password_env, can, right
        )
        placed = resubmit(
            deps,
            import_,
            source,
            destination,
            source_sign_in=out,
            destination_sign_in=into,
            organisation=True,
            right=right,
        )
        text_views.placed(placed)
        text_views.links(owner_consent.links(deps, [placed.import_]))


def cancel(id_: ImportOrBatch, data: DataOption = None, as_json: Json = False) -> None:
    """End an import or a batch for good. Its passwords are erased; what was copied stays.

    Example: mailhaul cancel k3v9m2xw7abc
    """
    _each(id_, control.cancel, data, as_json=as_json)


def _each(id_: str, change: Callable[[Deps, ImportId], Changed], data: DataOption, *, as_json: bool) -> None:
    """Does it to each import, and shows what came of it; exit code 5 when it was not possible for some."""
    with queued(Settings.load(data=data)) as deps:
        changed = [change(deps, import_.id) for import_ in found_imports(deps, id_)]
    if as_json:
        text_views.print_json([_json(one) for one in changed])
    else:
        for one in changed:
            _tell(one)
    impossible = any(one.effect is Effect.NOT_POSSIBLE for one in changed)
    raise ends(ExitCode.WAITING if impossible else ExitCode.COMPLETE)


def _tell(one: Changed) -> None:
    stdout.print(
        f"{_MARKS[one.effect]} {text_views.plain(one.import_.source.address)}  [bold]{one.import_.id}[/]  "
        f"{text_views.plain(one.message)}",
        soft_wrap=True,
    )


def _json(one: Changed) -> dict[str, object]:
    return {
        "id": one.import_.id,
        "state": one.import_.state.value,
        "effect": one.effect.value,
        "message": one.message,
    }
