"""The phase of a running import is shown while it reads and creates folders over a slow line."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.conftest import MakeUser
from tests.hostile.test_endless_listing import DATE, rows, submitted, wait_for
from tests.rehearsal.dovecot import Dovecot
from tests.rehearsal.fill import Stored
from tests.rehearsal.installation import Installation
from tests.rehearsal.proxy import cutting_proxy

FOLDERS = 150
SLOW_BYTES_PER_S = 4_000


def test_folders_are_counted_while_they_are_made(
    queued_installation: Installation, old_host: Dovecot, new_host: Dovecot, make_user: MakeUser
) -> None:
    installation = queued_installation
    old, new = make_user(old_host), make_user(new_host)
    old.fill(Stored((f"Folder {n}",), (), DATE, b"Subject: %d\r\n\r\ntext\r\n" % n) for n in range(FOLDERS))
    seen: dict[str, set[str]] = {}
    with cutting_proxy(new_host.imaps) as proxy, installation.worker():
        proxy.narrow(SLOW_BYTES_PER_S)
        through = replace(new, account=replace(new.account, endpoint=proxy.endpoint))
        ids = submitted(installation, "one.csv", [(old, through)])

        def look() -> bool:
            explained = installation.run("explain", ids[0]).stdout
            if found := re.search(r"(Creating|Reading) folders: (\d+) of (\d+)", explained):
                seen.setdefault(found[1], set()).add(found[3])
            return "Creating" in seen

        wait_for(look, "folders are made, with their count")
        proxy.narrow(50_000_000)
        wait_for(lambda: rows(installation, ids)[0]["state"] == "complete", "it is complete")
    assert seen["Creating"] == {str(FOLDERS)}
