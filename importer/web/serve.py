"""Serve the pages and the API: one process with one event loop, and threads for blocking calls."""

from __future__ import annotations

import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from importer.bootstrap import directory, queued
from importer.exit_watchdog import ExitWatchdog
from importer.inspection import observed
from importer.settings import Settings
from importer.web.app import create_app
from importer.web.listening import listening_socket
from importer.web.slow_clients import impatient_protocol
from providers.bulk_discovery import BulkDiscovery

if TYPE_CHECKING:
    from importer.metrics import ProcessMetrics

LOOKUPS_LIFETIME_S: Final = 600.0
STOP_TIMEOUT_S: Final = 10.0
"""After a signal to end; requests get three seconds, and the rest is for threads that wait for mail hosts."""


class Lookups:
    """Returns one directory for all requests, and replaces it every ten minutes because mail servers move."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._directory = directory(settings)
        self._since_s = time.monotonic()

    def __call__(self) -> BulkDiscovery:
        if time.monotonic() - self._since_s > LOOKUPS_LIFETIME_S:
            self._directory, self._since_s = directory(self._settings), time.monotonic()
        return self._directory


def serve(settings: Settings, metrics: ProcessMetrics | None = None) -> None:
    """Serve until stopped by SIGTERM or SIGINT. Raises SettingsError, InstallationFault."""
    with listening_socket(settings.web_listen) as listener, queued(settings) as deps:
        app = create_app(deps, settings, Lookups(settings))
        if metrics is not None:
            metrics.serve(observed(settings, deps))
        proxies = ProxyHeadersMiddleware(cast("Any", app), settings.web_proxies).trusted_hosts
        config = uvicorn.Config(
            cast("Any", app),
            http=impatient_protocol(proxies.__contains__),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=settings.web_proxies,
            timeout_graceful_shutdown=3,  # browsers reconnect to the progress streams
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=32 * 1024,
        )
        _Server(config, ExitWatchdog(STOP_TIMEOUT_S)).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends in time even if threads of requests wait for mail hosts: at exit, Python would wait for them."""

    def __init__(self, config: uvicorn.Config, watchdog: ExitWatchdog) -> None:
        super().__init__(config)
        self._watchdog = watchdog

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._watchdog.arm()
        super().handle_exit(sig, frame)
