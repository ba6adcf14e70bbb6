"""How the console ends, and how it tells what went wrong.

0 complete          1 finished, with messages that could not be copied
2 usage             3 a host does not let us in
4 destination full  5 waiting, or stopped for something else
6 our own fault
"""

from __future__ import annotations

import sys
from typing import Final

import typer
from rich.console import Console
from rich.markup import escape

from importer import telemetry
from importer.domain.reporting.report import ExitCode
from importer.ports.process import InstallationFault
from importer.settings import SettingsError

# Piped into a file or another program, tables need no narrow columns.
stdout: Final = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
stderr: Final = Console(stderr=True, highlight=False)


class Usage(Exception):
    """Something that the caller has to write differently; `lines` say what, one problem each."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def ends(code: ExitCode) -> typer.Exit:
    """To raise: the command ends with that code."""
    return typer.Exit(int(code))


def run(app: typer.Typer) -> int:
    """Runs the console and turns whatever comes out into an exit code and words.

    Commands tell their users what matters; the log is for workers, who set it up themselves.
    """
    telemetry.configure(level="warning")
    try:
        result = app(prog_name="mailhaul", standalone_mode=False)
    except typer.TyperException as error:
        if not error.format_message():  # the help was asked for, by saying nothing, and is printed
            return int(ExitCode.USAGE)
        stderr.print(f"[red]✗[/] {escape(error.format_message())}")
        if (context := getattr(error, "ctx", None)) is not None:
            stderr.print(f"Try `{escape(context.command_path)} --help`.")
        return int(ExitCode.USAGE)
    except (Usage, SettingsError, InstallationFault) as error:
        for line in str(error).splitlines():
            stderr.print(f"[red]✗[/] {escape(line)}")
        return int(ExitCode.USAGE)
    except (KeyboardInterrupt, typer.Abort):
        stderr.print("\nBroken off. What is copied stays; run it again and it goes on from there.")
        return int(ExitCode.WAITING)
    except Exception as error:
        telemetry.get_logger().error("command.failed", exc_info=error)
        stderr.print("[red]✗[/] Something went wrong inside Mailhaul; the lines above are for its makers.")
        return int(ExitCode.INTERNAL)
    return result if isinstance(result, int) else int(ExitCode.COMPLETE)
