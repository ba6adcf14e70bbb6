"""Serve the pages and the API: one process with one event loop, and threads for blocking calls."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urlsplit

import uvicorn

from importer.bootstrap import directory, queued
from importer.settings import Settings
from importer.web.app import create_app
from providers.bulk_discovery import BulkDiscovery

LOOKUPS_LIFETIME_S: Final = 600.0


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


def serve(settings: Settings) -> None:
    """Serve until stopped by SIGTERM or SIGINT. Raises SettingsError, Unusable."""
    listen = urlsplit(f"//{settings.web_listen}")
    with queued(settings) as deps:
        uvicorn.run(
            create_app(deps, settings, Lookups(settings)),
            host=listen.hostname or "127.0.0.1",
            port=listen.port or 0,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=settings.web_proxies,
            timeout_graceful_shutdown=3,  # browsers reconnect to the progress streams
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=32 * 1024,
        )
