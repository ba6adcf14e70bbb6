"""Runs a hostile server until Ctrl-C."""

from __future__ import annotations

import signal
import sys

from tests.rehearsal.hostile import ATTACKS, hostile_server


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in ATTACKS:
        for name, attack in ATTACKS.items():
            print(f"{name:24} {attack.what}")
        raise SystemExit(2)
    with hostile_server(sys.argv[1]) as server:
        print(server.endpoint, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
