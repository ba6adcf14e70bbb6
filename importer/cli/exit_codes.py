"""Exit codes and error output of the console."""

from __future__ import annotations

import sys
from typing import Final

import click
from rich.console import Console
from rich.markup import escape

from importer import telemetry
from importer.cli.argument_texts import argument_language, argument_texts
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import render_with_advice
from importer.i18n.translations import N_
from importer.ports.process import InstallationFault
from importer.settings import SettingsError

# In a file or pipe nothing wraps. Rich uses colours only at a terminal, and never with NO_COLOR.
stdout: Final = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
stderr: Final = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 10_000)

EXIT_CODES: Final = {
    ExitCode.COMPLETE: N_("complete"),
    ExitCode.REFUSALS: N_("finished, but some messages could not be copied"),
    ExitCode.USAGE: N_("invalid usage, settings or input; nothing was started"),
    ExitCode.LOGIN: N_("a host refused the login"),
    ExitCode.DESTINATION_FULL: N_("the destination is full"),
    ExitCode.WAITING: N_("waiting, or stopped for another reason"),
    ExitCode.INTERNAL: N_("internal error"),
}
"""Each exit code with its meaning, for the help."""


class Usage(Exception):
    """The caller has to change an argument, a setting or a file; `lines` hold one problem each."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def exit_with(code: ExitCode) -> click.exceptions.Exit:
    """The exception that ends the command with that code."""
    return click.exceptions.Exit(int(code))


def run(console: click.Command) -> int:
    """Run the console with the arguments of the process. Returns the exit code; errors are printed.

    Commands print their results. Below warnings, only workers log; they configure that themselves.
    """
    telemetry.configure(level="warning")
    if argument_language() != "en":
        from importer.cli.click_texts import translate_click  # noqa: PLC0415 - English needs none of it

        translate_click()
    try:
        result = console.main(prog_name="mailhaul", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return int(ExitCode.USAGE)
    except click.ClickException as error:
        _print_error(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            words = argument_texts()
            stderr.print(escape(words.gettext("Try `%(command)s --help`.", command=error.ctx.command_path)))
        return int(ExitCode.USAGE)
    except (Usage, SettingsError, InstallationFault) as error:
        for line in _lines(error):
            _print_error(line)
        return int(ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        said = argument_texts().gettext(
            "Interrupted. Messages that were copied stay; run the command again to continue."
        )
        stderr.print(f"\n{said}")
        return int(ExitCode.WAITING)
    except Exception as error:
        telemetry.get_logger().error("command.failed", exc_info=error)
        _print_error(
            argument_texts().gettext("Internal error in Mailhaul. Please report it with the log lines above.")
        )
        return int(ExitCode.INTERNAL)
    return result if isinstance(result, int) else int(ExitCode.COMPLETE)


def _lines(error: Usage | SettingsError | InstallationFault) -> list[str]:
    if isinstance(error, Usage):
        return str(error).splitlines()
    problems = error.problems if isinstance(error, SettingsError) else (error.text,)
    return [render_with_advice(problem, argument_texts()) for problem in problems]


def _print_error(message: str) -> None:
    stderr.print(f"[red]✗[/] {escape(message)}")
