"""An installation with pages whose operator is `it@new.example`, and imports of two customers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from importer.domain.model import Account, ControlRequest, Import, Phase, Problem, Progress, State
from importer.domain.people.actor import Actor
from importer.domain.people.identities import person_of
from importer.service.imports.submit import submit
from providers.endpoint import Endpoint
from providers.errors import Side
from providers.text import Text
from tests.unit.test_service import MINUTE, Office, a_row
from tests.unit.web_office import HOST, RIGHT, Browser, WebOffice

OPERATOR = "it@new.example"
CUSTOMER = "grace@new.example"
WRONG_PASSWORD = Problem(Text("login_rejected.wrong_password", host="imap.old.example"), Side.SOURCE, "no")
AWAY = Problem(Text("server_unavailable", host="imap.old.example"), Side.SOURCE)


def an_import(
    office: Office, name: str, state: State, owner: str = "", password: str = RIGHT, **changed: Any
) -> Import:
    """An import of that owner, a customer with a mailbox unless it is given."""
    address = f"{name}@old.example"
    source = Account(address, address, Endpoint("imap.old.example"))
    actor = Actor(owner=owner or person_of(Account(CUSTOMER, CUSTOMER, HOST)))
    [row] = submit(office.deps, actor, [a_row(password, source)]).rows
    import_ = replace(row.import_, state=state, **changed)
    office.store.update_import(import_)
    return import_


def copying(office: Office, import_: Import, messages: int) -> None:
    progress = Progress("INBOX", 1, 2, messages, 1000, messages * 50_000, Phase.COPYING, copying_s=10.0)
    lease = office.store.acquire(f"import:{import_.id}", "worker", MINUTE)
    assert lease is not None
    office.store.save_tallies(import_.id, (), lease, progress=progress)


@dataclass
class OperatorOffice(WebOffice):
    """As WebOffice, with an operator."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.change_deps(own_host=HOST, operators=frozenset({OPERATOR}))

    def change_deps(self, **changed: Any) -> None:
        self.deps = replace(self.deps, **changed)
        self.pages.state.site = replace(self.pages.state.site, deps=self.deps)

    def signed_in(self, address: str) -> Browser:
        browser = self.browser()
        browser.sign_in(address)
        return browser

    def fill(self) -> dict[str, Import]:
        """Imports in several states by name, one of an API client."""
        office = self.office
        later = office.clock.now() + 30 * MINUTE
        found = {
            "running": an_import(office, "running", State.RUNNING),
            "queued": an_import(office, "queued", State.QUEUED),
            "waiting": an_import(office, "waiting", State.WAITING, problem=AWAY, not_before=later),
            "paused": an_import(office, "paused", State.PAUSED, not_before=later),
            "stopped": an_import(office, "stopped", State.STOPPED, problem=WRONG_PASSWORD),
            "panel": an_import(office, "panel", State.QUEUED, owner="client:panel"),
        }
        office.store.request_control(found["paused"].id, ControlRequest.PAUSE)
        copying(office, found["running"], 300)
        return found


def filled(root: Path) -> tuple[OperatorOffice, Browser, dict[str, Import]]:
    """The office, the operator's browser, and the imports."""
    office = OperatorOffice(root)
    imports = office.fill()
    return office, office.signed_in(OPERATOR), imports
