"""`pause`, `resume`, `cancel`: what a person can do with imports that are under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from importer.bootstrap import queued
from importer.cli import show
from importer.cli.exits import ends, stdout
from importer.cli.looking import found_imports
from importer.cli.options import Data, ImportOrBatch, Json
from importer.domain.model import ImportId
from importer.domain.report import ExitCode
from importer.service import control
from importer.service.control import Changed, Effect
from importer.service.deps import Deps
from importer.settings import Settings

_MARKS: Final = {
    Effect.DONE: "[green]✓[/]",
    Effect.SOON: "[green]…[/]",
    Effect.TOO_LATE: "[yellow]![/]",
    Effect.NOT_POSSIBLE: "[red]✗[/]",
}


def pause(id_: ImportOrBatch, data: Data = None, as_json: Json = False) -> None:
    """Pause an import or a batch: the messages in hand are stored, then nothing is done until `resume`.

    Example: mailferry pause k3v9m2xw7abc
    """
    _each(id_, control.pause, data, as_json=as_json)


def resume(id_: ImportOrBatch, data: Data = None, as_json: Json = False) -> None:
    """Let a paused import or batch go on; one that waits tries again at once.

    Example: mailferry resume k3v9m2xw7abc
    """
    _each(id_, control.resume, data, as_json=as_json)


def cancel(id_: ImportOrBatch, data: Data = None, as_json: Json = False) -> None:
    """End an import or a batch for good. Its passwords are erased; what was copied stays.

    Example: mailferry cancel k3v9m2xw7abc
    """
    _each(id_, control.cancel, data, as_json=as_json)


def _each(id_: str, change: Callable[[Deps, ImportId], Changed], data: Data, *, as_json: bool) -> None:
    """Does it to each import, and shows what came of it; exit code 5 when it was not possible for some."""
    with queued(Settings.load(data=data)) as deps:
        changed = [change(deps, import_.id) for import_ in found_imports(deps, id_)]
    if as_json:
        show.print_json([_json(one) for one in changed])
    else:
        for one in changed:
            stdout.print(
                f"{_MARKS[one.effect]} {show.plain(one.import_.source.address)}  [bold]{one.import_.id}[/]  "
                f"{show.plain(one.message)}",
                soft_wrap=True,
            )
    impossible = any(one.effect is Effect.NOT_POSSIBLE for one in changed)
    raise ends(ExitCode.WAITING if impossible else ExitCode.COMPLETE)


def _json(one: Changed) -> dict[str, object]:
    return {
        "id": one.import_.id,
        "state": one.import_.state.value,
        "effect": one.effect.value,
        "message": one.message,
    }
