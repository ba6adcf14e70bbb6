"""The page of a batch: compact, in the order of need, with sums, a filter, and buttons for all of it."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from importer.compact.uid_set import UidSet, UidValidity
from importer.domain.audit_event import AuditAction
from importer.domain.model import BatchId, ControlRequest, ImportId, Phase, Problem, Progress, State
from importer.domain.receipts.folder_listing import FolderListing
from importer.domain.receipts.folder_tally import FolderTally
from importer.domain.reporting.attention import need
from importer.domain.reporting.batch_overview import Standing, Summary, summary_due
from importer.i18n.state_texts import state_word
from importer.i18n.translations import LANGUAGES, texts
from importer.web import live_progress
from importer.web.batch_view import RowFilter, sums
from importer.web.pages import batch_pages, imports_page
from providers.text import Text
from tests.fakes.mailbox_access import MemoryAccess
from tests.rehearsal.ports import PATIENCE_S
from tests.texts import LANGUAGES as TRANSLATED
from tests.unit.batch_office import HEAD, BatchOffice
from tests.unit.test_live import guest_of
from tests.unit.web_office import RIGHT, Browser, WebOffice

COPYING = Progress("INBOX", 1, 3, 123, 400, 2_000_000, Phase.COPYING, copying_s=12.0)


@pytest.fixture
def office(tmp_path: Path) -> BatchOffice:
    return BatchOffice(tmp_path)


def text_of(page: str) -> str:
    """The words of a page, without its elements."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def routes(page: str) -> list[str]:
    """The old addresses in the order of the list."""
    return re.findall(r'class="route"><span>([^<]+)</span>', page)


def headings(page: str) -> list[str]:
    return re.findall(r'<h2 id="standing-([^"]+)"', page)


# --- The list -----------------------------------------------------------------------------------------


def test_a_batch_is_shown_in_the_order_of_need_with_its_sums(office: BatchOffice) -> None:
    office.mixed()
    page = office.admin.get(office.path).text
    assert headings(page) == ["needs-you", "running", "owner", "waiting", "complete"]
    assert len(routes(page)) == 25
    assert routes(page)[:3] == ["u10@old.example", "u11@old.example", "u12@old.example"]
    words = text_of(page)
    for total in ("10 Completed", "4 Running", "2 Waiting for their owners", "3 Need you"):
        assert total in words
    assert "Time left" in words


def test_the_page_of_an_import_names_the_id_that_the_operator_asks_for(office: BatchOffice) -> None:
    import_ = office.set(0, State.FAILED, Problem(Text("internal"), None))
    page = office.admin.get(f"/imports/{import_.id}").text
    assert "give the import&#39;s id to the operator" in page
    assert re.search(rf"Id: <span[^>]*>{import_.id}</span>", page)


def test_a_batch_is_one_of_the_imports_in_the_navigation(office: BatchOffice) -> None:
    assert '<a href="/imports" aria-current="page">' in office.admin.get(office.path).text


def test_a_sum_agrees_with_its_number() -> None:
    shown = {
        language: [
            f"{each.number} {each.title}"
            for each in sums(
                texts(language), {Standing.NEEDS_YOU: 1, Standing.RUNNING: 2, Standing.OWNER: 1}, RowFilter()
            )
        ]
        for language in ("en", "de", "fr")
    }
    assert shown == {
        "en": ["0 Completed", "2 Running", "1 Waiting for its owner", "1 Needs you"],
        "de": ["0 Vollständig", "2 Laufen", "1 Wartet auf Inhaber", "1 Braucht Sie"],
        "fr": ["0 Complète", "2 En cours", "1 Attend son titulaire", "1 A besoin de vous"],
    }


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize(
    ("standing", "state"), [(Standing.UNDONE, State.UNDONE), (Standing.CANCELLED, State.CANCELLED)]
)
def test_a_sum_of_one_has_the_word_of_the_state(language: str, standing: Standing, state: State) -> None:
    """In French and Italian, an undone thing alone is a defeat."""
    words = texts(language)
    [title] = [each.title for each in sums(words, {standing: 1}, RowFilter()) if each.standing is standing]
    assert title == state_word(words, state)


def test_until_all_have_ended_the_page_renews_itself_without_a_script(office: BatchOffice) -> None:
    renews = '<noscript><meta http-equiv="refresh"'
    assert renews in office.admin.get(office.path).text
    for row in range(25):
        office.set(row, State.COMPLETE)
    assert renews not in office.admin.get(office.path).text


def test_a_page_of_25_needs_few_queries(office: BatchOffice) -> None:
    office.mixed()
    office.set(0, State.INCOMPLETE, progress=Progress("", 3, 3, 300, 301, 1))
    admin, counted = office.counted()
    for path in (office.path, f"{office.path}/live", "/imports", f"{office.path}?q=u1&state=running"):
        counted.calls.clear()
        assert admin.get(path).status_code == 200
        assert sum(counted.calls.values()) <= 10, (path, counted.calls)


def test_one_import_keeps_its_own_page(office: BatchOffice) -> None:
    office.admin.get("/new")
    path = office.admin.start_import("solo@old.example")
    assert 'class="card import"' in office.admin.get(path).text


def test_the_list_is_filtered_by_address_and_state_and_the_sums_stay(office: BatchOffice) -> None:
    office.mixed()
    page = office.admin.get(f"{office.path}?q=U1@&state=").text
    assert routes(page) == ["u1@old.example"]
    assert "3 Need you" in text_of(page)
    page = office.admin.get(f"{office.path}?state=running").text
    assert headings(page) == ["running"]
    assert 'name="state" value="running"' in page, "a search keeps the state"
    page = office.admin.get(f"{office.path}?q=nobody%22%3E&state=made-up").text
    assert not routes(page)
    assert 'value="nobody&#34;&gt;"' in page
    assert "No import matches" in page


def test_the_list_of_all_imports_has_sums_and_a_filter(office: BatchOffice) -> None:
    office.mixed()
    page = office.admin.get("/imports").text
    assert "10 Completed" in text_of(page)
    assert len(routes(page)) == 25
    page = office.admin.get("/imports?q=g1&state=owner").text
    assert routes(page) == ["g1@gmail.com"]


def test_a_search_reaches_every_import_and_the_list_has_parts(
    office: BatchOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many imports came after it; each query is about one part."""
    monkeypatch.setattr(imports_page, "LISTED", 10)
    office.mixed()
    seen: list[str] = []
    path = "/imports"
    while path:
        page = office.admin.get(path).text
        assert "10 Completed" in text_of(page), "the sums are those of all"
        seen += routes(page)
        assert len(routes(page)) <= 10
        path = next(iter(re.findall(r'href="([^"]+)" rel="next"', page)), "")
    assert sorted(seen) == sorted(import_.source.address for import_ in office.imports)
    assert routes(office.admin.get("/imports?q=U22@").text) == ["u22@old.example"]
    page = office.admin.get("/imports?state=complete&q=old").text
    assert len(routes(page)) == 10
    assert 'rel="next"' not in page
    for after in ("nobody", "../", "%00"):
        assert not routes(office.admin.get(f"/imports?after={after}").text) or after != "nobody"
    stranger = office.web.browser()
    stranger.sign_in("eve@new.example")
    assert not routes(stranger.get(f"/imports?q=old&after={office.imports[0].id}").text)


def test_a_queued_row_says_that_it_waits_for_its_turn(office: BatchOffice) -> None:
    office.mixed()
    words = text_of(office.admin.get(office.path).text)
    assert "in a moment" not in words
    assert "It starts next" in words
    assert "5 mailboxes start before it" in words  # rows 17 to 22 are queued
    last = office.imports[22]
    assert "5 mailboxes start before it" in text_of(office.admin.get(f"/imports/{last.id}").text)


def test_a_row_that_has_ended_with_gaps_says_which(office: BatchOffice) -> None:
    import_ = office.set(0, State.INCOMPLETE, progress=Progress("", 3, 3, 3, 3, 1))
    store = office.web.deps.store
    lease = store.acquire(f"import:{import_.id}", "test", timedelta(minutes=1))
    assert lease is not None
    store.save_tallies(import_.id, [FolderTally("INBOX", "INBOX", 3, 2, failed=1)], lease)
    assert "1 could not be copied" in text_of(office.admin.get(office.path).text)


def test_a_row_that_was_run_again_no_longer_needs_anybody(office: BatchOffice) -> None:
    office.mixed()
    old = office.imports[10]
    new = replace(old, id=ImportId("fresh"), batch_id=BatchId("fresh"), state=State.QUEUED, problem=None)
    store = office.web.deps.store
    batch = store.batch(BatchId(office.path.rpartition("/")[2]))
    assert batch is not None
    store.add_batch(replace(batch, id=BatchId("fresh"), imports=(new.id,)), [(new, None)])
    page = office.admin.get(office.path).text
    assert "2 Need you" in text_of(page)
    assert "1 Run again" in text_of(page)
    assert headings(page) == ["needs-you", "running", "owner", "waiting", "complete", "repeated"]
    assert f'href="/imports/{old.id}/again"' not in page
    assert 'href="/imports/fresh"' in page
    assert 'href="/imports/fresh"' in office.admin.get(f"/imports/{old.id}").text
    assert summary_due([office.imports[10], office.imports[0]], office.web.deps.clock.now()) is Summary.FINAL
    assert need(office.imports[10]) is None


# --- Owners -------------------------------------------------------------------------------------------


def test_the_administrator_gets_the_link_and_no_button_to_sign_in(office: BatchOffice) -> None:
    page = office.admin.get(office.path).text
    assert "Sign in now" not in page
    assert "Sign in as" not in page
    [link, _] = re.findall(r'data-copy="([^"]+)"', page)
    assert link.startswith("https://haul.example/consent/")
    words = text_of(page)
    assert "Invitation: Mar 2." in words
    assert "Valid until:" in words
    assert "Next reminder:" in words
    single = office.admin.get(f"/imports/{office.imports[-1].id}").text
    assert "Sign in now" not in single
    assert "Remind now" in single


def test_people_who_move_their_own_mailbox_get_the_button(tmp_path: Path) -> None:
    web = WebOffice(tmp_path, access=MemoryAccess(frozenset({"google"})))
    ada = web.browser()
    ada.sign_in()
    row = "ada@gmail.com,,,ada@new.example," + RIGHT
    ada.post("/file", rows=HEAD + row + "\n")
    path = ada.post("/file/start").headers["location"]
    page = ada.get(path).text
    assert "Sign in now" in page
    assert "Remind now" not in page


def test_a_reminder_is_mailed_once_an_hour_and_on_record(office: BatchOffice) -> None:
    import_ = office.imports[-1]
    store = office.web.deps.store
    before = store.notices(f"consent:{import_.id}:")
    assert len(before) == 1
    office.admin.get(office.path)
    answer = office.admin.post(f"/imports/{import_.id}/remind", side="source", back="batch")
    assert answer.headers["location"] == office.path
    [_, reminder] = store.notices(f"consent:{import_.id}:")
    assert reminder.recipient == import_.source.address
    assert reminder.subject.startswith("Reminder")
    assert office.admin.post(f"/imports/{import_.id}/remind", side="source").status_code == 429
    assert len(store.notices(f"consent:{import_.id}:")) == 2
    actions = [event.action for event in store.audit_events(target=import_.id, limit=9)]
    assert actions.count(AuditAction.CONSENT_REMIND) == 2  # done, and refused


def test_only_the_owner_of_the_batch_reminds(office: BatchOffice) -> None:
    stranger = office.web.browser()
    stranger.sign_in("eve@new.example")
    import_ = office.imports[-1]
    assert stranger.post(f"/imports/{import_.id}/remind", side="source").status_code == 404
    assert len(office.web.deps.store.notices(f"consent:{import_.id}:")) == 1


def test_an_import_that_waits_for_nobody_sends_no_reminder(office: BatchOffice) -> None:
    import_ = office.imports[0]
    for side in ("source", "destination", "nonsense", ""):
        answer = office.admin.post(f"/imports/{import_.id}/remind", side=side)
        assert "No reminder can be sent" in answer.text
    assert not office.web.deps.store.notices(f"consent:{import_.id}:")


# --- All of it ------------------------------------------------------------------------------------------


def test_a_whole_batch_is_paused_resumed_and_cancelled(office: BatchOffice) -> None:
    page = office.admin.get(office.path).text
    assert "Pause 25 imports" in page
    assert office.admin.post(f"{office.path}/pause").headers["location"] == office.path
    assert {import_.state for import_ in office.imports} == {State.PAUSED}
    page = office.admin.get(office.path).text
    assert "Resume 25 imports" in page
    assert "Pause 25" not in page
    office.admin.post(f"{office.path}/resume")
    assert State.PAUSED not in {import_.state for import_ in office.imports}
    page = office.admin.get(office.path).text
    assert "End 25 imports?" in page
    office.admin.post(f"{office.path}/cancel")
    assert {import_.state for import_ in office.imports} == {State.CANCELLED}
    events = office.web.deps.store.audit_events(actions=[AuditAction.IMPORT_CANCEL], limit=99)
    assert {event.target for event in events} == {import_.id for import_ in office.imports}


def test_a_button_for_all_changes_only_what_its_page_showed(office: BatchOffice) -> None:
    """Another tab resumed two imports meanwhile: pausing "the other 23" says so instead."""
    office.set(3, State.PAUSED)
    office.admin.get(office.path)
    office.set(3, State.QUEUED)
    answer = office.admin.post(f"{office.path}/pause")
    assert answer.status_code == 409
    assert "out of date" in answer.text
    assert all(import_.requested is None for import_ in office.imports)
    assert office.admin.post(f"{office.path}/pause").headers["location"] == office.path


def test_what_ended_meanwhile_is_no_obstacle(office: BatchOffice) -> None:
    office.admin.get(office.path)
    office.set(0, State.COMPLETE)
    assert office.admin.post(f"{office.path}/cancel").headers["location"] == office.path
    assert office.imports[0].state is State.COMPLETE
    assert {import_.state for import_ in office.imports[1:]} == {State.CANCELLED}


@pytest.mark.parametrize("fields", [{"imports": "", "shown": ""}, {"shown": "0" * 32}, {"imports": "x"}])
def test_a_forged_form_changes_nothing(office: BatchOffice, fields: dict[str, str]) -> None:
    office.admin.get(office.path)
    assert office.admin.post(f"{office.path}/cancel", **fields).status_code == 409
    assert not any(import_.requested is ControlRequest.CANCEL for import_ in office.imports)


def test_a_batch_of_another_person_cannot_be_changed(office: BatchOffice) -> None:
    stranger = Browser(office.web.browser().client)
    stranger.sign_in("eve@new.example")
    for wish in ("pause", "resume", "cancel"):
        assert stranger.post(f"{office.path}/{wish}").status_code == 404


# --- Live -----------------------------------------------------------------------------------------------


def test_the_stream_sends_rows_and_the_list_when_its_order_changes(
    office: BatchOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_progress, "POLL_INTERVAL_S", 0.01)
    office.mixed()

    async def scenario() -> None:
        guest = guest_of(office.web, office.admin, live_progress.Feed(office.web.deps))
        _, batch, ids = None, office.imports[0].batch_id, [import_.id for import_ in office.imports]
        assert batch is not None
        stored = office.web.deps.store.batch(batch)
        assert stored is not None
        stream = batch_pages._stream(guest, stored, ids, RowFilter())
        assert (await anext(stream)).startswith(b"retry")

        assert {"total", "rows", "batch-acts"} <= set(await next_parts(stream))
        running = office.imports[13]
        office.set(13, State.RUNNING, progress=COPYING)
        changed = await next_parts(stream)
        assert "123 of 400" in changed[f"row-{running.id}"]
        assert "rows" not in changed
        office.set(13, State.COMPLETE, progress=Progress("", 3, 3, 400, 400, 3_000_000))
        while "rows" not in (changed := await next_parts(stream)):
            pass
        assert "<strong>11</strong>" in changed["total"]
        assert changed["news"].startswith("11 Completed, ")
        await stream.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_the_list_of_all_imports_is_live(office: BatchOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_progress, "POLL_INTERVAL_S", 0.01)
    office.mixed()
    assert 'data-live="/imports"' in office.admin.get("/imports").text
    newest = office.imports[0].id
    polled = office.admin.get(f"/imports/live?newest={newest}").json()
    assert not polled["over"]
    assert {"sums", "news", *(f"row-{import_.id}" for import_ in office.imports)} == polled["parts"].keys()
    assert office.admin.get("/imports/live?newest=another").json()["parts"].keys() == {"sums", "news", "list"}

    async def scenario() -> None:
        guest = guest_of(office.web, office.admin, live_progress.Feed(office.web.deps))
        stream = imports_page._stream(imports_page._Part(guest, RowFilter(), ""), newest)
        assert (await anext(stream)).startswith(b"retry")

        async def parts_with(id_: str, words: str) -> dict[str, str]:
            while words not in (parts := await next_parts(stream)).get(id_, ""):
                assert "list" not in parts
            return parts

        assert (await next_parts(stream)).keys() == {"sums", "news"}
        office.set(13, State.RUNNING, progress=COPYING)
        assert "sums" not in await parts_with(f"row-{office.imports[13].id}", "123 of 400")
        office.set(13, State.COMPLETE, progress=COPYING)
        await parts_with("sums", "<strong>11</strong>")
        await stream.aclose()

    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


def test_what_is_submitted_elsewhere_comes_into_the_open_list(
    office: BatchOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also into an empty one, one that has ended, and one that was loaded before the stream began."""
    monkeypatch.setattr(imports_page, "NEWS_EVERY_S", 0.05)
    visitor = office.web.browser()
    visitor.sign_in("ada@new.example")
    assert 'data-live="/imports" data-query="?newest="' in visitor.get("/imports").text

    async def scenario() -> None:
        guest = guest_of(office.web, visitor, live_progress.Feed(office.web.deps))

        async def news(newest: str) -> AsyncGenerator[dict[str, str], None]:
            stream = imports_page._stream(imports_page._Part(guest, RowFilter(), ""), newest)
            async for event in stream:
                if data := re.findall(rb"^event: parts\ndata: (.*)\n", event):
                    yield json.loads(data[0])

        stream = news("")
        assert await anext(stream) == {"sums": "", "news": ""}
        await asyncio.to_thread(visitor.start_import, "grace@old.example")
        [last] = [parts async for parts in stream]  # the browser reconnects
        assert "grace@old.example" in last["list"].replace("<wbr>", "")
        assert "<strong>1</strong>" in last["sums"]
        late = news("")
        assert "grace@old.example" in (await anext(late))["list"].replace("<wbr>", "")
        await late.aclose()

    visitor.get("/new")
    asyncio.run(asyncio.wait_for(scenario(), PATIENCE_S))


async def next_parts(stream: AsyncGenerator[bytes, None]) -> dict[str, str]:
    """Of the next event that has any."""
    while not (data := re.findall(rb"data: (.*)\n", await asyncio.wait_for(anext(stream), PATIENCE_S))):
        pass
    found: dict[str, str] = json.loads(data[0])
    return found


# --- Results --------------------------------------------------------------------------------------------


def test_the_results_are_a_table_without_formulas(office: BatchOffice) -> None:
    office.mixed()
    store: Any = office.web.deps.store
    first = office.imports[0]
    store._imports[first.id] = replace(first, source=replace(first.source, address="=1+1@old.example"))
    unseen, departed = UidSet.parse("2:4"), UidSet.parse("4")
    listing = FolderListing(UidValidity(1), UidValidity(1), unseen=unseen, departed=departed)
    tally = FolderTally("INBOX", "INBOX", found=5, present=2, failed=3, listing=listing)
    store._tallies[first.id] = {"INBOX": tally}
    text = office.admin.get(f"{office.path}/results.csv").content.decode("utf-8-sig")
    lines = text.splitlines()
    assert len(lines) == 26
    assert lines[0].startswith("Line,Old mailbox,New mailbox,State,Reason,Found,Copied")
    assert "'=1+1@old.example" in lines[1]
    assert "Stopped" in text
    book = load_workbook(io.BytesIO(office.admin.get(f"{office.path}/results.xlsx").content))
    sheet = book.worksheets[0]
    cell = sheet["B2"]
    assert (cell.value, cell.data_type) == ("=1+1@old.example", "s")
    assert sheet.max_row == 26
    head = [one.value for one in sheet[1]]
    assert [sheet[2][head.index(name)].value for name in ("Found", "Not copied", "Never seen there")] == [
        5,
        1,
        2,
    ]
    for language in LANGUAGES:
        path, spoken = f"{office.path}/results.xlsx", {"accept-language": language}
        sheet = load_workbook(io.BytesIO(office.admin.get(path, **spoken).content)).worksheets[0]
        assert sheet.freeze_panes == "B2"
        for number, one in enumerate(sheet[1], 1):
            assert one.font.bold
            width = sheet.column_dimensions[get_column_letter(number)].width
            assert width > len(str(one.value)), one.value
            assert {sheet.cell(line, number).data_type for line in (2, 26)} <= {"s", "n"}
    stranger = office.web.browser()
    stranger.sign_in("eve@new.example")
    for name in ("results.csv", "results.xlsx"):
        assert stranger.get(f"{office.path}/{name}").status_code == 404
