"""The failed messages of many imports are tried again: where no password is needed, and what is said of the
others. Use case, console, API and operators' page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from importer.cli import control_commands
from importer.cli.command_table import console
from importer.domain.audit_event import AuditAction, AuditOutcome
from importer.domain.bulk_action import BulkAction
from importer.domain.import_filter import EVERY_IMPORT
from importer.domain.model import Account, ImportId, State
from importer.domain.people.actor import Actor
from importer.domain.people.api_tokens import TokenScope
from importer.domain.people.batch_right import BatchRight, right_of_console
from importer.domain.reporting.report import ExitCode
from importer.service.access.audit import search_events
from importer.service.imports.bulk_control import carry_out, select
from importer.service.imports.control import Effect
from importer.service.imports.submit import submit
from providers.endpoint import Endpoint, Secret
from providers.master_user import MasterUser
from tests.fakes.mailbox import MemoryMailbox
from tests.fakes.mailbox_access import MemoryAccess
from tests.unit.operator_office import OPERATOR, OperatorOffice
from tests.unit.test_api import Panel
from tests.unit.test_operator_changes import change
from tests.unit.test_service import DATE, Office, a_row
from tests.unit.web_office import WebOffice

GMAIL = Endpoint("imap.gmail.com")
NEW = a_row().destination
MASTER = MasterUser(NEW.endpoint, "overseer", Secret("m4ster"))
HOSTS = {
    "company": GMAIL,
    "person": GMAIL,
    "elsewhere": Endpoint("imap.old.example"),
    "fine": GMAIL,
}
"""By name; the source of each is `ada@NAME.example`."""


@dataclass
class Ended:
    """Three imports with failed messages and one without, all of one owner. An organisation at Google grants
    access to `company`, and a master user to the new mailbox; only their owners can open the other ones."""

    office: Office
    ids: dict[str, ImportId]
    operator: Actor

    def named(self, id_: str) -> str:
        return next(name for name, each in self.ids.items() if each == id_)

    def retry(self, *names: str) -> dict[str, tuple[Effect, str]]:
        """The effect on each import, and the code of what is said of it."""
        ids = tuple(self.ids[name] for name in names)
        changes = [*carry_out(self.office.deps, BulkAction.RETRY_FAILED, ids, self.operator)]
        return {name: (c.effect, c.text.code) for name, c in zip(names, changes, strict=True)}

    def retried(self) -> set[str]:
        """The names of those whose failed messages are tried again."""
        every = self.office.store.imports(EVERY_IMPORT)
        return {self.named(each.retry_of) for each in every if each.retry_of is not None}


def ended(office: Office) -> Ended:
    office.access.organisations["google"] = frozenset({"company.example"})
    office.deps = replace(office.deps, master_user=MASTER)
    office.new.master = MASTER.login_for(
        BatchRight(MASTER.server, everywhere=True).grant(NEW), NEW.address, NEW.login, NEW.endpoint
    )
    office.new.refuses = lambda body: "no" if b"bad" in body else None
    ids: dict[str, ImportId] = {}
    for line, (name, host) in enumerate(HOSTS.items(), 1):
        address = f"ada@{name}.example"
        source = Account(address, address, host)
        office.sessions.mailboxes[source.key] = old = MemoryMailbox()
        for kind in ("good", "good" if name == "fine" else "bad"):
            old.folders["INBOX"].add((), DATE, f"Subject: {kind} {name}\r\n\r\ntext\r\n".encode())
        [submitted] = submit(office.deps, Actor(owner="client:panel"), [a_row(source=source, line=line)]).rows
        ids[name] = office.work(submitted.import_.id).id
    office.queue.take()
    return Ended(office, ids, Actor(right=right_of_console(MASTER), organisation=True))


@pytest.fixture
def imports() -> Ended:
    return ended(Office())


def test_imports_with_failed_messages_are_selected(imports: Ended) -> None:
    states = [imports.office.import_(id_).state for id_ in imports.ids.values()]
    assert states == [*[State.INCOMPLETE] * 3, State.COMPLETE]
    selection = select(imports.office.deps, BulkAction.RETRY_FAILED, EVERY_IMPORT)
    assert {imports.named(id_) for id_ in selection.ids} == {"company", "person", "elsewhere"}


def test_those_start_that_open_without_a_password_and_each_other_one_says_what_it_needs(
    imports: Ended,
) -> None:
    assert imports.retry("company", "person", "elsewhere", "fine") == {
        "company": (Effect.DONE, "retry_started"),
        "person": (Effect.NOT_POSSIBLE, "retry_needs_passwords.source"),
        "elsewhere": (Effect.NOT_POSSIBLE, "retry_needs_passwords.source"),
        "fine": (Effect.NOT_POSSIBLE, "retry_none_failed"),
    }
    assert imports.retried() == {"company"}
    [rung] = imports.office.queue.take()
    imports.office.new.refuses = lambda _body: None
    assert imports.office.work(rung).state is State.COMPLETE
    assert imports.retry("company") == {"company": (Effect.NOT_POSSIBLE, "retry_done_before")}
    assert imports.office.queue.take() == []


@pytest.mark.parametrize(
    ("operator", "needed"),
    [
        (Actor(), ""),
        (Actor(organisation=True), ".destination"),
        (Actor(right=right_of_console(MASTER)), ".source"),
    ],
)
def test_each_right_opens_its_side_only(imports: Ended, operator: Actor, needed: str) -> None:
    imports.operator = operator
    assert imports.retry("company") == {
        "company": (Effect.NOT_POSSIBLE, f"retry_needs_passwords{needed}"),
    }
    assert imports.retried() == set()


def test_an_import_that_was_run_again_is_left_alone(imports: Ended) -> None:
    again = a_row(source=imports.office.import_(imports.ids["company"]).source)
    submit(imports.office.deps, Actor(owner="client:panel"), [again], again=True)
    imports.office.queue.take()
    assert imports.retry("company") == {"company": (Effect.NOT_POSSIBLE, "retry_done_before")}
    selection = select(imports.office.deps, BulkAction.RETRY_FAILED, EVERY_IMPORT)
    assert {imports.named(id_) for id_ in selection.ids} == {"person", "elsewhere"}


# --- Front ends -------------------------------------------------------------------------------------------


def test_the_console_tries_them_again_and_names_each_that_needs_a_password(
    imports: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def queued(_settings: object) -> Iterator[object]:
        yield imports.office.deps

    monkeypatch.setattr(control_commands, "queued", queued)
    monkeypatch.setattr(control_commands, "console_actor", lambda _settings: imports.operator)

    def run(*words: str) -> Result:
        return CliRunner().invoke(console, [*words])

    asked = run("retry", "--owner", "panel", "--failed-only")
    assert "Try the failed messages of 3 imports again?" in str(asked.exception)
    assert imports.retried() == set()
    done = run("retry", "--owner", "panel", "--failed-only", "--yes")
    assert "✓ 1  Its failed messages are tried again." in done.stdout
    for name in ("person", "elsewhere"):
        said = f"✗ ada@{name}.example  {imports.ids[name]}  The password of the old mailbox is needed"
        assert said in done.stdout
    assert done.exit_code == ExitCode.WAITING
    assert imports.retried() == {"company"}
    events = search_events(imports.office.deps, actions=(AuditAction.IMPORT_START,), limit=9)
    assert len(events) == 3, "each, with its outcome"
    [event] = [event for event in events if event.outcome is AuditOutcome.DONE]
    assert event.target not in imports.ids.values()


def test_the_api_tries_them_again_and_names_each_that_needs_a_password(tmp_path: Path) -> None:
    web = WebOffice(tmp_path, access=MemoryAccess(), master=MASTER)
    imports = ended(web.office)
    client = Panel(web)
    path = "/import-actions/retry-failed"
    assert client.post(path).json()["selected"] == 3
    needed = client.post(f"{path}?confirm=3").json()
    assert needed["effects"] == {"not possible": 3}
    assert {each["code"] for each in needed["refused"]} == {"retry_needs_passwords"}
    admin = Panel(web, "admin", TokenScope.READ, TokenScope.WRITE, TokenScope.ADMIN)
    done = admin.post(f"{path}?confirm=3").json()
    assert done["effects"]["done"] + len(done["refused"]) == 3
    for each in done["refused"]:
        assert imports.named(each["id"])
        assert "needed" in each["message"]


def test_the_operators_page_tries_them_again_and_names_each_that_needs_a_password(tmp_path: Path) -> None:
    office = OperatorOffice(tmp_path)
    imports = ended(office.office)
    operator = office.signed_in(OPERATOR)
    page = operator.get("/operator/changes?action=retry-failed&every=yes").text
    assert "Try the failed messages of 3 imports again?" in page
    status, answer = change(operator, "action=retry-failed&every=yes")
    assert status == 200
    for name in ("person", "elsewhere"):
        assert f'href="/operator/imports/{imports.ids[name]}"' in answer
    assert "needed" in answer
