"""Two tabs of one browser in random order: a button starts exactly what its page shows, or nothing."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies import integers, sampled_from

from importer.domain.model import ImportId
from tests.unit.web_office import RIGHT, Browser, WebOffice

PEOPLE = ("anna", "peter", "grace")
TABS = integers(0, 1)
HEADER = "source_address,source_password,source_server,destination_address,destination_password\n"
MAILBOXES = ("ada@new.example", "tom@new.example")


class TwoTabs(RuleBasedStateMachine):
    """`reviews` and `previews`: for each tab, what its last review or preview showed; None without one."""

    @initialize()
    def sign_in(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.office = WebOffice(Path(self.folder.name))
        first = self.office.browser()
        first.sign_in(MAILBOXES[0])
        first.get("/mailboxes")
        first.post("/mailboxes", address=MAILBOXES[1], password=RIGHT)
        self.tabs = [first, Browser(first.client, first.csrf)]
        self.passwords: list[str | None] = [None, None]
        self.reviews: list[tuple[set[str], dict[str, str]] | None] = [None, None]
        self.previews: list[set[tuple[str, str]] | None] = [None, None]
        self.known: set[ImportId] = set()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def started(self) -> set[tuple[str, str]]:
        """The old and the new address of each import since the last call."""
        fresh = [i for i in self.office.deps.store.imports(limit=10_000) if i.id not in self.known]
        self.known |= {i.id for i in fresh}
        return {(i.source.address, i.destination.address) for i in fresh}

    @rule(tab=TABS, name=sampled_from(PEOPLE))
    def an_old_address_is_entered(self, tab: int, name: str) -> None:
        self.tabs[tab].post("/new", address=f"{name}@old.example")
        self.passwords[tab] = f"{name}@old.example"

    @precondition(lambda self: any(self.passwords))
    @rule(tab=TABS)
    def a_password_is_entered(self, tab: int) -> None:
        shown = self.passwords[tab]
        if shown is None:
            return
        answer = self.tabs[tab].post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
        assert answer.headers["location"] == "/new/review"
        assert self.office.doors.knocks[-1][0].address == shown
        self.passwords[tab] = None
        self.a_review_is_opened(tab)

    @rule(tab=TABS)
    def a_review_is_opened(self, tab: int) -> None:
        self._review_seen(tab, self.tabs[tab].get("/new/review").text)

    def _review_seen(self, tab: int, page: str) -> None:
        sources = set(re.findall(r"<span>(\S+@old\.example)</span></h2>", page))
        destinations = re.findall(r'name="destination" value="([^"]+)"[^>]*>\s*<span>([^ <]+)', page)
        self.reviews[tab] = (sources, {address: key for key, address in destinations}) if sources else None

    @rule(tab=TABS, into=sampled_from(MAILBOXES))
    def a_review_is_submitted(self, tab: int, into: str) -> None:
        review = self.reviews[tab]
        if review is None:
            return
        sources, destinations = review
        answer = self.tabs[tab].post("/new/start", destination=destinations[into])
        started = self.started()
        assert started <= {(source, into) for source in sources}
        if answer.status_code == 409:
            assert not started
            self._review_seen(tab, answer.text)
        else:
            self.reviews[tab] = None

    @rule(
        tab=TABS, names=sampled_from([("anna",), ("peter",), ("anna", "grace")]), into=sampled_from(MAILBOXES)
    )
    def a_file_is_uploaded(self, tab: int, names: tuple[str, ...], into: str) -> None:
        rows = [f"{name}@old.example,x,imap.old.example,{into},{RIGHT}\n" for name in names]
        answer = self.tabs[tab].post("/file", rows=HEADER + "".join(rows))
        if answer.headers.get("location") == "/file/preview":
            self.previews[tab] = {(f"{name}@old.example", into) for name in names}

    @rule(tab=TABS)
    def a_preview_is_submitted(self, tab: int) -> None:
        shown = self.previews[tab]
        if shown is None:
            return
        answer = self.tabs[tab].post("/file/start")
        started = self.started()
        assert started <= shown
        if answer.status_code == 409:
            assert not started
        self.previews[tab] = None

    @rule(tab=TABS, number=integers(0, 5))
    def an_import_is_run_again(self, tab: int, number: int) -> None:
        earlier = [i for i in self.office.deps.store.imports(limit=10_000) if i.state.value == "cancelled"]
        if not earlier:
            return
        import_ = earlier[number % len(earlier)]
        self.tabs[tab].post(f"/imports/{import_.id}/again")
        self.passwords[tab] = import_.source.address
        self.a_password_is_entered(tab)
        selected = re.search(
            r'name="destination"[^>]* checked>\s*<span>([^ <]+)', self.tabs[tab].get("/new/review").text
        )
        assert selected is not None
        assert selected[1] == import_.destination.address

    @rule()
    def everything_is_cancelled(self) -> None:
        for import_ in self.office.deps.store.imports(limit=10_000):
            self.tabs[0].post(f"/imports/{import_.id}/cancel")


TestTwoTabs = TwoTabs.TestCase
TestTwoTabs.settings = settings(stateful_step_count=20)
