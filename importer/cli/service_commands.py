"""`doctor`, `worker`, `web`, `up`, `migrate`: running an installation."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click
from rich.markup import escape
from rich.text import Text

from importer import telemetry
from importer.bootstrap import embedded_queue, process_name
from importer.cli import options, text_views
from importer.cli.console_language import console_texts
from importer.cli.exit_codes import Usage, exit_with, stderr, stdout
from importer.cli.import_list import wrapped
from importer.domain.reporting.report import ExitCode
from importer.i18n.code_texts import advice, render
from importer.i18n.doctor_parts import PART_NAMES, part_name
from importer.inspection import migrate_database
from importer.ports.process import InstallationFault
from importer.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import Processor

    from importer.doctor import Health
    from importer.metrics import ProcessMetrics

RESTART_DELAY_S: Final = 2.0
STOP_TIMEOUT_S: Final = 26.0
"""Timeout for all children together; a worker ends within 25 seconds of a signal."""
MOST_WORKERS: Final = 16
_POLL_INTERVAL_S: Final = 0.2

_SYMBOLS: Final = {"well": "[green]✓[/]", "odd": "[yellow]![/]", "ill": "[red]✗[/]"}


@click.command
@click.option(
    "--only",
    metavar="PART",
    multiple=True,
    help=f"Check only this part; may be repeated. [{', '.join(PART_NAMES)}]",
)
@options.language
@options.data
@options.as_json
def doctor(only: tuple[str, ...], language: str | None, data: Path | None, as_json: bool) -> None:
    """Check the installation and say how to fix each problem.

    Checks the database, the disk, the queue, the workers, the key, the mail server, the outbox, the
    destination and the certificates.

    \b
    Example:
      mailhaul doctor --only database --only queue
    """
    from importer.doctor import PARTS, Health, examine

    settings = Settings.load(data=data, language=language)
    words = console_texts(settings)
    if unknown := sorted(set(only) - set(PARTS)):
        no_part = words.gettext(
            "there is no part “%(name)s”; the parts are %(parts)s.", name=unknown[0], parts=", ".join(PARTS)
        )
        raise Usage(f"--only: {no_part}")
    findings = examine(settings, only)
    said = [(f, render(f.text, words), advice(f.text, words)) for f in findings]
    if as_json:
        facts = [
            {"part": f.part, "health": f.health.value, "message": message, "fix": fix}
            for f, message, fix in said
        ]
        text_views.print_json(facts)
    else:
        for finding, message, fix in said:
            name = f"{part_name(words, finding.part)}{words.colon}"
            stdout.print(_finding_lines(name, finding.health, message, fix))
    failed = any(finding.health is Health.ERROR for finding in findings)
    raise exit_with(ExitCode.WAITING if failed else ExitCode.COMPLETE)


def _finding_lines(name: str, health: Health, message: str, fix: str) -> Text:
    """The finding, and the advice below it, each wrapped after its sign."""
    part, sign = Text(name, style="bold"), Text.from_markup(_SYMBOLS[health.value])
    first, *others = wrapped(f"{part} {message}", stdout.width)
    lines = [Text.assemble(sign, " ", part, first[2 + len(part) :]), *others]
    for number, line in enumerate(wrapped(fix, stdout.width, "      ") if fix else ()):
        lines.append(line if number else Text.assemble("    → ", line[6:]))
    return Text("\n").join(lines)


_metrics_option: Final = click.option(
    "--metrics-listen",
    metavar="HOST:PORT",
    help="Address for metrics and health. [env: MAILHAUL_METRICS_LISTEN]",
)


@click.command
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    metavar="NUMBER",
    help="Imports at the same time, 1 to 64. [env: MAILHAUL_WORKER_THREADS]",
)
@_metrics_option
@options.data
def worker(threads: int | None, metrics_listen: str | None, data: Path | None) -> None:
    """Work on queued imports until stopped.

    Any number of workers can share a database, also from several machines.

    \b
    Example:
      mailhaul worker --threads 8
    """
    settings = Settings.load(data=data, worker_threads=threads, metrics_listen=metrics_listen)
    name = process_name()
    metrics = _log_and_metrics(settings, worker=name)
    from importer.worker import run

    run(settings, metrics, name=name)


@click.command
@click.option("--listen", metavar="HOST:PORT", help="Address to serve on. [env: MAILHAUL_WEB_LISTEN]")
@_metrics_option
@options.data
def web(listen: str | None, metrics_listen: str | None, data: Path | None) -> None:
    """Serve the web pages and the API until stopped.

    Users sign in with a mailbox at MAILHAUL_DESTINATION_SERVER.

    \b
    Example:
      mailhaul web --listen 127.0.0.1:8025
    """
    settings = Settings.load(data=data, web_listen=listen, metrics_listen=metrics_listen)
    metrics = _log_and_metrics(settings)
    from importer.web.serve import serve

    serve(settings, metrics)


@click.command
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    metavar="NUMBER",
    default=None,
    help="Worker processes, 1 to 16; by default one for each processor.",
)
@options.data
def up(workers: int | None, data: Path | None) -> None:
    """Run queue, database, workers and web pages on one machine.

    The web pages are served only if MAILHAUL_DESTINATION_SERVER is set.

    \b
    Example:
      mailhaul up --workers 2
    """
    settings = Settings.load(data=data)
    telemetry.configure(settings.log_format, settings.log_level)
    stop_signals: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stop_signals.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    workers = workers or min(MOST_WORKERS, processors())
    commands = [_command("worker", settings, place) for place in range(1, workers + 1)]
    words = console_texts(settings)
    pages = words.gettext("No web pages, since MAILHAUL_DESTINATION_SERVER is not set.")
    if settings.destination_server is not None:
        from importer.web.listening import listening_socket

        listening_socket(settings.web_listen).close()  # before anything runs: taken ports end the command
        commands.append(_command("web", settings, 0))
        pages = words.gettext("Web pages: %(url)s", url=settings.web_origin)
    with embedded_queue(settings):
        children = [_Child(command) for command in commands]
        running = words.ngettext(
            "Mailhaul is running with %(num)s worker.", "Mailhaul is running with %(num)s workers.", workers
        )
        place = words.gettext("Data: %(folder)s", folder=settings.data_dir())
        stop_ = words.gettext("Ctrl-C stops it.")
        stderr.print(escape(f"{running} {stop_}\n{pages}\n{place}"), soft_wrap=True)
        while not stop_signals:
            time.sleep(_POLL_INTERVAL_S)
            for child in children:
                if not stop_signals:
                    child.restart_if_ended()
        for child in children:
            child.process.terminate()
        until_s = time.monotonic() + STOP_TIMEOUT_S
        for child in children:
            child.wait_or_kill(until_s)


@click.command
@options.data
def migrate(data: Path | None) -> None:
    """Create the database schema or upgrade it to this version.

    \b
    Example:
      MAILHAUL_DATABASE_URL=postgresql://mailhaul@db/mailhaul mailhaul migrate
    """
    settings = Settings.load(data=data)
    words = console_texts(settings)
    try:
        migrate_database(settings)
    except InstallationFault:
        raise
    except Exception as error:
        raise Usage(words.gettext("The database cannot be migrated: %(reason)s", reason=error)) from None
    stderr.print(words.gettext("The database schema is up to date."))


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _command(name: str, settings: Settings, place: int) -> list[str]:
    """The command of a child. `place` is added to its metrics port."""
    command = [sys.executable, "-m", "importer.cli", name, "--data", str(settings.data_dir())]
    if not settings.metrics_listen:
        return command
    host, port = _host_and_port(settings.metrics_listen)
    return [*command, "--metrics-listen", f"{f'[{host}]' if ':' in host else host}:{port + place}"]


def _host_and_port(address: str) -> tuple[str, int]:
    parts = urlsplit(f"//{address}")
    return parts.hostname or "127.0.0.1", parts.port or 0


def _log_and_metrics(settings: Settings, **fields: str) -> ProcessMetrics | None:
    """Configure the log, whose lines have host, version and `fields`. Counts its events if metrics are
    served, and exports traces if an endpoint is set."""
    fields |= {"host": socket.gethostname(), "version": version("mailhaul")}
    metrics = None
    observers = _traces(settings, fields)
    if settings.metrics_listen:
        from importer.metrics import ProcessMetrics

        metrics = ProcessMetrics(*_host_and_port(settings.metrics_listen))
        observers.append(metrics.observer)
    telemetry.configure(settings.log_format, settings.log_level, observers=observers, fields=fields)
    return metrics


def _traces(settings: Settings, fields: Mapping[str, str]) -> list[Processor]:
    """The exporter of import events as traces, if an endpoint is set."""
    if not settings.otlp_endpoint and not any(map(os.environ.get, _OTLP_VARIABLES)):
        return []
    try:
        from importer.tracing import traces_to
    except ModuleNotFoundError as error:
        words = console_texts(settings)
        missing = words.gettext(
            "Traces need the extra “otlp” (%(package)s is missing): pip install 'mailhaul[otlp]'.",
            package=error.name or "opentelemetry",
        )
        raise Usage(missing) from None
    traces = traces_to(settings.otlp_endpoint, fields, partial(telemetry.mask, None, ""))
    atexit.register(traces.flush)
    return [traces]


_OTLP_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class _Child:
    """A process that `up` keeps running."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self.process = subprocess.Popen(command)  # noqa: S603

    def restart_if_ended(self) -> None:
        if self.process.poll() is not None:
            telemetry.get_logger().error(
                "worker.ended", pid=self.process.pid, exit_code=self.process.returncode
            )
            time.sleep(RESTART_DELAY_S)
            self.process = subprocess.Popen(self._command)  # noqa: S603

    def wait_or_kill(self, until_s: float) -> None:
        """Kill it unless it ends before `until_s` of the monotonic clock."""
        try:
            self.process.wait(max(0.0, until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
