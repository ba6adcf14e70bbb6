"""The time comes from the Clock port, which tests replace. Who reads it elsewhere says why."""

from __future__ import annotations

import re
from pathlib import Path

import importer

PRODUCT = Path(importer.__file__).parent
READS = re.compile(r"datetime\.now\(|date\.today\(|time\.time\(|time\.monotonic|perf_counter|time\.sleep")

SOCKETS = "timeouts of real sockets"
PROCESS = "waits for another process"
ALLOWED = {
    "system_clock.py": "the clock itself",
    "adapters/egress_guard.py": SOCKETS,
    "adapters/guarded_https.py": SOCKETS,
    "adapters/imap/connect_watchdog.py": SOCKETS,
    "adapters/imap/deflate.py": "measures the throughput of a socket",
    "adapters/imap/factory.py": "the default where no clock is passed",
    "adapters/imap/fallbacks.py": "the default where no clock is passed",
    "adapters/imap/fetch.py": SOCKETS,
    "adapters/imap/login_limiter.py": "the default where no clock is passed",
    "adapters/imap/reconnecting.py": "pauses before a new connection",
    "adapters/imap/stall_watchdog.py": SOCKETS,
    "adapters/lookup/https_fetcher.py": SOCKETS,
    "adapters/queue/embedded_valkey.py": PROCESS,
    "adapters/store/database.py": "SQLite has no clock of its own; PostgreSQL is asked for its own",
    "adapters/store/group_commit.py": "the age of a group of transactions, within milliseconds",
    "adapters/store/limited_connection.py": SOCKETS,
    "adapters/store/sql_engine.py": PROCESS,
    "adapters/webhook_sender.py": SOCKETS,
    "cli/live_watch.py": "draws for a person",
    "cli/top_command.py": "draws for a person",
    "cli/service_commands.py": PROCESS,
    "exit_watchdog.py": "ends a process that hangs",
    "ports/work_limit.py": "the default where no clock is passed",
    "remembered.py": "the age of an answer",
    "service/access/draft_sign_in.py": "tokens of providers end by the monotonic clock",
    "web/pages/source_check.py": "waits in an event loop",
    "web/serve.py": "the age of a cache of this process",
}


def test_the_time_is_read_from_its_port() -> None:
    reading = {
        str(path.relative_to(PRODUCT)) for path in PRODUCT.rglob("*.py") if READS.search(path.read_text())
    }
    assert reading == ALLOWED.keys()
