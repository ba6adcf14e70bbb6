"""Every page in every state that the other tests do not open passes axe, fits a window, and cuts nothing off.

`make test` looks at one language on a phone or a desktop, `make soak` at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from importer.compact.uid_set import Uid, UidValidity
from importer.domain.messages.skip_reason import SkipReason
from importer.domain.model import Import, Phase, Problem, Progress, State
from importer.domain.receipts.folder_tally import FolderTally, Refusal, RefusalCode
from importer.i18n.translations import LANGUAGES
from importer.service.access import consent_requests
from providers.errors import Side
from providers.text import ByteSize, Text
from tests.browser.soundness import nothing_is_cut, sound
from tests.browser.stage import DESKTOP, PHONE
from tests.browser.still_pages import still
from tests.rehearsal.stored_imports import LONG_FOLDER
from tests.unit.batch_office import HEAD, BatchOffice
from tests.unit.web_office import RIGHT
from tests.unit.web_office import Browser as Client

LONG_SUBJECT = "Fotos vom Sommerfest der Abteilung mit allen Anhängen, zweiter Versuch"
TALLIES = [
    FolderTally(
        "INBOX",
        "INBOX",
        123_456,
        100_000,
        20_000,
        56,
        {SkipReason("before_date", "2020-01-31"): 400},
        7,
        gone=5,
    ),
    FolderTally(LONG_FOLDER, LONG_FOLDER, 12_000, 11_000),
]
APP_PASSWORD = Problem(
    Text("login_rejected.app_password", host="imap.gmail.com", steps=Text("app_password_google")),
    Side.SOURCE,
    "[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833",
)
"""Its advice has a long address, and so have the words of the server."""
PROBLEMS = {
    State.STOPPED: APP_PASSWORD,
    State.FAILED: Problem(Text("internal"), None),
    State.WAITING: Problem(Text("server_unavailable", host="imap.old.example"), Side.SOURCE),
    State.PAUSED: None,
}
_RULED = "found => found.filter((e) => getComputedStyle(e).borderTopWidth !== '0px').map((e) => e.outerHTML)"
BAD_ROWS = (
    HEAD
    + "anna@old.example,1.23E+10,imap.old.example,it@new.example,\n"
    + "anna@old,right,imap.old.example,anna@new.example,right\n"
    + "#info@old.example,right,imap.old.example,info@new.example,right\n"
    + 'bea@old.example,"right ",imap.old.example,bea@new.example,right,one cell too many\n'
)


def in_state(office: BatchOffice, row: int, state: State) -> Import:
    """The import of that row with numbers in every column, and refusals."""
    progress = Progress(LONG_FOLDER, 3, 10, 120_056, 135_456, 1_234_567_890, Phase.COPYING, copying_s=60.0)
    now, ended = office.web.deps.clock.now(), state not in (State.RUNNING, State.WAITING, State.PAUSED)
    facts = {"started_at": now, "finished_at": now if ended else None, "not_before": now + timedelta(hours=1)}
    import_ = office.set(row, state, PROBLEMS.get(state), progress=progress, **facts)
    store = office.web.deps.store
    lease = store.acquire(f"import:{import_.id}", "test", timedelta(minutes=1))
    assert lease is not None
    store.save_tallies(import_.id, TALLIES, lease, progress=progress)
    validity, date = UidValidity(1), "Tue, 05 May 2020 00:00:00 +0000"
    refused = [
        Refusal(
            import_.id,
            LONG_FOLDER,
            validity,
            Uid(4),
            Text("too_large", size=ByteSize(60_000_000)),
            date,
            LONG_SUBJECT,
            60_000_000,
        ),
        Refusal(import_.id, "INBOX", validity, Uid(5), Text("other.words", words="[LIMIT] no"), "", "", 1),
        Refusal(import_.id, "INBOX", validity, Uid(6), Text(RefusalCode.NEVER_SEEN), date, "one", 1),
    ]
    store.record(import_.route, LONG_FOLDER, [], refused, lease)
    store.release(lease)
    return import_


def pages_of_a_visitor(office: BatchOffice, language: str) -> Iterator[tuple[str, str]]:
    """Before and while somebody signs in, and what is wrong with a request."""
    visitor = client(office, language)
    yield "front", visitor.get("/").text
    yield "front-refused", visitor.post("/sign-in", address="ada@new.example", password="wrong").text
    yield "front-unfinished", visitor.post("/sign-in", address="ada", password="").text
    visitor.get("/imports")
    yield "front-session-over", visitor.get("/").text
    yield "missing", visitor.get("/nothing/here").text
    visitor.csrf = "0" * 64
    yield "form-expired", visitor.post("/sign-in", address="ada@new.example", password=RIGHT).text
    yield "link-used", visitor.get("/consent/abcdefgh").text
    yield "sign-in-refused", visitor.get("/sign-in/google?error=access_denied&state=x").text


def pages_of_a_person(office: BatchOffice, language: str) -> Iterator[tuple[str, str]]:
    """From the old address to the start, without any import yet."""
    person = client(office, language)
    person.sign_in("grace@new.example")
    yield "no-imports", person.get("/imports").text
    yield "activity", person.get("/activity").text
    yield "mailboxes", person.get("/mailboxes").text
    yield "mailboxes-refused", person.post("/mailboxes", address="x@new.example", password="wrong").text
    yield "address", person.get("/new").text
    for name, address in (("refused", "grace@"), ("unknown", "grace@nowhere.example")):
        typed = {"csrf": person.csrf, "address": address}
        yield f"address-{name}", person.client.post("/new", data=typed).text
    person.post("/new", address="grace@old.example")
    yield "old-mailbox", person.get("/new/mailbox").text
    refused = person.post("/new/mailbox", password="wrong", server="imap.old.example", port="993")
    yield "old-mailbox-refused", refused.text
    yield (
        "old-mailbox-port",
        person.post("/new/mailbox", password="x", server="imap.old.example", port="many").text,
    )
    person.post("/new/mailbox", password=RIGHT, server="imap.old.example", port="993")
    yield "review", person.get("/new/review").text
    person.post("/new", address="grace@gmail.com")
    yield "old-mailbox-google", person.get("/new/mailbox").text
    yield "file", person.get("/file").text
    yield "file-empty", person.post("/file", rows="").text
    person.post("/file", rows=BAD_ROWS)
    yield "preview", person.get("/file/preview").text


def pages_of_imports(office: BatchOffice, language: str) -> Iterator[tuple[str, str]]:
    """The page of an import in each state, what leads on from it, and the lists."""
    admin = office.admin
    admin.draws = True
    admin.client.headers["accept-language"] = language
    for row, state in enumerate(State):
        import_ = in_state(office, row, state)
        yield f"import-{state.value}", admin.get(f"/imports/{import_.id}").text
        if state in (State.STOPPED, State.INCOMPLETE, State.COMPLETE):
            yield f"again-{state.value}", admin.get(f"/imports/{import_.id}/again").text
            yield f"verify-{state.value}", admin.get(f"/imports/{import_.id}/verify").text
    awaited = office.imports[-1]
    yield "import-awaits-owner", admin.get(f"/imports/{awaited.id}").text
    link = consent_requests.links(office.web.deps, [awaited])[awaited.id][Side.SOURCE]
    yield "consent", admin.get(link[link.index("/consent/") :]).text
    yield "imports", admin.get("/imports").text
    yield "imports-none-match", admin.get("/imports?q=nobody").text
    yield "batch-none-match", admin.get(f"{office.path}?q=nobody").text
    admin.get("/new")
    yield "single", admin.get(admin.start_import("solo@old.example")).text


def client(office: BatchOffice, language: str) -> Client:
    browser = office.web.browser()
    browser.draws = True
    browser.client.headers["accept-language"] = language
    return browser


def states(root: Path, language: str) -> dict[str, str]:
    office = BatchOffice(root)
    parts = (pages_of_a_visitor, pages_of_a_person, pages_of_imports)
    return {name: still(html) for part in parts for name, html in part(office, language)}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_state_is_accessible_and_fits(
    chromium: Browser, tmp_path: Path, size: dict[str, int], language: str
) -> None:
    with ThreadPoolExecutor(1) as apart:  # Playwright has an event loop in this thread
        found = apart.submit(states, tmp_path, language).result()
    assert all(f'<html lang="{language}' in html for html in found.values())
    page = chromium.new_page(
        viewport={"width": size["width"], "height": size["height"]}, reduced_motion="reduce"
    )
    for name, html in found.items():
        page.set_content(html)
        if pictures := os.environ.get("PICTURES"):
            page.screenshot(path=f"{pictures}/{name}-{size['width']}-{language}.png", full_page=True)
        try:
            sound(page)
            nothing_is_cut(page)
            assert page.locator(".owner .buttons").evaluate_all(_RULED) == [], "a line parts only the actions"
        except AssertionError as error:
            error.add_note(f"on the page “{name}”")
            raise
