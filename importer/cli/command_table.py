"""The commands by name. The module of a command is imported on use."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from importer.cli.argument_texts import argument_texts
from importer.cli.exit_codes import EXIT_CODES

_COMMANDS: Final = {
    "copy": "copy_commands.copy",
    "check": "check_command.check",
    "submit": "copy_commands.submit",
    "detect": "detect_command.detect",
    "batch": "batch_commands.batch",
    "template": "batch_commands.template",
    "list": "query_commands.list_",
    "show": "query_commands.show",
    "explain": "query_commands.explain",
    "watch": "query_commands.watch",
    "report": "query_commands.report",
    "evidence": "evidence_command.evidence",
    "verify": "verify_command.verify",
    "pause": "control_commands.pause",
    "resume": "control_commands.resume",
    "retry": "control_commands.retry",
    "cancel": "control_commands.cancel",
    "schedule": "schedule_command.schedule",
    "undo": "undo_command.undo",
    "top": "top_command.top",
    "hosts": "host_commands.hosts",
    "budgets": "host_commands.budgets",
    "maintenance": "maintenance_commands.maintenance",
    "drain": "maintenance_commands.drain",
    "doctor": "service_commands.doctor",
    "worker": "service_commands.worker",
    "web": "service_commands.web",
    "up": "service_commands.up",
    "migrate": "service_commands.migrate",
    "token": "token_commands.token",
    "session": "session_commands.session",
    "audit": "audit_command.audit",
    "data": "data_command.data",
    "keys": "keys_command.keys",
}
"""`module.function` below importer.cli, in the order of the help."""

COMMAND_NAMES: Final = tuple(_COMMANDS)


def load_command(name: str = "") -> click.Command | None:
    """The command of that name; None if there is no such command."""
    if name not in _COMMANDS:
        return None
    module, _, attribute = _COMMANDS[name].partition(".")
    command: click.Command = getattr(import_module(f"importer.cli.{module}"), attribute)
    return command


class _LazyGroup(click.Group):
    """Loads a command on use: importing all of them takes longer than the start of many copies."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMAND_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or load_command(cmd_name)

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        words = argument_texts()
        with formatter.section(words.gettext("Exit codes")):
            formatter.write_dl([(str(int(c)), words.gettext(said)) for c, said in EXIT_CODES.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click suggests registered commands only, and none is
            raise click.NoSuchCommand(error.command_name, possibilities=COMMAND_NAMES, ctx=ctx) from None


def _print_version(ctx: click.Context, _option: click.Parameter, requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        click.echo(f"mailhaul {version('mailhaul')}")
        ctx.exit()


@click.group(
    name="mailhaul",
    cls=_LazyGroup,
)
@click.option(
    "--version",
    is_flag=True,
    callback=_print_version,
    is_eager=True,
    expose_value=False,
    help="Show the version and exit.",
)
def console() -> None:
    """Copies whole mailboxes from any mail host into yours: nothing lost, nothing twice.

    `mailhaul COMMAND --help` shows the options of a command and an example.
    """
