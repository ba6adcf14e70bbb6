"""Traces of spreadsheets in files, by kind: interpreted if unambiguous, otherwise noted."""

from __future__ import annotations

import csv
import io
import time
import zipfile
from datetime import date, datetime, timedelta

import pytest
from openpyxl import Workbook

from importer.domain.csv_import import workbook
from importer.domain.csv_import.column_names import KNOWN_COLUMNS, USUAL_COLUMNS, column_of, name_in
from importer.domain.csv_import.csv_reader import read as read_sheet
from importer.domain.csv_import.import_rows import Parsed
from importer.domain.csv_import.row_parser import parse
from importer.domain.csv_import.workbook import UnreadableWorkbook, sheets_of
from importer.domain.import_options import OPTIONS
from importer.i18n.translations import LANGUAGES, texts
from providers.endpoint import Endpoint, Secret
from tests.lookups import UsualNames

HEADER = "source_address;source_password;source_server;destination_address;destination_password"
ANNA = "anna@old.example;geheim-1;;anna@new.example;neu-1"
BERND = "bernd@old.example;geheim-2;;bernd@new.example;neu-2"
PAIR = [("anna@old.example", "geheim-1"), ("bernd@old.example", "geheim-2")]


def read(data: str | bytes) -> Parsed:
    content = data.encode() if isinstance(data, str) else data
    return parse(content, catalog=UsualNames(), destination=Endpoint("imap.new.example"), max_rows=None)


def mailboxes(parsed: Parsed) -> list[tuple[str, str]]:
    """Source address and password of each row."""
    assert parsed.problems == ()
    passwords = ("" if row.source_password is None else row.source_password.reveal() for row in parsed.rows)
    return list(zip((row.source.address for row in parsed.rows), passwords, strict=True))


def notes(parsed: Parsed) -> list[tuple[int, str, str]]:
    return [(note.line, note.column, note.text.code) for note in parsed.notes]


def commas(text: str) -> str:
    return text.replace(";", ",")


def in_one_cell(text: str) -> str:
    return "\n".join(f'"{line}"' for line in text.split("\n"))


BOTH = f"{HEADER}\n{ANNA}\n{BERND}"


@pytest.mark.parametrize(
    "text",
    [
        f"sep=,\n{commas(BOTH)}",
        "sep=\t\n" + BOTH.replace(";", "\t"),
        f"SEP=;\r\n{BOTH}",
        f"sep=;;;;;\n{BOTH}",
        f'"sep=;";;;;\n{BOTH}',
        f"sep=,\n{BOTH}",
        "sep=^\n" + BOTH.replace(";", "^"),
        BOTH.replace(";", "|"),
        f"Tabelle 1;;;;\n{BOTH}",
        f"Umzug, Firma Muster\n\nStand: 1.2.2026\n{BOTH}",
        f"Kontakt: chef@old.example\n{BOTH}",
        in_one_cell(commas(BOTH)),
        in_one_cell(BOTH),
        in_one_cell(commas(BOTH)).replace("\n", ";;;;\n"),
        f'{HEADER}\n{ANNA}\n"{commas(BERND)}";;;;',
        f"{commas(HEADER)}\n" + f"{ANNA}\n{BERND}".replace(";", "\t"),
        f"{commas(HEADER)};;;;\n{ANNA}\n{BERND}",
        f"{HEADER}\n{commas(ANNA)}\n{commas(BERND)}",
        f"{HEADER};;;\n{ANNA};;;\n{BERND};;;;;\n;;;;;;\n , \n",
        f"#{BOTH}",
        f"{BOTH}\r\n\x1a",
        f"\ufeff\ufeff{BOTH}",
        f"ï»¿{BOTH}",
        BOTH.replace(f"{HEADER}\n", f"{HEADER}\r\n"),
        f"{HEADER}\n\u200e{ANNA}\n\u2060\u00a0{BERND}",
        "source address*;SOURCE-PASSWORD:;Source_Server;destination.address; Destination\u00a0Password "
        + f"\n{ANNA}\n{BERND}",
        "source_address;source_password;destination_address;destination_password\n"
        + f"{ANNA}\n{BERND}".replace(";;", ";"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_is_certain_is_read_without_a_note(text: str, encoding: str) -> None:
    parsed = read(text.encode(encoding))
    assert mailboxes(parsed) == PAIR
    assert parsed.notes == ()


def test_lines_keep_their_numbers_below_sep_and_a_title() -> None:
    assert [row.line for row in read(f"sep=;\nTabelle 1\n{BOTH}").rows] == [4, 5]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_names_of_pages_and_templates_are_read_in_every_language(language: str) -> None:
    say = texts(language).gettext
    page = ("Old address", "Password", "Old server", "New address", "New password")
    for names in (tuple(map(say, page)), tuple(name_in(language, column) for column in USUAL_COLUMNS)):
        assert mailboxes(read(";".join(names) + f"\n{ANNA}\n{BERND}")) == PAIR
        assert mailboxes(read(";".join(names).upper() + f"\n{ANNA}\n{BERND}")) == PAIR
    assert column_of(say("New server")) == "destination_server"
    for name, option in OPTIONS.items():
        assert column_of(say(option.title)) == name
    for column in KNOWN_COLUMNS:
        assert column_of(name_in(language, column)) == column


@pytest.mark.parametrize(
    ("password", "kind"),
    [
        ("1.0E+05", "scientific"),
        ("1,23457E+10", "scientific"),
        ("1.23456789012346e+19", "scientific"),
        ("1.23E10", "scientific"),
        ("#NAME?", "error"),
        ("#WERT!", "error"),
        ("#NOM?", "error"),
        ("#DIV/0!", "error"),
        ("#N/A", "error"),
        ("#####", "error"),
        ("Err:502", "error"),
        ("TRUE", "boolean"),
        ("WAHR", "boolean"),
        ("VRAI", "boolean"),
        ("FALSO", "boolean"),
        ("01.02.2026", "date"),
        ("2026-02-01", "date"),
        ("1-Feb", "date"),
        ("01. Mrz", "date"),
        ("Jan 24", "date"),
        ("12:30", "date"),
        ("123", "number"),
        ("0.5", "number"),
        ("1,5", "number"),
        ("5%", "number"),
        ("5,00 €", "number"),
        ('="00123"', "formula"),
        ("=123", "formula"),
        ("'00123", "apostrophe"),
        ("grÃ¼n", "misread"),
        ("gr√ºn", "misread"),
        ("pâ€™ss", "misread"),
        ("“geheim”", "typographic"),
        ("it’s", "typographic"),
        ("a–b", "typographic"),
        (" blank", "blank"),
        ("blank ", "blank"),
        ("ge\u00a0heim", "invisible"),
        ("geheim\u200b", "invisible"),
    ],
)
def test_a_password_that_a_spreadsheet_may_have_changed_is_noted_and_kept(password: str, kind: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerow(["anna@old.example", password, "", "anna@new.example", "neu-1"])
    parsed = read(f"{HEADER}\n{out.getvalue()}")
    assert mailboxes(parsed) == [("anna@old.example", password)]
    assert notes(parsed) == [(2, "source_password", f"spreadsheet_trace.{kind}")]


@pytest.mark.parametrize(
    "password",
    ["00123", "0123456", "1e5", "=1+1", "+49170", "True", "Sommer2024!", "grün", "a b", "#x", "12-34"],
)
def test_other_passwords_have_no_note(password: str) -> None:
    assert read(f"{HEADER}\nanna@old.example;{password};;anna@new.example;neu-1").notes == ()


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
def test_letters_of_an_unknown_encoding_are_noted(encoding: str) -> None:
    text = f"{HEADER}\n{ANNA.replace('geheim', 'größe')}"
    assert notes(read(text.encode(encoding))) == [(2, "source_password", "spreadsheet_trace.encoding")]


@pytest.mark.parametrize("guard", ["=", "+", "-"])
def test_the_apostrophe_of_an_annotated_file_comes_off_again(guard: str) -> None:
    parsed = read(f"{HEADER};Problem\n'{guard}{ANNA};")
    assert mailboxes(parsed) == [(f"{guard}anna@old.example", "geheim-1")]
    assert notes(parsed) == [(2, "source_address", "apostrophe_removed")]


@pytest.mark.parametrize(
    ("line", "addresses", "note"),
    [
        (f"#{BERND}", ["anna@old.example", "#bernd@old.example"], "hash_in_address"),
        (
            '"#info@old.example";x;;b@new.example;y',
            ["anna@old.example", "#info@old.example"],
            "hash_in_address",
        ),
        (f"# {BERND}", ["anna@old.example"], "row_left_out"),
        ("# Kommentar; mit Semikolon", ["anna@old.example"], ""),
        ("# fragen: chef@old.example; danke", ["anna@old.example"], ""),
        ('"# noch; einer";;;;', ["anna@old.example"], ""),
    ],
)
def test_a_row_that_begins_with_a_hash_is_not_lost(line: str, addresses: list[str], note: str) -> None:
    parsed = read(f"{HEADER}\n{ANNA}\n{line}")
    assert [address for address, _ in mailboxes(parsed)] == addresses
    assert [code for _, _, code in notes(parsed)] == ([note] if note else [])


def test_a_bad_row_that_begins_with_a_hash_is_not_lost() -> None:
    parsed = read(f"{HEADER}\n#info@old.example;x;;info.new.example;y")
    assert [(p.line, p.column, p.rule) for p in parsed.problems] == [
        (2, "destination_address", "address_invalid")
    ]


def test_a_long_name_of_a_column_is_not_cut_to_another_one() -> None:
    columns = HEADER.replace("source_password", f"source{'_' * 60}password")
    assert "source" not in read(f"{columns}\n{ANNA}").sheet.headings


def test_a_comment_that_lists_columns_is_no_header() -> None:
    assert mailboxes(read(f"#\n{BOTH}")) == PAIR
    sentence = "# Als erste Zeile: Alte Adresse;Altes Passwort;Alter Server;Neue Adresse;Neues Passwort"
    assert (
        mailboxes(
            read(
                f"{sentence}\nsource_address;source_password;destination_address;New password\n"
                + f"{ANNA}\n{BERND}".replace(";;", ";")
            )
        )
        == PAIR
    )


def test_a_row_above_the_header_is_not_lost() -> None:
    parsed = read(f"{BERND}\n{HEADER}\n{ANNA}")
    assert [(p.line, p.rule) for p in parsed.problems] == [(1, "row_above_header")]
    assert parsed.good_rows == ()


@pytest.mark.parametrize("name", ["Name", "Bemerkung", "Tel.", "Nr"])
def test_a_column_of_another_name_is_left_out_with_a_note(name: str) -> None:
    parsed = read(f"{name};{HEADER}\nx;{ANNA}\n;{BERND}")
    assert mailboxes(parsed) == PAIR
    assert notes(parsed) == [(1, name, "column_ignored")]


@pytest.mark.parametrize(
    ("written", "column"),
    [
        ("destination_sever", "destination_server"),
        ("Neuer Serverr", "destination_server"),
        ("sync-flag", "sync_flags"),
    ],
)
def test_a_column_whose_name_is_nearly_known_is_not_left_out(written: str, column: str) -> None:
    [problem] = read(f"{HEADER};{written}\n{ANNA};x").problems
    assert (problem.column, problem.text.code) == (written, "unknown_column")
    assert problem.text.params["column"] == column


def test_a_column_without_a_name_is_not_left_out_if_it_has_content() -> None:
    assert mailboxes(read(f";{HEADER}\n;{ANNA}\n;{BERND}")) == PAIR
    [problem] = read(f";{HEADER}\n;{ANNA}\n2;{BERND}").problems
    assert problem.text.code == "unknown_column.unnamed"


@pytest.mark.parametrize(
    "line",
    ["anna@old.example;ge;heim;;anna@new.example;neu-1", "geheim-1;anna@old.example;;anna@new.example;x;"],
)
def test_a_row_whose_cells_are_shifted_is_not_taken_apart(line: str) -> None:
    parsed = read(f"{HEADER};Name\n{line}")
    assert [(p.line, p.column, p.text.code) for p in parsed.problems] == [(2, "", "cell_count.shifted")]
    assert parsed.sheet.records[0].cells is None


def test_a_missing_password_column_is_one_problem() -> None:
    text = "source_address;source_password;destination_address\n" + "".join(
        f"p{n}@old.example;x;p{n}@new.example\n" for n in range(25)
    )
    [problem] = read(text).problems
    assert (problem.line, problem.column, problem.rule) == (1, "destination_password", "missing_column")


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        ("mailto:anna@old.example", "anna@old.example"),
        ("Anna Muster <anna@old.example>", "anna@old.example"),
        ("<anna@old.example>", "anna@old.example"),
        ("anna＠old.example", "anna@old.example"),
        ("an\u200bna@old.example", "anna@old.example"),
        ("an\u00adna@old.example", "anna@old.example"),
        ("anna@old.example,", "anna@old.example"),
        ("anna@old.example.", "anna@old.example"),
        ("'anna@old.example'", "anna@old.example"),
        ("anna@old.example or bernd@old.example", ""),
        ("my p@ss.word", ""),
    ],
)
def test_the_bare_address_is_offered(cell: str, address: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerow([cell, "geheim-1", "", "anna@new.example", "neu-1"])
    [problem] = read(f"{HEADER}\n{out.getvalue()}").problems
    assert (problem.line, problem.column, problem.rule) == (2, "source_address", "address_invalid")
    assert (problem.text.steps.params["address"] if problem.text.steps else "") == address


# --- Workbooks --------------------------------------------------------------------------------------


def excel(*rows: list[object], title: str = "Sheet") -> Workbook:
    book = Workbook()
    book.worksheets[0].title = title
    for row in rows:
        book.worksheets[0].append(row)
    return book


def saved(book: Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


GERMAN = ["Alte Adresse", "Altes Passwort", "Alter Server", "Neue Adresse", "Neues Passwort"]


def test_a_workbook_is_read_and_what_is_no_text_is_noted() -> None:
    rows: list[list[object]] = [
        ["Umzug 2026"],
        [],
        list(GERMAN),
        ["a1@old.example", "00123", None, "b1@new.example", 123],
        ["a2@old.example", True, "", "b2@new.example", datetime.fromisoformat("2026-02-01")],
        ["a3@old.example", 0.5, None, "b3@new.example", "grün"],
        ["a4@old.example", 1.5e19, None, "b4@new.example", date(2026, 2, 1)],
        [None, "", None],
        ["a5@old.example", "123", "imap.old.example", "b5@new.example", "TRUE"],
    ]
    parsed = read(saved(excel(*rows)))
    assert [(row.line, row.source.address) for row in parsed.rows] == [
        (4, "a1@old.example"),
        (5, "a2@old.example"),
        (6, "a3@old.example"),
        (7, "a4@old.example"),
        (9, "a5@old.example"),
    ]
    assert mailboxes(parsed)[0] == ("a1@old.example", "00123")
    assert [(line, column, code.partition(".")[2]) for line, column, code in notes(parsed)] == [
        (4, "destination_password", "number"),
        (5, "source_password", "boolean"),
        (5, "destination_password", "date"),
        (6, "source_password", "number"),
        (7, "source_password", "scientific"),
        (7, "destination_password", "date"),
    ]


def test_the_sheet_with_the_columns_is_read_and_hidden_ones_are_not() -> None:
    book = excel(["Hinweise"], ["Bitte ausfüllen"])
    hidden = book.create_sheet("alt")
    hidden.append(GERMAN)
    hidden.append(["x@old.example", "x", "", "x@new.example", "x"])
    hidden.sheet_state = "hidden"
    sheet = book.create_sheet("Postfächer")
    sheet.append(GERMAN)
    sheet.append(ANNA.split(";"))
    assert mailboxes(read(saved(book))) == PAIR[:1]


def with_sheet(book: Workbook, *rows: list[object]) -> Workbook:
    sheet = book.create_sheet("IT")
    for row in rows:
        sheet.append(row)
    return book


@pytest.mark.parametrize("header", [[list(GERMAN)], [["Neue Adresse", "Alte Adresse"]], []])
def test_rows_on_a_second_sheet_are_not_left_out(header: list[list[object]]) -> None:
    row: list[object] = ["b@old.example", "x", None, "b@new.example", "x"]
    row = row if header != [["Neue Adresse", "Alte Adresse"]] else ["b@new.example", "b@old.example"]
    [problem] = read(saved(with_sheet(excel(list(GERMAN), list(ANNA.split(";"))), *header, row))).problems
    assert (problem.line, problem.text.code) == (0, "rows_on_other_sheets")


@pytest.mark.parametrize(
    "row",
    [["Fragen an it@new.example"], ["# b@old.example", "x", "", "b@new.example", "x"], list(GERMAN)],
)
def test_a_second_sheet_without_rows_is_left_out(row: list[object]) -> None:
    book = with_sheet(excel(list(GERMAN), list(ANNA.split(";"))), row)
    assert mailboxes(read(saved(book))) == PAIR[:1]


def test_a_formula_without_its_result_is_not_read_as_an_empty_cell() -> None:
    formula: list[object] = ['="b"&"@old.example"', '="x"', "", "b@new.example", "x"]
    [problem] = read(saved(excel(list(GERMAN), list(ANNA.split(";")), formula))).problems
    assert problem.text.code == "formulas_without_results"


def test_a_formula_with_an_empty_result_is_read() -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"/><c r="B1" t="str"><f>A1</f><v></v></c><c r="C1" t="str"><f>1</f><v>x</v></c>'
        b"</row></sheetData></worksheet>"
    )
    [[row]] = sheets_of(with_entry("xl/worksheets/sheet1.xml", sheet))
    assert row.cells == ("", "", "x")


def test_errors_and_durations_in_a_workbook_are_noted() -> None:
    book = excel(list(GERMAN), ["a@old.example", "#NAME?", None, "a@new.example", timedelta(hours=26)])
    book.worksheets[0]["B2"].data_type = "e"
    parsed = read(saved(book))
    assert [(line, column, code.partition(".")[2]) for line, column, code in notes(parsed)] == [
        (2, "source_password", "error"),
        (2, "destination_password", "date"),
    ]
    assert parsed.rows[0].destination_password == Secret("26:00:00")


def archive(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return out.getvalue()


def with_entry(name: str, content: bytes) -> bytes:
    """A workbook one of whose entries is replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(excel(list(GERMAN))))) as book, zipfile.ZipFile(out, "w") as made:
        for entry in book.namelist():
            made.writestr(entry, content if entry == name else book.read(entry), zipfile.ZIP_DEFLATED)
    return out.getvalue()


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + bytes(range(1, 256)),
        archive(mimetype=b"application/vnd.oasis.opendocument.spreadsheet", **{"content.xml": b"<x/>"}),
        archive(**{"xl/workbook.xml": b" " * (workbook.MAX_XML_BYTES + 1)}),
        archive(**{f"{n}.xml": b"" for n in range(workbook.MAX_ENTRIES + 1)}),
        with_entry("xl/worksheets/sheet1.xml", ENTITIES),
        with_entry("xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row"),
        with_entry("xl/workbook.xml", b"not XML"),
    ],
)
def test_a_workbook_that_cannot_be_read_is_named_as_one(data: bytes) -> None:
    with pytest.raises(UnreadableWorkbook):
        sheets_of(data)
    [problem] = read_sheet(data, max_bytes=2**24).problems
    assert problem.text.code == "not_text.workbook"


def test_an_old_workbook_is_named_as_one() -> None:
    [problem] = read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)).problems
    assert problem.text.code == "not_text.workbook"


def test_a_sheet_that_states_a_million_rows_is_read_to_its_last_one() -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b'<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1" t="inlineStr"><is>'
        b"<t>source_address</t></is></c></row></sheetData></worksheet>"
    )
    began = time.thread_time()
    [rows] = sheets_of(with_entry("xl/worksheets/sheet1.xml", sheet))
    assert [row.cells for row in rows] == [("source_address",)]
    assert time.thread_time() - began < 10


def test_a_row_far_below_is_not_lost() -> None:
    book = excel(list(GERMAN))
    book.worksheets[0].cell(workbook.MAX_LINES + 2, 1, "anna@old.example")
    [problem] = read(saved(book)).problems
    assert problem.text.code == "not_text.workbook"
