"""How the tests are shared out among the workers of pytest-xdist.

A worker gets whole files, so that what a module sets up is set up once. A few large files are divided by one
of their parameters. Whatever takes longest comes first, so that no worker is left alone with it at the end.
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
"""Files in the order of what they take, with what takes more than some seconds."""

DIVIDED: Final[Mapping[str, re.Pattern[str]]] = {
    "tests/integration/test_kill.py": re.compile(r"\w+"),
}
"""What divides a file: tests for which the pattern finds the same words go to one worker together."""


def share_of(nodeid: str) -> str:
    """The tests of one share run on one worker, one after the other."""
    file, _, rest = nodeid.partition("::")
    if (pattern := DIVIDED.get(file)) and (found := pattern.search(rest)):
        return f"{file} {found[0]}"
    return file


def rank(nodeid: str) -> int:
    """Lower ones come first."""
    file = nodeid.partition("::")[0]
    return LONGEST_FIRST.index(file) if file in LONGEST_FIRST else len(LONGEST_FIRST)


class Sharing(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Shares in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


# --- Hooks ---------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Sharing:
    config.option.loadscopereorder = False
    return Sharing(config, log)
