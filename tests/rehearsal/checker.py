"""The independent checker: reports how a destination mailbox differs from the expected copy of a source.

It shares no code with the importer, so that a mistake cannot hide in both. It knows a single rule of
Mailhaul: identical content within a folder is copied once.

    python -m tests.rehearsal.checker imaps://ada@old.example imaps://ada@new.example \\
        --source-password-file F --destination-password-file G [--ca-file C] [--map Gesendet=Sent]

prints every difference and exits with 0 (no difference) or 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from importer.domain.model import Account
from providers.endpoint import parse_server
from tests.rehearsal.fill import INBOX, FolderPath
from tests.rehearsal.snapshot import Mailbox, Seen, read_mailbox

__all__ = ["Mailbox", "Seen", "compare", "read_mailbox"]


def compare(
    source: Mailbox,
    destination: Mailbox,
    *,
    folder_map: Mapping[FolderPath, FolderPath] | None = None,
    prior: Mailbox | None = None,
    duplicates_once: bool = True,
    zones: bool = True,
    subscriptions: bool = True,
) -> list[str]:
    """All differences between the actual and the expected content of the destination, one sentence each.

    The destination must still hold its previous content (`prior`), unchanged, and each source message in the
    folder of the same path, or in the folder given by `folder_map`. With `duplicates_once`, identical content
    is expected once in a destination folder, with the flags and date of any of its copies, and not again if
    `prior` has it. Without `zones`, dates are equal if they are the same instant.
    """
    renamed = folder_map or {}
    before = prior.folders if prior else {}
    problems = []
    incoming: dict[FolderPath, list[Seen]] = {}
    for path, messages in source.folders.items():
        target = renamed.get(path, path)
        incoming.setdefault(target, []).extend(messages)
        if target not in destination.folders:
            problems.append(f"folder missing: {_show(target)}")
        elif subscriptions and path in source.subscribed and target not in {*destination.subscribed, INBOX}:
            problems.append(f"not subscribed: {_show(target)}")
    lost: list[tuple[FolderPath, Seen]] = []
    extra: list[tuple[FolderPath, Seen]] = []
    for path in sorted({*incoming, *before, *destination.folders}):
        actual, previous, copied = (
            _by_digest(folders.get(path, ())) for folders in (destination.folders, before, incoming)
        )
        for digest in {**previous, **copied, **actual}:
            expected = [[message] for message in previous.get(digest, ())]
            if not duplicates_once:
                expected += [[message] for message in copied.get(digest, ())]
            elif digest in copied and digest not in previous:
                expected.append(copied[digest])
            match = _match(expected, actual.get(digest, ()), zones=zones)
            problems += [f"{what}: {_show(path)}: {message}" for what, message in match.problems]
            lost += [(path, message) for message in match.lost]
            extra += [(path, message) for message in match.extra]
    return problems + _name_lost_and_extra(lost, extra)


@dataclass(frozen=True, slots=True)
class _Match:
    problems: list[tuple[str, Seen]] = field(default_factory=list)
    lost: list[Seen] = field(default_factory=list)
    extra: list[Seen] = field(default_factory=list)


def _match(expected: Sequence[Sequence[Seen]], actual: Sequence[Seen], *, zones: bool) -> _Match:
    """Match messages with the same content in one folder. Each item of `expected` lists acceptable copies."""
    match = _Match()
    unmatched = list(actual)
    unfilled = []
    for copies in expected:
        fitting = next(
            (got for got in unmatched if any(_same(got, copy, zones=zones) for copy in copies)), None
        )
        if fitting is None:
            unfilled.append(copies[0])
        else:
            unmatched.remove(fitting)
    for missing in unfilled:
        if unmatched:
            got = unmatched.pop(0)
            match.problems.append((_alteration(missing, got, zones=zones), got))
        else:
            match.lost.append(missing)
    if expected:
        match.problems.extend(("doubled", got) for got in unmatched)
    else:
        match.extra.extend(unmatched)
    return match


def _same(one: Seen, other: Seen, *, zones: bool) -> bool:
    same_zone = not zones or one.date.utcoffset() == other.date.utcoffset()
    return one.flags == other.flags and one.date == other.date and same_zone


def _alteration(wanted: Seen, got: Seen, *, zones: bool) -> str:
    flags, date = f"flags {_flags(wanted)} became {_flags(got)}", f"date {wanted.date} became {got.date}"
    altered = [flags] if wanted.flags != got.flags else []
    if wanted.date != got.date or (zones and wanted.date.utcoffset() != got.date.utcoffset()):
        altered.append(date)
    return "altered " + ", ".join(altered)


def _name_lost_and_extra(
    lost: Sequence[tuple[FolderPath, Seen]], extra: Sequence[tuple[FolderPath, Seen]]
) -> list[str]:
    """Distinguish moved messages and altered bytes from losses."""
    unmatched = list(extra)
    by_digest: dict[str, list[tuple[FolderPath, Seen]]] = {}
    by_headers: dict[tuple[FolderPath, str, str], list[tuple[FolderPath, Seen]]] = {}
    for path, message in extra:
        by_digest.setdefault(message.digest, []).append((path, message))
        by_headers.setdefault((path, message.message_id, message.subject), []).append((path, message))
    lines = []
    for path, message in lost:
        headers = (path, message.message_id, message.subject)
        if moved := by_digest.get(message.digest):
            line = f"in the wrong folder: {_show(moved[0][0])} instead of {_show(path)}: {message}"
            unmatched.remove(moved.pop(0))
        elif (changed := by_headers.get(headers)) and changed[0] in unmatched:
            line = f"bytes altered: {_show(path)}: {message} became {changed[0][1]}"
            unmatched.remove(changed.pop(0))
        else:
            line = f"lost: {_show(path)}: {message}"
        lines.append(line)
    return lines + [f"unexpected: {_show(path)}: {message}" for path, message in unmatched]


def _by_digest(messages: Sequence[Seen]) -> dict[str, list[Seen]]:
    groups: dict[str, list[Seen]] = {}
    for message in messages:
        groups.setdefault(message.digest, []).append(message)
    return groups


def _show(path: FolderPath) -> str:
    return " / ".join(path)


def _flags(message: Seen) -> str:
    return f"({' '.join(sorted(message.flags))})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line of the module docstring."""
    parser = argparse.ArgumentParser(prog="checker", description="Compares two mailboxes message by message.")
    parser.add_argument("source", help="imaps://user@host[:port]")
    parser.add_argument("destination", help="imaps://user@host[:port]")
    parser.add_argument("--source-password-file", type=Path, required=True)
    parser.add_argument("--destination-password-file", type=Path, required=True)
    parser.add_argument("--ca-file", type=Path)
    parser.add_argument(
        "--map", action="append", default=[], metavar="A/B=C/D", help="source=destination folder"
    )
    parser.add_argument(
        "--every-duplicate", action="store_true", help="expect exact duplicates as often as sent"
    )
    parser.add_argument("--any-zone", action="store_true", help="equal instants are equal dates")
    options = parser.parse_args(arguments)
    renamed = {}
    for pair in options.map:
        old, _, new = pair.partition("=")
        renamed[tuple(old.split("/"))] = tuple(new.split("/"))
    source, destination = (
        _read(url, password_file, options.ca_file)
        for url, password_file in (
            (options.source, options.source_password_file),
            (options.destination, options.destination_password_file),
        )
    )
    differences = compare(
        source,
        destination,
        folder_map=renamed,
        duplicates_once=not options.every_duplicate,
        zones=not options.any_zone,
    )
    for difference in differences:
        print(difference)
    print(f"source {source.count()}, destination {destination.count()}, differences {len(differences)}")
    return 1 if differences else 0


def _read(url: str, password_file: Path, ca_file: Path | None) -> Mailbox:
    endpoint, user = parse_server(url)
    if user is None:
        raise SystemExit(f"{url} names no user; write imaps://user@host")
    password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
    return read_mailbox(Account(user, user, endpoint), password, ca_file)


if __name__ == "__main__":
    sys.exit(main())
