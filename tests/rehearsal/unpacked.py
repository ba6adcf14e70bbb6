"""Mail servers that `.ci/debian-packages` unpacks beside the programs of the system."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.rehearsal.dovecot_config import MAIL_USER

UNPACKED = Path("/usr/local/lib/mailhaul-tests")


def with_libraries(server: str) -> dict[str, str]:
    """The environment in which the programs of `UNPACKED / server` find their private libraries."""
    folders = {str(library.parent) for library in (UNPACKED / server / "usr/lib").rglob("lib*.so.*")}
    return dict(os.environ) | ({"LD_LIBRARY_PATH": os.pathsep.join(sorted(folders))} if folders else {})


def lacks_programs(title: str, server: str, programs: Sequence[Path]) -> str:
    """The reason why those programs of the server cannot run on this machine, or "" if they can."""
    for program in programs:
        if not program.exists():
            return f"{title} is not installed ({program} is missing): run `sh .ci/debian-packages`"
        libraries = subprocess.run(
            ["ldd", str(program)], env=with_libraries(server), capture_output=True, text=True, check=False
        ).stdout
        if "not found" in libraries:
            return f"{title} is there without its libraries: run `sh .ci/debian-packages`"
    return ""


def server_user() -> str:
    """The user that the servers run as: `nobody` if started by root, else the current user."""
    return MAIL_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def as_server_user() -> list[str]:
    """The prefix of a command that runs as `server_user`."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={server_user()}", "--regid=nogroup", "--clear-groups", "--"]
