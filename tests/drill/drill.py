"""One drill from its seed to its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.drill.conductor import Conductor
from tests.drill.oracle import Finding, excused, judge
from tests.drill.plan import Plan, Route
from tests.drill.report_check import check_last_report, check_mails, check_report
from tests.drill.stage import Stage, stage
from tests.rehearsal.fill import FolderPath
from tests.rehearsal.ports import wait_until
from tests.rehearsal.snapshot import Mailbox

REST_S: Final = 400.0


@dataclass(slots=True)
class Result:
    """The result of a drill, in sentences. `excused` messages came again without an error of Mailhaul."""

    plan: Plan
    imports: int = 0
    messages: int = 0
    excused: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    mails_twice: list[str] = field(default_factory=list)
    mails_missing: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    log: Sequence[str] = ()
    histories: dict[str, list[str]] = field(default_factory=dict)  # of the affected messages, by digest

    def number(self, fault: str) -> int:
        return sum(finding.fault == fault for finding in self.findings)

    @property
    def sound(self) -> bool:
        return not (
            self.findings or self.reports or self.mails_twice or self.mails_missing or self.unfinished
        )


def run_drill(
    root: Path,
    plan: Plan,
    *,
    store: str = "maildir",
    without: tuple[str, ...] = (),
    say: Callable[[str], None] = print,
) -> Result:
    """Run the drill of a plan in the empty folder `root`."""
    with stage(root, plan, store=store, without=without) as made:
        conductor = Conductor(made, say)
        result = Result(plan)
        conductor.perform()
        conductor.heal()
        for round_ in ("the imports under way", "every route", "every route once more"):
            say(f"{conductor.now_s():.0f} s: {round_}")
            if round_ != "the imports under way":
                conductor.hand_in_all()
            if not conductor.come_to_rest(REST_S):
                result.unfinished.append(f"{round_}: not done after {REST_S:.0f} s")
        _judge(made, conductor, result)
        return result


def _judge(made: Stage, conductor: Conductor, result: Result) -> None:
    routes = made.plan.routes
    sources = {route.source: made.sources[route.source].read() for route in routes}
    destinations = [user.read() for user in made.destinations]
    for number, mailbox in enumerate(destinations):
        mine = [route.source for route in routes if route.destination == number]
        history = conductor.histories[number]
        source_histories = {n: conductor.source_histories[n] for n in mine}
        history.rebuilt = made.has_rebuilt(number)
        findings = judge(history, {n: sources[n] for n in mine}, source_histories, mailbox)
        forgotten = [finding for finding in findings if finding.fault == "forgotten"]
        result.excused += Counter({"the server lost its indexes": len(forgotten)})  # without what is 0
        result.findings += [finding for finding in findings if finding not in forgotten]
        result.excused += excused(history, source_histories, mailbox, findings)
    _check_reports(made, conductor, result, sources, destinations)
    _check_mails(made, result)
    result.log = conductor.log
    result.messages = sum(mailbox.count() for mailbox in destinations)
    for finding in result.findings[:20]:
        result.histories[finding.digest] = _history(made, conductor, finding, sources, destinations)


def _check_reports(
    made: Stage,
    conductor: Conductor,
    result: Result,
    sources: dict[int, Mailbox],
    destinations: list[Mailbox],
) -> None:
    reports = sorted(conductor.reports(), key=lambda report: str(report["created_at"]))
    result.imports = len(reports)
    last = {}
    routes = {id_: Route(*numbers) for id_, numbers in made.ledger.routes().items()}
    for report in reports:
        route = routes[report["id"]]
        result.reports += check_report(report, conductor.source_histories[route.source], conductor.began)
        last[route] = report
    for route, report in last.items():
        kept: dict[FolderPath, list[FolderPath]] = {}
        for old, new in conductor.histories[route.destination].renamed:
            kept.setdefault(old, []).append(new)
        result.reports += check_last_report(
            report, sources[route.source], destinations[route.destination], kept
        )


def _check_mails(made: Stage, result: Result) -> None:
    def all_sent() -> bool:
        return all(notice[2] != "pending" for notice in made.ledger.notices())

    made.ledger.hurry_mails()
    wait_until(all_sent, timeout_s=60, every_s=0.5)
    notices = made.ledger.notices()  # before the mails: one that counts as sent by now has arrived
    caught = [
        (recipient, str(mail.message["Message-ID"]))
        for mail in list(made.mail.messages)
        for recipient in mail.recipients
    ]
    result.mails_twice, result.mails_missing = check_mails(notices, caught)


def _history(
    made: Stage,
    conductor: Conductor,
    finding: Finding,
    sources: dict[int, Mailbox],
    destinations: list[Mailbox],
) -> list[str]:
    """All recorded facts about one message, for a person."""
    lines = []
    for number, source in conductor.source_histories.items():
        for folder, spans in source.spans.items():
            if finding.digest in spans:
                lines.append(f"source {number}, {'/'.join(folder)}: {spans[finding.digest]}")
    history = conductor.histories[finding.destination]
    lines += [f"taken away: {one}" for one in history.removed if one.digest == finding.digest]
    lines += [f"renumbered: {one}" for one in history.renumbered]
    lines += [
        f"there: {'/'.join(folder)} no. {i}"
        for folder, messages in destinations[finding.destination].folders.items()
        for i, seen in enumerate(messages)
        if seen.digest == finding.digest
    ]
    lines += [f"ledger: {row}" for row in made.ledger.history_of(finding.digest)]
    return lines
