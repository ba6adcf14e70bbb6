"""Moves three mailboxes between two mail hosts that it starts itself, and shows every step.

Everything is real but small: two IMAP servers (Dovecot where it is installed, else pymap), a mail catcher,
Mailhaul with its embedded queue and a SQLite database, all below .demo/ and on loopback. Ends by itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tests.rehearsal.certificates import CertificateAuthority
from tests.rehearsal.checker import Mailbox, compare
from tests.rehearsal.dovecot import DovecotOptions, dovecot_installed
from tests.rehearsal.fill import FolderPath
from tests.rehearsal.hosts import RehearsalHost, User, new_user, rehearsal_host
from tests.rehearsal.installation import Installation
from tests.rehearsal.processes import start_group, stop_group
from tests.rehearsal.sample import EMPTY_FOLDERS, sample_mailbox
from tests.rehearsal.smtp import SmtpCatcher, smtp_catcher

ROOT = Path(".demo").absolute()
PEOPLE = ("ada", "grace", "linus")
OLD = DovecotOptions(separator=".", prefix="INBOX.", special_use=False)

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def main() -> int:
    began = time.monotonic()
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir()
    ca = CertificateAuthority(ROOT / "ca")
    kind = "Dovecot" if dovecot_installed() else "pymap"
    say(f"Two mail hosts start on this machine ({kind}), and a server that catches mail.")
    with (
        rehearsal_host(ROOT / "old-host", OLD, ca=ca) as old_host,
        rehearsal_host(ROOT / "new-host", ca=ca) as new_host,
        smtp_catcher() as smtp,
    ):
        failures = _move_house(old_host, new_host, smtp, ca)
    took = time.monotonic() - began
    if failures:
        console.print("\n[red]The demo did not end as it should:[/]")
        for failure in failures:
            console.print(f"  {failure}", markup=False)
        return 1
    _where_next(took)
    return 0


def _move_house(
    old_host: RehearsalHost, new_host: RehearsalHost, smtp: SmtpCatcher, ca: CertificateAuthority
) -> list[str]:
    routes = _people(old_host, new_host)
    mailhaul = Installation(
        ROOT,
        {
            "CA_FILE": str(ca.ca_file),
            "SMTP_URL": smtp.url,
            "MAIL_FROM": "mailhaul@new.example",
            "SUBMITTER": "admin@new.example",
            "TICK_SECONDS": "1",
        },
    )
    file = mailhaul.csv("people.csv", routes)
    say(f"The batch is {file.relative_to(Path.cwd())}, one line for each mailbox:")
    for line in file.read_text().splitlines()[1:]:
        cells = line.split(",")
        console.print("   " + ",".join([cells[0], "•••", cells[2], cells[3], "•••", cells[5]]), markup=False)

    say("`mailhaul up` starts the embedded queue and a worker.")
    up = start_group([*mailhaul.command, "up"], mailhaul.log_file, environment=mailhaul.environment())
    try:
        say(f"`mailhaul batch {file.name} --wait` submits it and shows how it goes.")
        failures = _run(mailhaul, "batch", str(file), "--wait")
        for old, new in routes:
            failures += compare(_storable(old.read()), new.read(), folder_map=_folder_map(), zones=False)
        say(
            "An independent checker compared every message: bytes, flags, dates, folders. "
            + ("[green]No difference.[/]" if not failures else "[red]There are differences.[/]")
        )
        failures += _mails(smtp)
        say("The same file once more: nothing to start, all of it is done.")
        failures += _run(mailhaul, "batch", str(file))
        say("And with --again, as one would to fetch new mail: nothing is copied twice.")
        before = [new.read() for _, new in routes]
        failures += _run(mailhaul, "batch", str(file), "--wait", "--again")
        if [new.read() for _, new in routes] != before:
            failures.append("The second run changed the new mailboxes.")
    finally:
        stop_group(up, patience_s=30)
    return failures


def _people(old_host: RehearsalHost, new_host: RehearsalHost) -> list[tuple[User, User]]:
    routes = []
    for name in PEOPLE:
        old = new_user(old_host, f"{name}@old.example")
        count = old.fill(sample_mailbox(), EMPTY_FOLDERS)
        routes.append((old, new_user(new_host, f"{name}@new.example")))
    say(
        f"{len(PEOPLE)} old mailboxes hold {count} messages each: nested and non-ASCII folders, flags, "
        "keywords, dates since 1998, attachments, duplicates, one without Message-ID."
    )
    return routes


def _storable(mailbox: Mailbox) -> Mailbox:
    """The mailbox as the new host promises to store it: pymap's PERMANENTFLAGS has no keywords (RFC 9051
    section 7.1), so they stay behind, and the report counts them."""
    if dovecot_installed():
        return mailbox
    return replace(
        mailbox,
        folders={
            path: [
                replace(message, flags=frozenset(flag for flag in message.flags if flag.startswith("\\")))
                for message in messages
            ]
            for path, messages in mailbox.folders.items()
        },
    )


def _folder_map() -> dict[FolderPath, FolderPath]:
    """Sent mail goes to the new host's own sent folder, if it has one."""
    return {("Gesendet",): ("Sent",)} if dovecot_installed() else {}


def _run(mailhaul: Installation, *words: str) -> list[str]:
    done = subprocess.run(  # the terminal is ours: progress shows live
        [*mailhaul.command, *words], env=mailhaul.environment(), check=False
    )
    return [] if done.returncode == 0 else [f"mailhaul {' '.join(words)} ended with {done.returncode}."]


def _mails(smtp: SmtpCatcher) -> list[str]:
    expected = 2 * len(PEOPLE) + 1  # each owner at both addresses, and one summary to the submitter
    mails = smtp.wait_for(expected)
    say(f"{len(mails)} mails went out; the one to {PEOPLE[0]}@new.example says:")
    [mail] = smtp.to(f"{PEOPLE[0]}@new.example")
    body = mail.message.get_body(("plain",))
    text = body.get_content() if body else ""
    console.print(f"   Subject: {mail.message['Subject']}", markup=False, style="bold")
    for line in text.splitlines():
        console.print(f"   {line}", markup=False)
    html = mail.message.get_body(("html",))
    (ROOT / "mail.html").write_text(html.get_content() if html else "", encoding="utf-8")
    return [] if len(mails) == expected else [f"{len(mails)} mails came instead of {expected}."]


def _where_next(took: float) -> None:
    console.print(f"\n[green]Done in {took:.0f} seconds.[/] Where to go next:")
    console.print("   .demo/mail.html              the completion mail as its reader sees it")
    console.print("   .demo/workers.log            what the worker logged")
    console.print("   .venv/bin/mailhaul --help   the console; docs/cli.md explains it")
    console.print(
        "   .venv/bin/mailhaul copy --from you@old.example --to imaps://you@new.example@imap.new.example"
    )


def say(text: str) -> None:
    console.print(f"\n[bold cyan]▸[/] {text}")


if __name__ == "__main__":
    sys.exit(main())
