"""The commands. Each is a few lines: read what was given, call a use case, show what came of it."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Final

import typer

_COMMANDS: Final = {
    "copy": "copy_commands.copy",
    "check": "check_command.check",
    "submit": "copy_commands.submit",
    "detect": "detect_command.detect",
    "batch": "batch_commands.batch",
    "template": "batch_commands.template",
    "list": "query_commands.list_",
    "show": "query_commands.show_",
    "explain": "query_commands.explain",
    "watch": "query_commands.watch",
    "report": "query_commands.report",
    "pause": "control_commands.pause",
    "resume": "control_commands.resume",
    "retry": "control_commands.retry",
    "cancel": "control_commands.cancel",
    "undo": "undo_command.undo",
    "doctor": "service_commands.doctor",
    "worker": "service_commands.worker",
    "web": "service_commands.web",
    "up": "service_commands.up",
    "migrate": "service_commands.migrate",
    "token": "token_commands.app",
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
