"""The commands. Each is a few lines: read what was given, call a use case, show what came of it."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Final

import typer

_COMMANDS: Final = {
    "copy": "copies.copy",
    "check": "checks.check",
    "submit": "copies.submit",
    "detect": "detecting.detect",
    "batch": "batches.batch",
    "template": "batches.template",
    "list": "looking.list_",
    "show": "looking.show_",
    "explain": "looking.explain",
    "watch": "looking.watch",
    "report": "looking.report",
    "pause": "controls.pause",
    "resume": "controls.resume",
    "retry": "controls.retry",
    "cancel": "controls.cancel",
    "undo": "undoing.undo",
    "doctor": "services.doctor",
    "worker": "services.worker",
    "web": "services.web",
    "up": "services.up",
    "migrate": "services.migrate",
    "token": "tokens.app",
}
"""Where each command is, below importer.cli."""


def console(asked: str = "") -> typer.Typer:
    """The console with all its commands, or with the one that is `asked` for alone: to import what the
    others need takes longer than it takes many a copy to start."""
    app = typer.Typer(
        name="mailhaul",
        help=(
            "Copies whole mailboxes from any mail host into yours: nothing lost, nothing twice.\n\n"
            "Exit codes: 0 complete, 1 finished with messages that could not be copied, 2 usage, "
            "3 login refused, 4 destination full, 5 waiting or stopped for something else, 6 internal."
        ),
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
    )
    app.callback(no_args_is_help=True)(_everywhere)
    for name in (asked,) if asked in _COMMANDS else _COMMANDS:
        module, _, function = _COMMANDS[name].partition(".")
        command = getattr(import_module(f"importer.cli.{module}"), function)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mailhaul {version('mailhaul')}")
        raise typer.Exit


def _everywhere(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass
