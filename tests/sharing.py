"""Distribution of the tests among the workers of pytest-xdist.

A worker receives whole files, so that module fixtures are set up once. A few large files are divided by one
of their parameters. The slowest files are scheduled first, so that none of them delays the end of the run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

LONGEST_FIRST: Final = (
    "tests/contract/test_session.py",
    "tests/integration/test_kill.py",
    "tests/integration/test_drill.py",
    "tests/browser/test_control.py",
    "tests/integration/test_byte_faults.py",
    "tests/browser/test_pages.py",
    "tests/integration/test_console.py",
    "tests/integration/test_batch.py",
    "tests/integration/test_mid_run.py",
    "tests/integration/test_token_login.py",
    "tests/integration/test_deploy.py",
    "tests/integration/test_mixed_batch.py",
    "tests/integration/test_master_login.py",
    "tests/browser/test_options.py",
    "tests/integration/test_cyrus.py",
    "tests/browser/test_consent.py",
    "tests/integration/test_rehearsal.py",
    "tests/integration/test_secrets.py",
    "tests/integration/test_host_pauses.py",
    "tests/integration/test_drips.py",
    "tests/integration/test_label_choices.py",
    "tests/integration/test_full_disk.py",
    "tests/integration/test_into_by_token.py",
    "tests/browser/test_openid.py",
    "tests/browser/test_into_microsoft.py",
    "tests/browser/test_file.py",
    "tests/contract/test_store.py",
    "tests/integration/test_slow_lines.py",
    "tests/property/test_promise.py",
)
"""Files that take more than a few seconds, slowest first."""

DIVIDED: Final[Mapping[str, re.Pattern[str]]] = {
    "tests/integration/test_kill.py": re.compile(r"\w+"),
}
"""Patterns that divide a file: tests with the same match in their id run on the same worker."""


def share_of(nodeid: str) -> str:
    """The name of a test's share. The tests of a share run one after the other on one worker."""
    file, _, rest = nodeid.partition("::")
    if (pattern := DIVIDED.get(file)) and (match := pattern.search(rest)):
        return f"{file} {match[0]}"
    return file


def rank(nodeid: str) -> int:
    """The sort key of a test: lower ranks are scheduled first."""
    file = nodeid.partition("::")[0]
    return LONGEST_FIRST.index(file) if file in LONGEST_FIRST else len(LONGEST_FIRST)


class Sharing(LoadScopeScheduling):  # type: ignore[misc] # untyped library
    """Schedules shares in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


# --- Hooks ---------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Sharing:
    config.option.loadscopereorder = False
    return Sharing(config, log)
