"""Compares a run of the console with the expected outcome of a case, and the two mailboxes with each other.

Whatever a case expects, a breach of these rules is a fault: messages that are missing are in the numbers, the
words or the exit code; no message is there more often than at the source; nothing is there that the source
does not have; flags and dates are those of the source; the console does not crash.

Keys of a right outcome:

    exit       exit code, or a list of exit codes
    missing    messages of the source that may be missing, or [lowest, highest]; default 0
    copied, found, failed, changes, state    as in the report
    messages   of `check`: messages of the old mailbox, in all and summed up over its folders
    words      regular expressions that occur in the output, in any case of letters
    never      regular expressions that do not
    seconds    the longest time, on an idle machine
    logins     the largest number of logins at the server with quirks
    flags, dates   "any" if the destination may have others
    altered    messages that the destination's server stores with other bytes
    strangers  messages that the destination had before
    keywords   keywords that some message of the destination has
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from tests.rehearsal.fill import connect
from tests.rehearsal.hosts import User
from tests.rehearsal.quirks.mail import Mailbox

Right = Mapping[str, Any]

CRASHED = 6
_PATIENCE = 3
"""Factor for `seconds`: the machine runs other tests at the same time."""


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one command. `logins` are those at the server with quirks."""

    code: int
    report: Mapping[str, Any]
    output: str
    errors: str
    seconds: float
    logins: int

    @property
    def totals(self) -> Mapping[str, Any]:
        totals: Mapping[str, Any] = self.report.get("totals", {})
        return totals

    @property
    def text(self) -> str:
        """All output for people."""
        return "\n".join([*(_texts(self.report) or [self.output]), self.errors])


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


@dataclass(frozen=True, slots=True)
class Present:
    """One message at one side. `date` is None if the server's text is no date."""

    folder: str
    digest: str
    flags: frozenset[str]
    date: datetime | None


def _present(folder: bytes, body: bytes, flags: Iterator[bytes], date: str) -> Present:
    lines = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    kept = frozenset(flag.decode("latin-1").lower() for flag in flags) - {"\\recent"}
    try:
        instant = datetime.strptime(date.strip(), "%d-%b-%Y %H:%M:%S %z")
    except ValueError:
        instant = None
    return Present(folder.decode("latin-1"), sha256(lines).hexdigest(), kept, instant)


def read_box(box: Mailbox) -> list[Present]:
    return [
        _present(name, message.body, iter(message.flags), message.date)
        for name, messages in box.contents().items()
        for message in messages
    ]


def read_user(user: User) -> list[Present]:
    """All messages of a mailbox on a real server, read with imaplib."""
    client = connect(user.account.endpoint, user.account.login, user.password, user.ca_file)
    found = []
    for line in client.list()[1]:
        listed = re.match(rb'\((.*?)\) (?:"(?:\\.|.)"|NIL) (.*)', line) if isinstance(line, bytes) else None
        if listed is None or rb"\Noselect" in listed[1] or rb"\NonExistent" in listed[1]:
            continue
        status, answer = client.select(listed[2].decode("latin-1"), readonly=True)
        if status != "OK":
            raise AssertionError(f"{listed[2]!r} cannot be opened: {answer}")
        if answer[0] == b"0":
            continue
        for part in client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
            if isinstance(part, tuple):
                flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])
                date = re.search(rb'INTERNALDATE "([^"]*)"', part[0])
                folder = re.sub(rb"\\(.)", rb"\1", listed[2].strip(b'"'))
                if flags is None or date is None:
                    raise AssertionError(f"a response without flags or date: {part[0]!r}")
                found.append(_present(folder, part[1], iter(flags[1].split()), date[1].decode()))
    client.logout()
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """How the destination differs from the source, over all folders."""

    missing: Sequence[Present]
    doubled: int
    strangers: int
    other_flags: int
    other_dates: int
    keywords: frozenset[str]


def difference(source: Sequence[Present], destination: Sequence[Present]) -> Difference:
    wanted = Counter(one.digest for one in source)
    there = Counter(one.digest for one in destination)
    by_digest = {one.digest: one for one in destination}
    pairs = [(one, by_digest[one.digest]) for one in source if one.digest in by_digest]
    return Difference(
        missing=[one for one in source if one.digest not in there],
        doubled=sum(max(0, there[digest] - count) for digest, count in wanted.items()),
        strangers=sum(one.digest not in wanted for one in destination),
        other_flags=sum(one.flags != other.flags for one, other in pairs),
        other_dates=sum(one.date is not None and one.date != other.date for one, other in pairs),
        keywords=frozenset(flag for one in destination for flag in one.flags if not flag.startswith("\\")),
    )


def faults(run: Run, right: Right | Sequence[Right], compared: Difference | None) -> list[str]:
    """All differences from the right outcome; if there are several right outcomes, from the closest."""
    if not isinstance(right, Mapping):
        return min((faults(run, one, compared) for one in right), key=len)
    found = [] if compared is None else list(_mailbox_faults(run, right, compared))
    return found + list(_report_faults(run, right))


def longest_s(right: Right | Sequence[Right]) -> float:
    """The time after which a run is at fault, in seconds; 0 without a limit."""
    if not isinstance(right, Mapping):
        return max(map(longest_s, right))
    return float(_PATIENCE * right.get("seconds", 0))


def _report_faults(run: Run, right: Right) -> Iterator[str]:
    if run.code == CRASHED or "Traceback" in run.errors:
        yield "CRASHED"
    codes = right.get("exit", run.code)
    if run.code not in (codes if isinstance(codes, list) else [codes]):
        yield f"exit {run.code} instead of {codes}"
    for key in ("found", "copied", "failed", "changes"):
        if key in right and run.totals.get(key) != right[key]:
            yield f"{key} {run.totals.get(key)} instead of {right[key]}"
    if "messages" in right:
        in_all = run.report.get("source", {}).get("messages")
        in_folders = sum(folder["messages"] for folder in run.report.get("folders", []))
        if (in_all, in_folders) != (right["messages"],) * 2:
            yield f"{in_all} messages, {in_folders} in its folders, instead of {right['messages']}"
    if run.report.get("state") != right.get("state", run.report.get("state")):
        yield f"state {run.report.get('state')} instead of {right['state']}"
    for pattern in right.get("words", []):
        if not re.search(pattern, run.text, re.IGNORECASE | re.DOTALL):
            yield f"not said: {pattern}"
    for pattern in right.get("never", []):
        if re.search(pattern, run.text, re.IGNORECASE | re.DOTALL):
            yield f"said: {pattern}"
    if run.seconds > (longest_s(right) or run.seconds):
        yield f"took {run.seconds:.0f} s"
    if run.logins > right.get("logins", run.logins):
        yield f"{run.logins} logins"


def _mailbox_faults(run: Run, right: Right, compared: Difference) -> Iterator[str]:
    altered = right.get("altered", 0)
    missing = len(compared.missing) - altered
    allowed = right.get("missing", 0)
    lowest, highest = allowed if isinstance(allowed, list) else (allowed, allowed)
    if not lowest <= missing <= highest:
        places = Counter(one.folder for one in compared.missing)
        yield f"{missing} missing instead of {allowed}: {dict(places)}"
    if missing and _is_silent(run, missing):
        yield f"LOST without a word: {missing}"
    if compared.doubled:
        yield f"DOUBLED: {compared.doubled}"
    if compared.strangers != altered + right.get("strangers", 0):
        yield f"ALTERED: {compared.strangers} that the source does not have"
    if compared.other_flags and right.get("flags") != "any":
        yield f"ALTERED: {compared.other_flags} with other flags"
    if compared.other_dates and right.get("dates") != "any":
        yield f"ALTERED: {compared.other_dates} with another date"
    for keyword in right.get("keywords", []):
        if keyword.lower() not in compared.keywords:
            yield f"keyword {keyword} is gone"


def _is_silent(run: Run, missing: int) -> bool:
    """Whether a person who reads the report would believe that nothing is missing."""
    if run.code not in (0, 1):
        return False
    totals = run.totals
    reported = sum(totals.get(key) or 0 for key in ("failed", "skipped", "gone", "unchecked"))
    if totals.get("confirmed") is not None:
        reported += totals.get("copied", 0) - totals["confirmed"]
    whole_folders = any(not refusal.get("messages") for refusal in run.report.get("refusals", []))
    return missing > reported and not whole_folders
