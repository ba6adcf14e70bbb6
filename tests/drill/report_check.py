"""Compares the reports and mails of a drill with the contents of the mailboxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.drill.history import SourceHistory
from tests.rehearsal.fill import INBOX, FolderPath
from tests.rehearsal.snapshot import Mailbox

Report = Mapping[str, Any]
MARGIN_S = 1.0
FINISHED = {"complete", "incomplete"}
_THERE = ("copied", "already_there", "duplicate")


def path_of(name: str, separator: str, prefix: str = "") -> FolderPath:
    return INBOX if name.upper() == "INBOX" else tuple(name.removeprefix(prefix).split(separator))


def check_report(report: Report, source: SourceHistory, began: datetime) -> list[str]:
    """Errors in the numbers of one ended import that no action during it can explain."""
    problems = []
    if not report["totals"]["adds_up"] and report["state"] in FINISHED:
        problems.append(f"does not add up: {report['totals']}")
    for folder in report["folders"]:
        parts = sum(folder.get(key, 0) for key in (*_THERE, "gone", "skipped", "failed", "still_to_do"))
        name = folder["source_folder"]
        if folder["found"] != parts and (report["state"] in FINISHED or "still_to_do" in folder):
            problems.append(f"{name}: {folder['found']} found, {parts} accounted for")
        if report["finished_at"] is None:
            continue
        start_s = (datetime.fromisoformat(report["created_at"]) - began).total_seconds() - MARGIN_S
        end_s = (datetime.fromisoformat(report["finished_at"]) - began).total_seconds() + MARGIN_S
        most = source.there_between(path_of(name, ".", "INBOX."), start_s, end_s)
        if folder["found"] > most:
            problems.append(f"{name}: {folder['found']} found, the source had {most} at most")
    return [f"{report['id']} ({report['state']}): {problem}" for problem in problems]


def check_last_report(
    report: Report, source: Mailbox, destination: Mailbox, kept: Mapping[FolderPath, Sequence[FolderPath]]
) -> list[str]:
    """Errors in the report of an import during which nothing changed. `kept` maps renamed folders of the
    destination to their new names."""
    problems = []
    if report["state"] != "complete" and not _only_unseen(report, source, destination):
        problems.append(f"{report['state']}: {report['verdict']}")
    folders = {path_of(f["source_folder"], ".", "INBOX."): f for f in report["folders"]}
    for path, messages in source.folders.items():
        name, number = "/".join(path), len(messages)
        if path not in folders:
            if number:
                problems.append(f"{name}: not in the report, {number} messages")
            continue
        told = folders[path]
        if told["found"] != number or told["source_recount"] not in (number, None):
            problems.append(
                f"{name}: {told['found']} found, recount {told['source_recount']}, {number} there"
            )
        if told["confirmed"] is not None and told["confirmed"] != told["copied"]:
            problems.append(f"{name}: {told['copied']} copied, {told['confirmed']} confirmed")
        target = path_of(told["destination_folder"], "/")
        held = {seen.digest for seen in destination.folders.get(target, ())}
        moved = {seen.digest for new in kept.get(target, ()) for seen in destination.folders.get(new, ())}
        there = sum(seen.digest in held for seen in messages)
        elsewhere = sum(seen.digest in moved - held for seen in messages)
        claimed = sum(told[key] for key in _THERE)
        most = there + elsewhere + told["duplicate"]  # a copy of a message that is gone
        if "gone" in told and not there <= claimed <= most:
            numbers = {key: told[key] for key in (*_THERE, "gone", "failed", "unchecked") if told.get(key)}
            missing = ", ".join(sorted(seen.subject for seen in messages if seen.digest not in held))
            problems.append(
                f"{name}: {claimed} there by the report {numbers}, {there} there, {elsewhere} in renamed"
                f" folders; not there: {missing}"
            )
    return [f"{report['id']}: {problem}" for problem in problems]


def _only_unseen(report: Report, source: Mailbox, destination: Mailbox) -> bool:
    """Whether the import is incomplete only because of copies that their owner removed before any recount saw
    them: no import can distinguish these from copies that the server lost."""
    held = {seen.digest for messages in destination.folders.values() for seen in messages}
    refusals = report["refusals"]
    for refusal in refusals:
        messages = source.folders.get(path_of(refusal["folder"], ".", "INBOX."), ())
        named = {seen.digest for seen in messages if seen.subject == refusal["subject"]}
        if refusal["code"] != "never_seen" or named <= held:
            return False
    return bool(refusals) and not report["totals"]["unchecked"]


def check_mails(
    notices: Iterable[tuple[str, str, str, str, str]], caught: Iterable[tuple[str, str]]
) -> tuple[list[str], list[str]]:
    """Mails that arrived twice, and missing mails. `caught` are (recipient, Message-ID).

    If a worker is killed or loses its connection while it sends a mail, the outcome is unknown and the mail
    is not sent again: it may be missing (docs/design/operations.md).
    """
    counts = Counter(caught)
    twice = [f"{id_} to {to}: {n} times" for (to, id_), n in counts.items() if n > 1]
    missing = [
        f"{key} to {to}: {state} {error}"
        for id_, to, state, key, error in notices
        if not counts[to, id_] and state != "sending" and not error.startswith("no reply")
    ]
    return twice, missing
