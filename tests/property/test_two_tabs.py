"""Two tabs of one browser in random order: a button starts exactly what its page shows, or nothing."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.strategies import integers, sampled_from

from importer.domain.model import ImportId
from importer.service.access.web_sessions import read_session_data
from providers.mailbox_access import Question
from tests.fakes.mailbox_access import MemoryAccess
from tests.unit.test_source_sign_in import Google
from tests.unit.web_office import RIGHT, Browser, WebOffice

PEOPLE = ("anna", "peter", "grace")
TABS = integers(0, 1)
HEADER = "source_address,source_password,source_server,destination_address,destination_password\n"
MAILBOXES = ("ada@new.example", "tom@new.example")


class TwoTabs(RuleBasedStateMachine):
    """`reviews` and `previews`: for each tab, what its last review or preview showed; None without one.

    `at_google`: for each tab that is at Google, the address of the page that led there, and the question.
    """

    @initialize()
    def sign_in(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.office = WebOffice(Path(self.folder.name), access=MemoryAccess(frozenset({"google"})))
        self.google = Google(self.office.access)
        self.at_google: list[tuple[str, Question] | None] = [None, None]
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

    @rule(tab=TABS, name=sampled_from(PEOPLE), other=sampled_from(PEOPLE))
    def a_tab_goes_to_google(self, tab: int, name: str, other: str) -> None:
        """The page of a tab shows one address, while the other tab has typed another one meanwhile."""
        self.tabs[tab].post("/new", address=f"{name}@gmail.com")
        self.tabs[1 - tab].post("/new", address=f"{other}@gmail.com")
        self.tabs[tab].post("/new/sign-in")
        self.passwords[tab], self.passwords[1 - tab] = None, f"{other}@gmail.com"
        self.at_google[tab] = f"{name}@gmail.com", self.google.questions[-1]

    @precondition(lambda self: any(self.at_google))
    @rule(tab=TABS, who=sampled_from((*PEOPLE, "the same")))
    def google_answers(self, tab: int, who: str) -> None:
        """The grant goes to the address of the page that led to Google, if that one signed in, or nowhere."""
        asked = self.at_google[tab]
        if asked is None:
            return
        shown, question = asked
        signed_in = shown if who == "the same" else f"{who}@gmail.com"
        before = self.open_sources()
        answer = self.google.access.sign_in(question, signed_in)
        back = self.tabs[tab]._seen(self.tabs[tab].client.get("/sign-in/google", params=answer))
        self.at_google[tab] = None
        if signed_in != shown:
            assert back.status_code in (403, 409)
            assert self.open_sources() == before
        elif back.status_code == 303:
            assert self.open_sources() - before <= {shown}
            assert shown in self.open_sources()
            self.a_review_is_opened(tab)
            # The token of the session is new; forms of the other tab would be refused for that alone.
            self.tabs[1 - tab].csrf = self.tabs[tab].csrf

    def open_sources(self) -> set[str]:
        """The addresses of the sources that this visit has a grant for."""
        [session] = self.office.office.store.web_sessions(self.office.office.clock.now())
        sources = read_session_data(self.office.deps, session).sources
        return {source.account.address for source in sources if source.signed_in is not None}

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
        shown = re.findall(r"<span>(\S+@(?:old\.example|gmail\.com))</span></h2>", page)
        assert len(shown) == page.count('class="card source"')
        sources = set(shown)  # one address may be open at two servers
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
        if import_.source.address.endswith("@gmail.com"):
            return
        self.passwords[tab] = import_.source.address
        self.a_password_is_entered(tab)
        selected = re.search(
            r'name="destination"[^>]* checked>\s*<span>([^ <]+)', self.tabs[tab].get("/new/review").text
        )
        assert selected is not None
        assert selected[1] == import_.destination.address

    @rule(tab=TABS, number=integers(0, 5), into=sampled_from(MAILBOXES))
    def an_import_is_started_again_on_one_page(self, tab: int, number: int, into: str) -> None:
        """Whatever the tabs have in their forms: the import that the page names, into its own destination."""
        earlier = [i for i in self.office.deps.store.imports(limit=10_000) if i.state.value == "cancelled"]
        if not earlier:
            return
        import_ = earlier[number % len(earlier)]
        self.tabs[1 - tab].post("/new", address=f"other@{into.rpartition('@')[2]}")
        self.passwords[1 - tab] = None  # its page shows that address now
        self.tabs[tab].get(f"/imports/{import_.id}/again")
        self.started()
        self.tabs[tab].post(f"/imports/{import_.id}/again/start", password=RIGHT)
        assert self.started() <= {(import_.source.address, import_.destination.address)}

    @rule()
    def everything_is_cancelled(self) -> None:
        for import_ in self.office.deps.store.imports(limit=10_000):
            self.tabs[0].post(f"/imports/{import_.id}/cancel")


TestTwoTabs = TwoTabs.TestCase
TestTwoTabs.settings = settings(stateful_step_count=20)
