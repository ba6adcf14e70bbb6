"""`python -m tests.rehearsal.quirks`: run a quirk server, or list the quirks."""

from __future__ import annotations

import argparse
import contextlib
import threading

from tests.rehearsal.quirks.hooks import MODERN
from tests.rehearsal.quirks.mail import Mailbox, sample
from tests.rehearsal.quirks.registry import QUIRKS
from tests.rehearsal.quirks.server import QuirkServer
from tests.rehearsal.quirks.session import PASSWORD


def main() -> None:
    parser = argparse.ArgumentParser(description="An IMAP server with faults that can be switched on.")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free; it is printed")
    parser.add_argument("--quirk", action="append", default=[], metavar="NAME", help="may be repeated")
    parser.add_argument("--empty", action="store_true", help="only INBOX, without messages")
    parser.add_argument("--capabilities", default=MODERN, help="unless a quirk offers others")
    parser.add_argument("--log", metavar="FILE", help="every line of both sides; - is standard output")
    parser.add_argument("--list", action="store_true", help="print the table of quirks and end")
    options = parser.parse_args()
    if options.list:
        for name, kind in QUIRKS.items():
            print(f"{name}\n    {kind.report}\n    {' '.join((kind.__doc__ or '').split())}")
        return
    if unknown := [name for name in options.quirk if name not in QUIRKS]:
        parser.error(f"unknown quirks: {', '.join(unknown)} (see --list)")
    box = Mailbox() if options.empty else sample()
    with contextlib.ExitStack() as stack:
        log = None
        if options.log:
            out = None if options.log == "-" else stack.enter_context(open(options.log, "w"))

            def log(line: str) -> None:
                print(line, file=out, flush=True)

        server = QuirkServer(
            options.quirk, box, port=options.port, capabilities=options.capabilities, log=log
        )
        print(f"listening on {server.endpoint}; any user, password {PASSWORD}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
        server.stop()


if __name__ == "__main__":
    main()
