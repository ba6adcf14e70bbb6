"""`doctor`, `worker`, `up`, `migrate`: the machinery, which the other commands need not wait for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Annotated, Final

import typer

from importer import telemetry
from importer.bootstrap import embedded_queue, migrate_database
from importer.cli import text_views
from importer.cli.exit_codes import Usage, ends, stderr, stdout
from importer.cli.options import DataOption, Json
from importer.domain.reporting.report import ExitCode
from importer.settings import Settings

RESTART_WAIT_S: Final = 2.0
STOP_TIMEOUT_S: Final = 75.0

_MARKS: Final = {"well": "[green]✓[/]", "odd": "[yellow]![/]", "ill": "[red]✗[/]"}


def doctor(
    only: Annotated[
        list[str] | None, typer.Option(help="Look at this part alone; may be given several times.")
    ] = None,
    data: DataOption = None,
    as_json: Json = False,
) -> None:
    """Check database, queue, key, mail server and destination, and say how to mend each.

    Example: mailhaul doctor --only database --only queue
    """
    from importer.doctor import PARTS, Health, examine

    if unknown := sorted(set(only or ()) - set(PARTS)):
        raise Usage(f"“{unknown[0]}” is no part that the doctor looks at; they are {', '.join(PARTS)}.")
    findings = examine(Settings.load(data=data), only or ())
    if as_json:
        facts = [
            {"part": f.part, "health": f.health.value, "message": f.message, "fix": f.fix} for f in findings
        ]
        text_views.print_json(facts)
    else:
        for finding in findings:
            message = text_views.plain(finding.message, 600)
            stdout.print(f"{_MARKS[finding.health.value]} [bold]{finding.part}[/]  {message}")
            if finding.fix:
                stdout.print(f"    → {text_views.plain(finding.fix, 600)}")
    failed = any(finding.health is Health.ERROR for finding in findings)
    raise ends(ExitCode.WAITING if failed else ExitCode.COMPLETE)


def worker(
    threads: Annotated[
        int | None, typer.Option(help="Imports at a time \\[env: MAILHAUL_WORKER_THREADS].", min=1, max=64)
    ] = None,
    data: DataOption = None,
) -> None:
    """Work on imports until stopped; start as many as you like, on as many machines as share the database.

    Example: mailhaul worker --threads 8
    """
    settings = Settings.load(data=data, worker_threads=threads)
    telemetry.configure(settings.log_format, settings.log_level)
    from importer.worker import run

    run(settings)


def web(
    listen: Annotated[
        str | None, typer.Option(help="HOST:PORT to serve on \\[env: MAILHAUL_WEB_LISTEN].")
    ] = None,
    data: DataOption = None,
) -> None:
    """Serve the web pages until stopped. People sign in with a mailbox at MAILHAUL_DESTINATION_SERVER.

    Example: mailhaul web --listen 127.0.0.1:8025
    """
    settings = Settings.load(data=data, web_listen=listen)
    telemetry.configure(settings.log_format, settings.log_level)
    from importer.web.serve import serve

    serve(settings)


def up(
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1, max=16)] = 1,
    data: DataOption = None,
) -> None:
    """Run everything that one machine needs, in one process tree: queue, database, workers, web pages.

    The pages are served where MAILHAUL_DESTINATION_SERVER is set.

    Example: mailhaul up --workers 2
    """
    settings = Settings.load(data=data)
    telemetry.configure(settings.log_format, settings.log_level)
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    commands = [_command("worker", settings)] * workers
    pages = "; no pages, since MAILHAUL_DESTINATION_SERVER is not set"
    if settings.destination_server is not None:
        commands.append(_command("web", settings))
        pages = f", pages at {settings.web_origin}"
    with embedded_queue(settings):
        children = [(subprocess.Popen(command), command) for command in commands]  # noqa: S603
        stderr.print(
            f"Mailhaul is up: {workers} worker(s){pages}. Data in {settings.data_dir()}. Ctrl-C ends it."
        )
        while not stopping:
            time.sleep(0.2)
            children = [
                (child if child.poll() is None else _restarted(child, command), command)
                for child, command in children
            ]
        for child, _ in children:
            child.terminate()
        for child, _ in children:
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()


def migrate(data: DataOption = None) -> None:
    """Create the database's schema or bring it up to date.

    Example: MAILHAUL_DATABASE_URL=postgresql://mailhaul@db/mailhaul mailhaul migrate
    """
    settings = Settings.load(data=data)
    settings.data_dir()
    try:
        migrate_database(settings)
    except Exception as error:
        raise Usage(f"The database cannot be migrated: {error}") from None
    stderr.print("The database's schema is up to date.")


def _command(name: str, settings: Settings) -> list[str]:
    return [sys.executable, "-m", "importer.cli", name, "--data", str(settings.data_dir())]


def _restarted(child: subprocess.Popen[bytes], command: list[str]) -> subprocess.Popen[bytes]:
    """A worker that ended by itself is started again, after a breath."""
    telemetry.get_logger().error("worker.ended", pid=child.pid, exit_code=child.returncode)
    time.sleep(RESTART_WAIT_S)
    return subprocess.Popen(command)  # noqa: S603
