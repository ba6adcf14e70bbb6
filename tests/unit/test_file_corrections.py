"""A file with problems on the pages: good rows start, others are corrected without typing passwords again."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from html import unescape

import pytest

from importer.domain.csv_import.column_names import HEADER
from importer.domain.model import Import
from tests.unit.web_office import Browser, WebOffice

GOOD = "{0}@old.example,old-{0},imap.old.example,{0}@new.example,new-{0}\n"
PEOPLE = [f"p{number:02}" for number in range(1, 25)]
BAD = "anna old.example,old-anna,imap.old.example,anna@new.example,new-anna\n"
FILE = f"{HEADER}\n" + "".join(GOOD.format(name) for name in PEOPLE) + BAD
FIELD = "c26-source_address"


@pytest.fixture
def ada(office: WebOffice) -> Browser:
    browser = office.browser()
    browser.sign_in()
    browser.get("/file")
    return browser


def imports(office: WebOffice) -> list[Import]:
    return list(office.deps.store.imports(limit=200))


def sources(office: WebOffice) -> set[str]:
    return {import_.source.address for import_ in imports(office)}


def shown(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_good_rows_start_and_the_bad_one_is_corrected_without_its_passwords(
    office: WebOffice, ada: Browser
) -> None:
    ada.post("/file", rows=FILE)
    page = ada.get("/file/preview").text
    assert "24 rows are good and can be started now" in shown(page)
    assert "anna old.example" in page
    answer = ada.post("/file/start")
    assert answer.headers["location"] == "/file/preview"
    assert sources(office) == {f"{name}@old.example" for name in PEOPLE}
    page = ada.get("/file/preview").text
    assert "24 rows of this file have been started." in page
    assert "p01@old.example" not in page
    assert "still wait for a correction" in ada.get("/file").text
    answer = ada.post("/file/correct", **{FIELD: "anna@old.example"})
    assert answer.headers["location"] == "/file/preview"
    assert "1 mailbox, all in order" in ada.get("/file/preview").text
    answer = ada.post("/file/start")
    assert answer.headers["location"].startswith("/batches/")
    assert len(imports(office)) == 25
    assert "anna@old.example" in sources(office)
    assert "still wait" not in ada.get("/file").text
    assert ada.get("/file/preview").headers["location"] == "/file"


def test_a_correction_keeps_all_passwords_and_starts_everything_at_once(
    office: WebOffice, ada: Browser
) -> None:
    ada.post("/file", rows=FILE)
    page = ada.get("/file/preview").text
    assert "old-" not in page
    ada.post("/file/correct", **{FIELD: "anna@old.example"})
    assert "25 mailboxes, all in order" in ada.get("/file/preview").text
    ada.post("/file/start")
    assert len(imports(office)) == 25


def test_a_missing_password_is_entered_on_the_page(office: WebOffice, ada: Browser) -> None:
    ada.post("/file", rows=f"{HEADER}\nanna@old.example,,imap.old.example,anna@new.example,new-anna\n")
    page = ada.get("/file/preview").text
    assert re.search(r'name="c2-source_password" type="password"', page)
    ada.post("/file/correct", **{"c2-source_password": " old one "})
    page = ada.get("/file/preview").text
    assert "old one" not in page
    assert "1 mailbox, all in order" in page


def test_a_line_that_could_not_be_separated_is_written_anew(office: WebOffice, ada: Browser) -> None:
    ada.post("/file", rows=f"{HEADER}\nanna@old.example,ge,heim,,anna@new.example,x\n")
    page = ada.get("/file/preview").text
    assert "heim" not in page
    written = {
        "source_address": "anna@old.example",
        "source_password": "ge,heim",
        "source_server": "imap.old.example",
        "destination_address": "anna@new.example",
        "destination_password": "x",
    }
    ada.post("/file/correct", **{f"c2-{column}": text for column, text in written.items()})
    ada.post("/file/start")
    assert sources(office) == {"anna@old.example"}


def test_a_correction_of_another_file_changes_nothing(office: WebOffice, ada: Browser) -> None:
    ada.post("/file", rows=f"{HEADER}\n{BAD}")
    other = Browser(ada.client, ada.csrf)
    other.post("/file", rows=f"{HEADER}\n{BAD.replace('anna', 'bert')}")
    answer = ada.post("/file/correct", **{"c2-source_address": "mallory@old.example"})
    assert answer.status_code == 409
    assert "This page was out of date" in answer.text
    assert "mallory" not in ada.get("/file/preview").text


def test_a_start_after_a_correction_in_another_tab_says_so(office: WebOffice, ada: Browser) -> None:
    ada.post("/file", rows=FILE)
    other = Browser(ada.client, ada.csrf)
    other.get("/file/preview")
    other.post("/file/correct", **{FIELD: "anna@old.example"})
    answer = ada.post("/file/start")
    assert answer.status_code == 409
    assert imports(office) == []


def test_only_cells_with_problems_can_be_written(office: WebOffice, ada: Browser) -> None:
    ada.post("/file", rows=FILE)
    ada.post(
        "/file/correct",
        **{FIELD: "anna@old.example", "c2-source_address": "x@old.example", "c99-source": "y"},
    )
    ada.post("/file/start")
    assert "x@old.example" not in sources(office)
    assert "p01@old.example" in sources(office)


def annotated(ada: Browser) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ada.get("/file/annotated.csv").content.decode("utf-8-sig"))))


def sent_back(ada: Browser, rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    ada.post("/file", rows=out.getvalue())
    return ada.get("/file/preview").text


def test_the_annotated_file_comes_back_without_passwords_and_gets_them_from_the_visit(
    office: WebOffice, ada: Browser
) -> None:
    ada.post("/language", language="de")
    ada.get("/file")
    ada.post("/file", rows=FILE)
    rows = annotated(ada)
    assert list(rows[0])[-1] == "Problem"
    assert "keine E-Mail-Adresse" in rows[-1]["Problem"]
    assert rows[-1]["source_address"] == "anna old.example"
    assert not any(row["source_password"] or row["destination_password"] for row in rows)
    rows[-1]["source_address"] = "anna@old.example"
    page = sent_back(ada, rows)
    assert "25 Postfächer, alles in Ordnung" in shown(page)
    assert page.count("aus der früheren Datei übernommen") == 50
    assert "old-" not in page
    ada.post("/file/start")
    assert len(imports(office)) == 25


def test_a_password_does_not_follow_to_another_mailbox(office: WebOffice, ada: Browser) -> None:
    ada.post("/file", rows=FILE)
    rows = annotated(ada)
    rows[-1]["source_address"] = "anna@old.example"
    rows[0]["source_address"] = "mallory@old.example"  # was valid, so this is somebody else
    rows[1]["source_server"] = "imap.mallory.example"
    page = sent_back(ada, rows)
    assert "2 problems must be fixed" in shown(page)
    assert page.count("The password is missing.") >= 2


def test_a_file_of_another_visit_gets_no_passwords(office: WebOffice, ada: Browser) -> None:
    ada.post("/file", rows=FILE)
    rows = annotated(ada)
    grace = office.browser()
    grace.sign_in("grace@new.example")
    grace.get("/file")
    assert "kept from" not in sent_back(grace, rows)


def test_more_than_25_rows_become_several_batches_and_the_page_says_so(
    office: WebOffice, ada: Browser
) -> None:
    people = [f"p{number:02}" for number in range(60)]
    ada.post("/file", rows=f"{HEADER}\n" + "".join(GOOD.format(name) for name in people))
    page = shown(ada.get("/file/preview").text)
    assert "60 mailboxes, all in order" in page
    assert "3 batches of up to 25 mailboxes" in page
    assert "Import 60 mailboxes" in page
    assert ada.post("/file/start").headers["location"] == "/imports"
    assert sorted(Counter(import_.batch_id for import_ in imports(office)).values()) == [10, 25, 25]


def test_what_prevents_reading_any_row_offers_no_empty_file(ada: Browser) -> None:
    ada.post("/file", rows="a,b,c\n1,2,3\n")
    page = ada.get("/file/preview").text
    assert "does not name the columns" in page
    assert "annotated.csv" not in page
    assert "marked below" not in page


def test_a_password_in_the_address_column_is_not_shown(ada: Browser) -> None:
    swapped = "hunter22,anna@old.example,imap.old.example,anna@new.example,x\n"
    ada.post("/file", rows=f"{HEADER}\n{swapped}hunter33,x,,y,z\n")
    page = ada.get("/file/preview").text + ada.get("/file/annotated.csv").text
    assert "hunter" not in page


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
def test_templates_come_in_the_readers_language(ada: Browser, language: str) -> None:
    ada.post("/language", language=language)
    answer = ada.get("/file/template.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    text = answer.content.decode("utf-8-sig")
    assert (";" in text.split("\n")[0]) == (language != "en")
    assert answer.content.startswith(b"\xef\xbb\xbf") == (language != "en")
    answer = ada.get("/file/template.xlsx")
    assert answer.content.startswith(b"PK")
    assert answer.headers["content-disposition"] == 'attachment; filename="mailhaul.xlsx"'
    file = {"csrf": (None, ada.csrf), "file": ("mailhaul.xlsx", answer.content)}
    assert ada.client.post("/file", files=file).headers["location"] == "/file/preview"


@pytest.mark.parametrize(
    ("address", "password", "said"),
    [
        ("#info@old.example", "old", "Check what is marked in yellow below."),
        ("info@old.example", "1.23E+10", "A spreadsheet may have changed 1 cell."),
    ],
)
def test_a_spreadsheet_is_blamed_only_for_what_it_does(
    ada: Browser, address: str, password: str, said: str
) -> None:
    ada.post("/file", rows=f"{HEADER}\n{address},{password},imap.old.example,info@new.example,new\n")
    page = shown(ada.get("/file/preview").text)
    assert said in page
    assert page.count("yellow") == 1
