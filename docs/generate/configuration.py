"""docs/configuration.md, from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from docs.generate.markdown import table
from importer.settings import Settings

_INTRODUCTION: Final = """\
# Configuration

Made from `importer/settings` by `make document`.

Settings are environment variables, read when a process starts. An empty variable counts as not set. Wrong values are
reported together. Each variable may be a file instead, so that secrets are in no environment: see `MAILHAUL_SECRETS_DIR`.

**One machine** needs no configuration: `mailhaul up` runs an embedded Valkey, one or more workers and the pages, and keeps
its state in a SQLite file. Most installations need `MAILHAUL_DESTINATION_SERVER` and `MAILHAUL_SMTP_URL`; without the
latter no mail is sent, and the reports are available all the same.

**Several machines, or many mailboxes**: put the state into PostgreSQL and the queue into Redis or Valkey, run
`mailhaul migrate` once, and start as many `mailhaul worker` as you like. All of them, and the console, need the same
`MAILHAUL_DATABASE_URL`, `MAILHAUL_REDIS_URL` and `MAILHAUL_SECRET_KEY`. The database is the truth and the queue is only a
doorbell: an emptied or lost queue costs a few seconds. Any worker replaces one that is killed, and checks what had arrived
before it sends anything again. Two imports into the same mailbox take turns.

**Private networks**: a server that is named at the console may be anywhere. A server that was found from an address, or
that is named on a page, is reached at public addresses only; `MAILHAUL_ALLOWED_NETWORKS` opens private networks for it.
"""


def render() -> str:
    """The whole page."""
    return "\n".join((_INTRODUCTION, *_settings())) + "\n"


def _settings() -> Iterator[str]:
    rows = [(f"`{variable}`", default, meaning) for variable, default, meaning in Settings.table()]
    yield from table(("variable", "default", "meaning"), rows)
