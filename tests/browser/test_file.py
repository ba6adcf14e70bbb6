"""Import many mailboxes with a file: errors are shown at their cells and in the file, then corrected."""

from __future__ import annotations

import csv
import io
import re

import pytest
from playwright.sync_api import Page, expect

from importer.domain.csv_import.column_names import column_of
from tests.browser.soundness import sound
from tests.browser.stage import Stage, at_rest, sign_in
from tests.rehearsal.sample import sample_mailbox

pytestmark = pytest.mark.sampled(1)  # each on desktop or phone
DONE = re.compile("Complete|Vollständig")
Rows = list[dict[str, str]]


def read(page: Page, link: str) -> tuple[list[str], Rows, str]:
    """Download a file from a link: the names of its columns, its rows by column, and its text."""
    with page.expect_download() as download:
        page.click(f"a[href='{link}']")
    text = download.value.path().read_text(encoding="utf-8-sig")
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    names, *lines = csv.reader(io.StringIO(text), delimiter=delimiter)
    rows = [dict(zip(map(column_of, names), line, strict=False)) for line in lines if line]
    return names, rows, text


def upload(page: Page, url: str, columns: list[str], rows: Rows) -> None:
    """Upload a file with columns of these names and wait for its preview."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([row.get(column_of(name), "") for name in columns] for row in rows)
    page.goto(f"{url}/file")
    page.set_input_files(
        "#file", {"name": "umzug.csv", "mimeType": "text/csv", "buffer": out.getvalue().encode()}
    )
    page.click("form[action='/file'] button.primary")
    page.wait_for_url("**/preview")


def test_a_file_is_corrected_and_its_mailboxes_move(page: Page, site: Stage, name: str) -> None:
    old, new = site.mailboxes(name)
    other, other_new = site.mailboxes(f"{name}b")
    for user in (old, other):
        user.fill(list(sample_mailbox())[:5])
    sign_in(page, site.url, new)
    page.goto(f"{site.url}/file")
    sound(page)
    columns, _, _ = read(page, "/file/template.csv")
    good = {
        "source_address": old.account.address,
        "source_password": old.password,
        "source_server": str(old.account.endpoint),
        "destination_address": new.account.address,
        "destination_password": new.password,
    }
    bad = good | {
        "source_address": "nobody",
        "source_password": other.password,
        "destination_address": other_new.account.address,
        "destination_password": "",
    }
    table = page.locator("table.preview")
    upload(page, site.url, columns, [good, bad])
    expect(table.locator("td.wrong")).to_have_count(2)
    expect(table).not_to_contain_text(old.password)
    sound(page)

    columns_with_problem, rows, text = read(page, "/file/annotated.csv")
    assert column_of(columns_with_problem[-1]) == "problem"
    assert not rows[0]["problem"]
    assert rows[1]["problem"]
    assert old.password not in text
    assert other.password not in text

    rows[1] |= {"source_address": other.account.address, "destination_password": other_new.password}
    upload(page, site.url, columns_with_problem, rows)
    expect(table.locator("td.wrong")).to_have_count(0)
    sound(page)
    page.click("form[action='/file/start'] button")
    page.wait_for_url("**/batches/*")
    pills = page.locator(".pill")
    expect(pills).to_have_count(2)
    for pill in pills.all():
        expect(pill).to_have_text(DONE)
    at_rest(page)
    sound(page)
    for user in (new, other_new):
        assert sum(map(len, user.read().folders.values())) >= 5

    upload(page, site.url, columns, [good])
    page.click("form[action='/file/start'] button")
    expect(page.locator("h1")).to_have_text(re.compile("Nothing to start|nichts zu starten", re.IGNORECASE))
    sound(page)


def test_an_empty_and_a_too_large_upload_are_reported(page: Page, site: Stage, name: str) -> None:
    sign_in(page, site.url, site.mailboxes(name)[1])
    page.goto(f"{site.url}/file")
    page.click("form[action='/file'] button.primary")
    expect(page.locator("[role=alert]")).to_be_visible()
    sound(page)
    for size in (70_000, 300_000):  # beyond the limit of a file, and of a request body
        page.goto(f"{site.url}/file")
        page.set_input_files("#file", {"name": "long.csv", "mimeType": "text/csv", "buffer": b"x" * size})
        page.click("form[action='/file'] button.primary")
        expect(page.locator("main")).to_contain_text("64 kB")
        sound(page)
